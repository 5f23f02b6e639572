from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from api_app.answers import file_out, job_brief, job_check_out, job_out, new_job_out, parts_for
from api_app.auth import ask, ask_ahead
from api_app.feeds import JobFeed
from api_app.job_reads import Expand, Fields, Shape, list_shape, listed, one_shape, readable, shown
from api_app.job_schemas import (
    JobBatchIn,
    JobCheckOut,
    JobEditIn,
    JobIn,
    JobListed,
    JobOut,
    JobResult,
    JobResults,
    JobShown,
    JobWanted,
    RerunIn,
    ResubmitIn,
)
from api_app.paging import Cursor, Limit, page
from api_app.schemas import FileOut, Listing, PipelineRef
from api_app.submitting import submit
from api_app.upload_answers import problem_of
from api_app.waiting import Wait, until_news
from api_app.zip_content import ZipContent
from orchestration.errors import Invalid
from orchestration.models import Job, User
from orchestration.models.planning import planned_anew
from orchestration.search import MOST_LETTERS
from orchestration.services import jobs, reruns, submissions
from orchestration.services.access import find_job
from orchestration.services.ahead import ahead_of_show
from orchestration.services.archives import Archive, results_archive
from orchestration.services.deadlines import chosen_deadline
from orchestration.services.job_check import check_job
from orchestration.services.job_search import find_jobs
from orchestration.services.pipelines import specs_of
from orchestration.services.progress import progress_of
from orchestration.services.status import results_of
from orchestration.services.whole import find_whole
from orchestration.states import JobState

router = APIRouter(tags=["jobs"])
MADE_BEFORE: Final = "What the same Idempotency-Key has made before; with `validate_only` what would become of it"
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=64, pattern=r"^[\x21-\x7e]+$")]
Filter = Annotated[
    str, Query(max_length=MOST_LETTERS, examples=['state:failed pipeline:inspect label:batch=7 created:>-7d "scan 12"'])
]
Version = Annotated[str | None, Query(max_length=16)]
States = Annotated[list[JobState] | None, Query(max_length=len(JobState))]


@router.post("/jobs", status_code=201, responses={200: {"model": JobOut | JobCheckOut, "description": MADE_BEFORE}})
async def submit_job(
    request: Request, response: Response, body: JobIn, idempotency_key: IdempotencyKey = None
) -> JobOut | JobCheckOut:
    """Start a job. Repeat the request with the same Idempotency-Key to get the same job, with status 200.

    With `validate_only` no job is made: the same mistakes are refused, and 200 says what would become of it.
    """
    if body.validate_only:
        response.status_code = 200
        return await ask(request, _check, body)
    wanted = _wanted(body)
    job, created = await submit(request, wanted, idempotency_key or "", _shown)
    return _created(response, job, created=created)


def _check(user: User, body: JobIn) -> JobCheckOut:
    return job_check_out(check_job(user=user, request=_wanted(body)))


def _wanted(body: JobWanted, workspace: str = "") -> jobs.Request:
    return jobs.Request(
        pipeline=body.pipeline,
        inputs=tuple(body.inputs),
        params=body.params or {},
        name=body.name,
        labels=body.labels,
        priority=body.priority,
        workspace=body.workspace or workspace,
        deadline=body.deadline,
        deadline_s=body.deadline_s,
    )


def _shown(job: Job, created: bool) -> tuple[JobOut, bool]:  # noqa: FBT001  handed on as it came
    return (new_job_out if created else job_out)(job), created


@router.post("/jobs:batch")
async def submit_jobs(request: Request, body: JobBatchIn, idempotency_key: IdempotencyKey = None) -> JobResults:
    """Up to 1,000 jobs in one call; one that is refused keeps no other from being taken, unless they are `atomic`.

    Repeat the request with the same Idempotency-Key to get the same jobs.
    """
    return await ask(request, _submit_many, body, idempotency_key or "")


