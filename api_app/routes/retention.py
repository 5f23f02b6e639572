from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request

from api_app.answers import file_out
from api_app.auth import ask
from api_app.retention_schemas import (
    AmountOut,
    BudgetOut,
    ExtendIn,
    HoldIn,
    ReceiptOut,
    ReleaseIn,
    UsageOut,
)
from api_app.schemas import FileOut, Slug
from orchestration.models import User
from orchestration.models.budget import Standing, standing_of
from orchestration.models.usage import Amount, usage_of
from orchestration.services import retention
from orchestration.services.access import find_file, find_recorded_file, find_workspace
from orchestration.services.files import undelete_file as undelete
from orchestration.services.receipts import as_document, receipt_of

router = APIRouter(tags=["retention"])


@router.post("/files/{file_id}/undelete")
async def undelete_file(request: Request, file_id: UUID) -> FileOut:
    """Bring a deleted file back, within 30 days. It is then kept for at least 30 more."""

    def work(user: User) -> FileOut:
        return file_out(undelete(user=user, file=find_recorded_file(user=user, file_id=file_id)))

    return await ask(request, work)


@router.post("/files/{file_id}/extend")
async def extend_file(request: Request, file_id: UUID, body: ExtendIn) -> FileOut:
    """Keep a file longer. A date can only be moved away, and not beyond the server's longest term."""
    until = None if body.until is None else retention.end_of(body.until)

    def work(user: User) -> FileOut:
        file = find_file(user=user, file_id=file_id)
        return file_out(retention.extend_file(user=user, file=file, days=body.days, until=until))

    return await ask(request, work)


@router.post("/files/{file_id}/hold")
async def hold_file(request: Request, file_id: UUID, body: HoldIn) -> FileOut:
    """Nobody and no date deletes the file, or destroys its bytes, until a manager releases it. For managers."""

    def work(user: User) -> FileOut:
        file = find_recorded_file(user=user, file_id=file_id)
        return file_out(retention.hold_file(user=user, file=file, reason=body.reason))

    return await ask(request, work)


@router.post("/files/{file_id}/unhold")
async def unhold_file(request: Request, file_id: UUID, body: ReleaseIn | None = None) -> FileOut:
    """The file's own date counts again. For managers."""

    def work(user: User) -> FileOut:
        file = find_recorded_file(user=user, file_id=file_id)
        return file_out(retention.release_file(user=user, file=file, reason=body.reason if body else ""))

    return await ask(request, work)


@router.get("/files/{file_id}/receipt")
async def show_receipt(request: Request, file_id: UUID) -> ReceiptOut:
    """What became of a deleted file. Still there when its bytes are destroyed."""

    def work(user: User) -> ReceiptOut:
        receipt = receipt_of(file=find_recorded_file(user=user, file_id=file_id))
        return ReceiptOut(**as_document(receipt))

    return await ask(request, work)


@router.get("/workspaces/{slug}/usage")
async def show_usage(request: Request, slug: Slug) -> UsageOut:
    """How much a workspace holds, by class, and what of it goes soon."""

    def work(user: User) -> UsageOut:
        workspace = find_workspace(user=user, slug=slug)
        usage = usage_of(workspace)
        return UsageOut(
            workspace=workspace.slug,
            classes={name: _amount_out(amount) for name, amount in usage.classes.items()},
            total=_amount_out(usage.total),
            stored_bytes=usage.stored_bytes,
            saved_bytes=usage.saved_bytes,
            reserved_bytes=usage.reserved_bytes,
            used_bytes=usage.used_bytes,
            quota_bytes=usage.quota_bytes,
            expiring=_amount_out(usage.expiring),
            held=_amount_out(usage.held),
            budget=_budget_out(standing_of(workspace)),
        )

    return await ask(request, work)


def _budget_out(standing: Standing | None) -> BudgetOut | None:
    if standing is None:
        return None
    return BudgetOut(
        month=f"{standing.month:%Y-%m}",
        budget_usd=str(standing.budget),
        spent_usd=str(standing.spent),
        expected_usd=str(standing.expected),
        left_usd=str(standing.left),
        warn_percent=standing.warn_percent,
        mode=standing.mode,
    )


def _amount_out(amount: Amount) -> AmountOut:
    return AmountOut(files=amount.files, bytes=amount.bytes)
