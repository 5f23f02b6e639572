from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import attempt_out
from api_app.auth import ask, identify, scope_of
from api_app.database import in_db
from api_app.gate import credential
from api_app.job_schemas import AttemptOut
from api_app.log_follow import FollowedLog
from api_app.paging import Cursor, Limit, page
from api_app.schemas import Listing
from orchestration.models import Attempt, Job, JobInput, User
from orchestration.services.access import find_attempt, find_job
from orchestration.services.logs import MAX_READ, LogPart, start_of
from orchestration.services.logs import read_log as read
from orchestration.services.status import attempts_of
from orchestration.spec.model import PipelineSpec

router = APIRouter(tags=["jobs"])
SANDBOXED: Final = {"content-security-policy": "sandbox; default-src 'none'"}


@router.get("/jobs/{job_id}/attempts")
async def list_attempts(
    request: Request, job_id: UUID, limit: Limit = 50, cursor: Cursor = None
) -> Listing[AttemptOut]:
    """Oldest first."""
    return await ask(request, _attempts, job_id, limit, cursor)


def _attempts(user: User, job_id: UUID, limit: int, cursor: str | None) -> Listing[AttemptOut]:
    job = find_job(user=user, job_id=job_id)
    found = page(attempts_of(job), limit=limit, cursor=cursor, descending=False)
    fans_out = {step.name for step in PipelineSpec.from_json(job.pipeline_version.spec).steps if step.fans_out}
    sources = _sources(job, {row.item_index for row in found.rows if row.step in fans_out})
    items = [attempt_out(row, sources.get(row.item_index) if row.step in fans_out else None) for row in found.rows]
    return Listing(items=items, next_cursor=found.next_cursor)


def _sources(job: Job, positions: set[int]) -> dict[int, str]:
    """The name of the input file that each item stands for."""
    rows = JobInput.objects.filter(job=job, position__in=positions)
    return dict(rows.values_list("position", "file__name")) if positions else {}


@router.get("/attempts/{attempt_id}/log", response_class=Response)
async def read_log(
    request: Request,
    attempt_id: UUID,
    offset: Annotated[int, Query(ge=-(1 << 40), le=1 << 40)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_READ)] = MAX_READ,
    follow: bool = False,  # noqa: FBT001, FBT002  a query parameter, named by FastAPI
) -> Response:
    """Raw text from `offset` on; a negative offset counts from the end.

    With `follow` it goes on until the log has ended, and `limit` does not count. Who is cut off before goes on at
    `Esteira-Log-Start` plus what has come.
    """
    if follow:
        return await _follow(request, attempt_id, offset)
    part = await ask(request, _log, attempt_id, offset, limit)
    headers = {
        # Where to go on, and whether anything more will come there.
        "esteira-log-end": str(part.end),
        "esteira-log-complete": "true" if part.is_complete else "false",
        **SANDBOXED,
    }
    return Response(part.data, headers=headers, media_type="text/plain")


def _log(user: User, attempt_id: UUID, offset: int, limit: int) -> LogPart:
    return read(attempt=find_attempt(user=user, attempt_id=attempt_id), offset=offset, limit=limit)


async def _follow(request: Request, attempt_id: UUID, offset: int) -> Response:
    given, scope = credential(request), scope_of(request)

    def find() -> Attempt:
        return find_attempt(user=identify(given, scope).user, attempt_id=attempt_id)

    def begin() -> tuple[Attempt, int]:
        attempt = find()
        return attempt, start_of(attempt=attempt, offset=offset)

    attempt, start = await in_db(begin)
    headers = {"esteira-log-start": str(start), **SANDBOXED}
    return FollowedLog(attempt, offset=start, find=find, headers=headers)
