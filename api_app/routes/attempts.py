from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api_app.answers import attempt_out
from api_app.auth import ask
from api_app.job_schemas import AttemptOut
from api_app.paging import Cursor, Limit, page
from api_app.schemas import Listing
from orchestration.models import Job, JobInput, User
from orchestration.services.access import find_attempt, find_job
from orchestration.services.logs import MAX_READ, LogPart
from orchestration.services.logs import read_log as read
from orchestration.services.status import attempts_of
from orchestration.spec.model import PipelineSpec

router = APIRouter(tags=["jobs"])


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
) -> Response:
    """Raw text from `offset` on; a negative offset counts from the end."""
    part = await ask(request, _log, attempt_id, offset, limit)
    headers = {
        # Where to go on, and whether anything more will come there.
        "esteira-log-end": str(part.end),
        "esteira-log-complete": "true" if part.is_complete else "false",
        "content-security-policy": "sandbox; default-src 'none'",
    }
    return Response(part.data, headers=headers, media_type="text/plain")


def _log(user: User, attempt_id: UUID, offset: int, limit: int) -> LogPart:
    return read(attempt=find_attempt(user=user, attempt_id=attempt_id), offset=offset, limit=limit)
