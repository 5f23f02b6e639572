"""GA4GH's Workflow Execution Service 1.1: a run is one of our jobs, a task one of its attempts."""

from typing import Annotated, Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from fastapi import APIRouter, Query
from starlette.requests import Request

from api_app.auth import ask
from api_app.ga4gh.ids import read_id
from api_app.ga4gh.service import WES_VERSION, our_version, service_fields
from api_app.ga4gh.states import OF_JOB, state_of
from api_app.ga4gh.wes_answers import run_log, run_summary, task_log
from api_app.ga4gh.wes_form import ATTACHMENT, MOST_FILES, keep, run_form
from api_app.ga4gh.wes_schemas import (
    ENGINE,
    TYPE,
    TYPE_VERSION,
    EngineParameter,
    RunForm,
    RunId,
    RunListResponse,
    RunLog,
    RunStatus,
    TaskListResponse,
    TaskLog,
    WesError,
    WesServiceInfo,
    WorkflowEngineVersion,
    WorkflowTypeVersion,
)
from api_app.ga4gh.wording import WES
from api_app.paging import MOST, Cursor, page
from orchestration.errors import NotFound
from orchestration.models import Job, Pipeline, User
from orchestration.services import jobs
from orchestration.services.access import find_attempt, find_job
from orchestration.services.runs import Planned, Run, plan, submit_run
from orchestration.services.status import attempts_of
from orchestration.spec.model import PipelineSpec

router = APIRouter(
    prefix=WES,
    tags=["ga4gh wes"],
    redirect_slashes=False,
    responses={"4XX": {"model": WesError}, "5XX": {"model": WesError}},
)
PageSize = Annotated[int, Query(ge=1, le=2**63 - 1)]
PIPELINES_SHOWN: Final = 50
_TEXT: Final = {"type": "string"}
FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["workflow_url", "workflow_type", "workflow_type_version"],
                    "properties": {
                        **dict.fromkeys(RunForm.model_fields, _TEXT),
                        "workflow_url": RunForm.model_json_schema()["properties"]["workflow_url"],
                        ATTACHMENT: {
                            "type": "array",
                            "maxItems": MOST_FILES,
                            "items": {"type": "string", "format": "binary"},
                        },
                    },
                }
            }
        },
    }
}


@router.get("/service-info")
async def show_wes_service(request: Request) -> WesServiceInfo:
    """Counts are of unfinished runs: of the others there may be millions."""
    return await ask(request, _service)


def _service(user: User) -> WesServiceInfo:
    mine = Job.objects.visible_to(user).unfinished().order_by().values_list("state").annotate(n=Count("pk"))
    counts: dict[str, int] = {}
    for state, number in mine:
        counts[OF_JOB[state]] = counts.get(OF_JOB[state], 0) + number
    names = Pipeline.objects.visible_to(user).filter(latest__isnull=False).order_by("name")
    return WesServiceInfo(
        **service_fields("wes", WES_VERSION),
        workflow_type_versions={TYPE: WorkflowTypeVersion(workflow_type_version=[TYPE_VERSION])},
        supported_wes_versions=[WES_VERSION],
        supported_filesystem_protocols=["esteira"],
        workflow_engine_versions={ENGINE: WorkflowEngineVersion(workflow_engine_version=[our_version()])},
        default_workflow_engine_parameters=[
            EngineParameter(name="name", type="string", default_value=""),
            EngineParameter(name="workspace", type="string", default_value=""),
            EngineParameter(name="priority", type="integer", default_value="0"),
        ],
        system_state_counts=counts,
        auth_instructions_url=f"{settings.PUBLIC_URL}/tokens/",
        tags={"pipelines": ", ".join(names.values_list("name", flat=True)[:PIPELINES_SHOWN])},
    )


@router.get("/runs", response_model_exclude_none=True)
async def list_runs(request: Request, page_size: PageSize = 50, page_token: Cursor = None) -> RunListResponse:
    """Newest first. At most 200 on a page, whatever was asked for."""
    return await ask(request, _list, min(page_size, MOST), page_token)


