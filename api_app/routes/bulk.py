"""One action on up to ten thousand jobs: preview, begin, follow, stop (docs/api.md)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import job_brief
from api_app.auth import ask
from api_app.bulk_schemas import BulkChoiceIn, BulkIn, BulkItemOut, BulkOut, BulkPreviewOut
from api_app.paging import Cursor, Limit, page
from api_app.routes.jobs import IdempotencyKey, titles_of
from api_app.schemas import Listing
from orchestration.errors import Invalid
from orchestration.models import BulkItem, BulkOperation, User
from orchestration.models.operation import counts_of
from orchestration.services import bulk
from orchestration.services.progress import progress_of
from orchestration.states import BulkAction, BulkOutcome, JobState

router = APIRouter(tags=["bulk"])
Outcome = Annotated[BulkOutcome | None, Query()]


def _choice(body: BulkChoiceIn) -> bulk.Choice:
    return bulk.Choice(body.q, tuple(body.ids), body.workspace)


@router.post("/bulk:preview")
async def preview_bulk(request: Request, body: BulkChoiceIn) -> BulkPreviewOut:
    """How many jobs it would be, and the newest of them. Changes nothing."""
    return await ask(request, _preview, body)


def _preview(user: User, body: BulkChoiceIn) -> BulkPreviewOut:
    found = bulk.preview(user=user, action=body.action, choice=_choice(body))
    titles, progress = titles_of(found.sample), progress_of(found.sample)
    sample = [job_brief(j, title=titles[j.pipeline_version_id], progress=progress.get(j.pk, 1.0)) for j in found.sample]
    others = {JobState(state): number for state, number in found.others.items()}
    return BulkPreviewOut(total=found.total, others=others, sample=sample)


@router.post("/bulk", status_code=202, responses={200: {"model": BulkOut, "description": "It was begun before"}})
async def begin_bulk(
    request: Request, response: Response, body: BulkIn, idempotency_key: IdempotencyKey = None
) -> BulkOut:
    """The jobs are chosen now and acted on one by one; follow it at its `id`."""
    made, is_new = await ask(request, _begin, body, idempotency_key or "")
    response.headers["location"] = f"/api/v1/bulk/{made.id}"
    if not is_new:
        response.status_code = 200
    return made


def _begin(user: User, body: BulkIn, key: str) -> tuple[BulkOut, bool]:
    details = bulk.Details(body.set_labels, tuple(body.remove_labels), body.priority)
    operation, is_new = bulk.begin_bulk(
        user=user,
        action=body.action,
        choice=_choice(body),
        details=details,
        expected=body.expected,
        idempotency_key=key,
    )
    return _out(operation), is_new


@router.get("/bulk")
async def list_bulk(request: Request, limit: Limit = 50, cursor: Cursor = None) -> Listing[BulkOut]:
    """Your own, newest first."""
    return await ask(request, _list, limit, cursor)


def _list(user: User, limit: int, cursor: str | None) -> Listing[BulkOut]:
    found = page(BulkOperation.objects.visible_to(user), limit=limit, cursor=cursor)
    counts = counts_of([one.pk for one in found.rows])
    return Listing(items=[_out(one, counts[one.pk]) for one in found.rows], next_cursor=found.next_cursor)


@router.get("/bulk/{bulk_id}")
async def show_bulk(request: Request, bulk_id: UUID) -> BulkOut:
    """How far it is: `done`, `refused` and `skipped` of `total`."""
    return await ask(request, lambda user: _out(bulk.find_bulk(user=user, bulk_id=bulk_id)))


@router.post("/bulk/{bulk_id}/cancel", status_code=202)
async def cancel_bulk(request: Request, bulk_id: UUID) -> BulkOut:
    """Jobs whose turn has not come are skipped; what is done stays done."""
    return await ask(request, lambda user: _out(bulk.stop_bulk(operation=bulk.find_bulk(user=user, bulk_id=bulk_id))))


@router.get("/bulk/{bulk_id}/items")
async def list_bulk_items(
    request: Request,
    bulk_id: UUID,
    outcome: Outcome = None,
    limit: Limit = 50,
    cursor: Annotated[str | None, Query(max_length=19, pattern=r"^[0-9]+$")] = None,
) -> Listing[BulkItemOut]:
    """What came of each job, in the order of their creation."""
    return await ask(request, _items, bulk_id, outcome, limit, cursor)


def _items(
    user: User, bulk_id: UUID, outcome: BulkOutcome | None, limit: int, cursor: str | None
) -> Listing[BulkItemOut]:
    items = bulk.find_bulk(user=user, bulk_id=bulk_id).items.order_by("id")
    if outcome is not None:
        items = items.filter(outcome=outcome)
    if cursor:
        if (last := int(cursor)) >= 1 << 63:
            raise Invalid("This cursor is not one of ours.", errors=[{"loc": ["query", "cursor"], "msg": "unknown"}])
        items = items.filter(pk__gt=last)
    rows = list(items[: limit + 1])
    following = str(rows[limit - 1].pk) if len(rows) > limit else None
    return Listing(items=[_item(item) for item in rows[:limit]], next_cursor=following)


def _item(item: BulkItem) -> BulkItemOut:
    return BulkItemOut(
        job=item.job_id,
        outcome=BulkOutcome(item.outcome) if item.outcome else None,
        code=item.code or None,
        detail=item.detail or None,
        made=item.made_id,
    )


def _out(operation: BulkOperation, counts: dict[str, int] | None = None) -> BulkOut:
    if counts is None:
        counts = operation.counts()
    return BulkOut(
        id=operation.pk,
        action=BulkAction(operation.action),
        q=operation.filter,
        set_labels=operation.params.get("set", {}),
        remove_labels=operation.params.get("remove", []),
        priority=operation.params.get("priority"),
        total=operation.total,
        done=counts[BulkOutcome.DONE],
        refused=counts[BulkOutcome.REFUSED],
        skipped=counts[BulkOutcome.SKIPPED],
        created_at=operation.created_at,
        canceled_at=operation.canceled_at,
        finished_at=operation.finished_at,
    )