def _submit_many(user: User, body: JobBatchIn, key: str) -> JobResults:
    wanted = [_wanted(one, body.workspace) for one in body.jobs]
    outcomes = submissions.submit_many(user=user, requests=wanted, idempotency_key=key, is_atomic=body.atomic)
    taken = [one for one in outcomes if isinstance(one, submissions.Taken)]
    titles = titles_of(one.job for one in taken)
    progress = progress_of([one.job for one in taken if not one.is_new])
    results = []
    for index, one in enumerate(outcomes):
        if isinstance(one, submissions.Taken):
            job, title = one.job, titles[one.job.pipeline_version_id]
            done = 0.0 if one.is_new else progress.get(job.pk, 1.0)
            results.append(JobResult(index=index, job=job_brief(job, title=title, progress=done), created=one.is_new))
        else:
            results.append(JobResult(index=index, problem=problem_of(one)))
    return JobResults(results=results)


def _created(response: Response, job: JobOut, *, created: bool) -> JobOut:
    response.headers["location"] = f"/api/v1/jobs/{job.id}"
    if not created:
        response.status_code = 200
    return job


@router.get("/jobs")
async def list_jobs(
    request: Request,
    state: States = None,
    pipeline: Annotated[PipelineRef | None, Query()] = None,
    created_by: Annotated[str | None, Query(max_length=150)] = None,
    q: Filter = "",
    limit: Limit = 50,
    cursor: Cursor = None,
    fields: Fields = None,
    expand: Expand = None,
) -> Listing[JobListed]:
    """Newest first. `q` filters as the box of the jobs page does; `state` may be repeated. All of them must fit."""
    wanted: dict[str, object] = {
        "state__in": state or None,
        "pipeline_version__pipeline__name": pipeline,
        "created_by__username": created_by,
    }
    filters = {name: value for name, value in wanted.items() if value is not None}
    shape = list_shape(fields, expand, limit)
    said = await ask(request, _list, filters, q, limit, cursor, shape)
    return JSONResponse(said)  # type: ignore[return-value]  # FastAPI passes a Response through


def _list(
    user: User, filters: dict[str, object], q: str, limit: int, cursor: str | None, shape: Shape
) -> dict[str, Any]:
    rows = find_jobs(Job.objects.visible_to(user).filter(**filters), q, user=user)
    with planned_anew():
        found = page(readable(rows, shape), limit=limit, cursor=cursor)
    return {"items": listed(found.rows, shape), "next_cursor": found.next_cursor}


def titles_of(rows: Iterable[Job]) -> dict[UUID, str]:
    """Of their pipelines, by version."""
    return {pk: spec.title.text() for pk, spec in specs_of(job.pipeline_version_id for job in rows).items()}


@router.get("/jobs/{job_id}")
async def show_job(
    request: Request,
    job_id: UUID,
    wait: Wait = 0,
    version: Version = None,
    fields: Fields = None,
    expand: Expand = None,
) -> JobShown:
    """With `wait` when the job has changed, at the latest after so many seconds; at once when it has ended.

    A change is one of `version`: a move, an edit, a wish to cancel, not progress. Say the `version` that you know, or
    one between two calls is missed.
    """
    shape = one_shape(fields, expand)
    if wait:
        await _changed(request, job_id, version, wait)
    parts = parts_for(shape.names)
    ahead = partial(ahead_of_show, job_id=job_id, parts=parts)
    said = await ask_ahead(request, ahead, lambda user: shown(find_whole(user=user, job_id=job_id, parts=parts), shape))
    return JSONResponse(said)  # type: ignore[return-value]  # FastAPI passes a Response through


async def _changed(request: Request, job_id: UUID, known: str | None, wait: int) -> None:
    def look(user: User) -> tuple[str, bool]:
        job = find_job(user=user, job_id=job_id)
        return job.version, job.is_finished

    if known is None:
        known, _ = await ask(request, look)
    topic = JobFeed(job_id).topic
    await until_news(request, topic, partial(ask, request, look), lambda found: found[1] or found[0] != known, wait)


@router.patch("/jobs/{job_id}")
async def edit_job(request: Request, job_id: UUID, body: JobEditIn) -> JobOut:
    """Name, labels and priority at any time, the deadline until it has ended."""
    return await ask(request, _edit, job_id, body)