def _list(user: User, limit: int, token: str | None) -> RunListResponse:
    found = page(Job.objects.visible_to(user).defer("params"), limit=limit, cursor=token)
    return RunListResponse(runs=[run_summary(job) for job in found.rows], next_page_token=found.next_cursor or "")


@router.post("/runs", openapi_extra=FORM)
async def begin_run(request: Request) -> RunId:
    """`workflow_url` is `esteira:PIPELINE` or `esteira:PIPELINE@VERSION`.

    `workflow_params` holds the pipeline's parameters and, as `inputs`, the names of attachments and files that are
    here already (`esteira:ID`). Without `inputs` the attachments are the input, in their order.
    """
    async with run_form(request) as (form, attachments):
        run = _run(form)
        planned = await ask(request, _plan, run, list(attachments))
        arrived = {name: await keep(request, name, sent, planned.workspace) for name, sent in attachments.items()}
        return await ask(request, _submit, run, planned, arrived)


def _run(form: RunForm) -> Run:
    extra = form.workflow_engine_parameters
    return Run(
        workflow=form.workflow_url,
        params=form.workflow_params,
        tags=form.tags,
        name=extra.name,
        workspace=extra.workspace,
        priority=extra.priority,
    )


def _plan(user: User, run: Run, attached: list[str]) -> Planned:
    return plan(user=user, run=run, attached=attached)


def _submit(user: User, run: Run, planned: Planned, arrived: dict[str, UUID]) -> RunId:
    return RunId(run_id=str(submit_run(user=user, run=run, planned=planned, arrived=arrived).pk))


@router.get("/runs/{run_id}", response_model_exclude_none=True)
async def show_run(request: Request, run_id: str) -> RunLog:
    """What was asked for, how it went and what came of it."""
    return await ask(request, lambda user: run_log(_found(user, run_id)))


@router.get("/runs/{run_id}/status")
async def show_run_status(request: Request, run_id: str) -> RunStatus:
    """The state alone, for who asks often."""
    return await ask(request, lambda user: RunStatus(run_id=run_id, state=state_of(_found(user, run_id))))


@router.post("/runs/{run_id}/cancel")
async def cancel_run(request: Request, run_id: str) -> RunId:
    """What runs is stopped within 10 seconds. Of a run that has finished: 409."""
    return await ask(request, lambda user: RunId(run_id=str(jobs.cancel(user=user, job=_found(user, run_id)).pk)))


@router.get("/runs/{run_id}/tasks", response_model_exclude_none=True)
async def list_run_tasks(
    request: Request, run_id: str, page_size: PageSize = 50, page_token: Cursor = None
) -> TaskListResponse:
    """Each try of each item of each step, oldest first."""
    return await ask(request, _tasks, run_id, min(page_size, MOST), page_token)


def _tasks(user: User, run_id: str, limit: int, token: str | None) -> TaskListResponse:
    job = _found(user, run_id)
    found = page(attempts_of(job), limit=limit, cursor=token, descending=False)
    spec = PipelineSpec.from_json(job.pipeline_version.spec)
    return TaskListResponse(
        task_logs=[task_log(job, attempt, spec) for attempt in found.rows], next_page_token=found.next_cursor or ""
    )


@router.get("/runs/{run_id}/tasks/{task_id}", response_model_exclude_none=True)
async def show_run_task(request: Request, run_id: str, task_id: str) -> TaskLog:
    """One try of one item of a step."""
    return await ask(request, _task, run_id, task_id)


def _task(user: User, run_id: str, task_id: str) -> TaskLog:
    job = _found(user, run_id)
    attempt = find_attempt(user=user, attempt_id=read_id(task_id))
    if attempt.job_id != job.pk:
        raise NotFound("This run has no such task.")
    return task_log(job, attempt, PipelineSpec.from_json(job.pipeline_version.spec))


def _found(user: User, run_id: str) -> Job:
    return find_job(user=user, job_id=read_id(run_id))