def _edit(user: User, job_id: UUID, body: JobEditIn) -> JobOut:
    edited = jobs.edit(
        user=user,
        job=find_job(user=user, job_id=job_id),
        name=body.name,
        labels=body.labels,
        priority=body.priority,
        deadline=chosen_deadline(body.deadline, body.deadline_s),
        has_none=body.deadline is None and body.deadline_s is None and "deadline" in body.model_fields_set,
    )
    return job_out(edited)


@router.post("/jobs/{job_id}/cancel", status_code=202)
async def cancel_job(request: Request, job_id: UUID) -> JobOut:
    """What runs is stopped within 10 seconds."""
    return await ask(request, lambda user: job_out(jobs.cancel(user=user, job=find_job(user=user, job_id=job_id))))


@router.post("/jobs/{job_id}/retry", status_code=202)
async def retry_job(request: Request, job_id: UUID) -> JobOut:
    """Same inputs and version, from the failed steps on; good outputs are kept."""
    return await ask(request, lambda user: job_out(reruns.retry(user=user, job=find_job(user=user, job_id=job_id))))


@router.post("/jobs/{job_id}/resubmit", status_code=201, responses={200: {"model": JobOut, "description": MADE_BEFORE}})
async def resubmit_job(
    request: Request,
    response: Response,
    job_id: UUID,
    body: ResubmitIn | None = None,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """A new job like this one; what is left out stays as it was."""
    job, created = await ask(request, _resubmit, job_id, body or ResubmitIn(), idempotency_key or "")
    return _created(response, job, created=created)


def _resubmit(user: User, job_id: UUID, body: ResubmitIn, key: str) -> tuple[JobOut, bool]:
    changes = body.model_dump(exclude_none=True)
    if "inputs" in changes:
        changes["inputs"] = tuple(changes["inputs"])
    old = find_job(user=user, job_id=job_id)
    job, created = jobs.resubmit(user=user, job=old, changes=changes, idempotency_key=key)
    return (new_job_out if created else job_out)(job), created


@router.post("/jobs/{job_id}/rerun-items", status_code=202)
async def rerun_items(request: Request, job_id: UUID, body: RerunIn | None = None) -> JobOut:
    """Only the failed items of fan-outs, and the steps that depend on them."""
    return await ask(request, _rerun, job_id, body or RerunIn())


def _rerun(user: User, job_id: UUID, body: RerunIn) -> JobOut:
    job = find_job(user=user, job_id=job_id)
    return job_out(reruns.rerun_items(user=user, job=job, step=body.step or "", items=body.items or ()))


@router.get("/jobs/{job_id}/results")
async def list_results(request: Request, job_id: UUID, limit: Limit = 50, cursor: Cursor = None) -> Listing[FileOut]:
    """In the order of steps and items."""
    return await ask(request, _results, job_id, limit, cursor)


def _results(user: User, job_id: UUID, limit: int, cursor: str | None) -> Listing[FileOut]:
    # Their order is not that of creation, so the cursor counts: a finished job's results stand still.
    start = _count(cursor)
    rows = list(results_of(find_job(user=user, job_id=job_id))[start : start + limit + 1])
    following = str(start + limit) if len(rows) > limit else None
    return Listing(items=[file_out(file) for file in rows[:limit]], next_cursor=following)


@router.head("/jobs/{job_id}/results.zip", include_in_schema=False)
@router.get("/jobs/{job_id}/results.zip", response_class=Response)
async def download_results(
    request: Request, job_id: UUID, file: Annotated[list[UUID] | None, Query(max_length=100)] = None
) -> Response:
    """All results in one ZIP, or those that `file` names. Its length is known before it begins; it takes `Range`."""
    return ZipContent(await ask(request, _archive, job_id, file or ()))


def _archive(user: User, job_id: UUID, ids: Sequence[UUID]) -> Archive:
    return results_archive(user=user, job=find_job(user=user, job_id=job_id), ids=ids)


def _count(cursor: str | None) -> int:
    if not cursor:
        return 0
    if not (cursor.isascii() and cursor.isdigit()) or len(cursor) > len("1000000"):
        raise Invalid("This cursor is not one of ours.", errors=[{"loc": ["query", "cursor"], "msg": "unknown"}])
    return int(cursor)
