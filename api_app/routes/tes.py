"""GA4GH's Task Execution Service 1.1: a task is a job of an internal pipeline (docs/design/0009-ga4gh.md)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.requests import Request

from api_app.auth import ask, ask_at_length
from api_app.ga4gh.ids import read_id
from api_app.ga4gh.service import TES_VERSION, service_fields
from api_app.ga4gh.states import State, jobs_in
from api_app.ga4gh.tes_answers import tasks_out
from api_app.ga4gh.tes_schemas import TesCanceled, TesId, TesServiceInfo, TesTask, TesTaskIn, TesTasks, View
from api_app.ga4gh.wording import TES
from api_app.paging import MOST, Cursor, page
from orchestration.errors import Invalid
from orchestration.models import User
from orchestration.services import jobs
from orchestration.services.references import SCHEME
from orchestration.services.tasks.create import create_task as create
from orchestration.services.tasks.look import find_task, tasks_of

router = APIRouter(prefix=TES, tags=["ga4gh tes"], redirect_slashes=False)
MOST_ASKED: Final = 2_047
# A task may have a megabyte, and its contents eight.
MOST_SHOWN: Final = {View.MINIMAL: MOST, View.BASIC: 50, View.FULL: 10}
PageSize = Annotated[int, Query(ge=1, le=MOST_ASKED)]
Tags = Annotated[list[str] | None, Query(max_length=32)]


@router.get("/service-info")
async def show_tes_service(request: Request) -> TesServiceInfo:
    """What this door is and takes."""
    return await ask(request, _service)


def _service(_user: User) -> TesServiceInfo:
    return TesServiceInfo(**service_fields("tes", TES_VERSION), storage=[SCHEME], tesResources_backend_parameters=[])


@router.post("/tasks")
async def create_task(request: Request, body: TesTaskIn) -> TesId:
    """Off unless an administrator has allowed images. The token needs the scope `run`.

    An input is a text (`content`) or a file that is here (`url`: `esteira:ID`). An output's `url` is `esteira:` and
    anything; where a result can be fetched stands in the task's log.
    """
    return await ask_at_length(request, _create, body)


def _create(user: User, body: TesTaskIn) -> TesId:
    task: dict[str, Any] = body.model_dump(mode="json", exclude_none=True)
    resources: dict[str, Any] = task.get("resources", {})
    unknown = resources.pop("backend_parameters", {})
    if resources.pop("backend_parameters_strict", False) and unknown:
        raise Invalid(f"There are no backend_parameters here; you gave {', '.join(sorted(unknown))[:200]}.")
    return TesId(id=str(create(user=user, task=task).pk))


@router.get("/tasks", response_model_exclude_none=True)
async def list_tasks(
    request: Request,
    name_prefix: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
    tag_key: Tags = None,
    tag_value: Tags = None,
    page_size: PageSize = 256,
    page_token: Cursor = None,
    view: View = View.MINIMAL,
) -> TesTasks:
    """Newest first. At most 200 on a page, of BASIC 50 and of FULL 10, whatever was asked for."""
    wanted: dict[str, Any] = {"name__startswith": name_prefix} if name_prefix else {}
    tags = _tags(tag_key or [], tag_value or [])
    if exact := {key: value for key, value in tags.items() if value}:
        wanted["labels__contains"] = exact
    if tags:
        wanted["labels__has_keys"] = list(tags)
    return await ask(request, _list, wanted, state, min(page_size, MOST_SHOWN[view]), page_token, view)


def _list(user: User, wanted: dict[str, Any], state: str, limit: int, token: str | None, view: View) -> TesTasks:
    rows = tasks_of(user).filter(**wanted)
    if state:
        rows = rows.filter(jobs_in(State(state))) if state in State else rows.none()
    found = page(rows, limit=limit, cursor=token)
    return TesTasks(tasks=tasks_out(found.rows, view), next_page_token=found.next_cursor)


def _tags(keys: list[str], values: list[str]) -> dict[str, str]:
    """The standard zips them; a value that is left out or empty fits all."""
    return dict(zip(keys, values + [""] * len(keys), strict=False))


@router.get("/tasks/{task_id}", response_model_exclude_none=True)
async def show_task(request: Request, task_id: str, view: View = View.MINIMAL) -> TesTask:
    """MINIMAL: id and state. BASIC: all but logs of executors and contents. FULL: these too."""
    return await ask(request, lambda user: tasks_out([find_task(user=user, task_id=read_id(task_id))], view)[0])


@router.post("/tasks/{task_id}:cancel")
async def cancel_task(request: Request, task_id: str) -> TesCanceled:
    """What runs is stopped within 10 seconds. Of a task that has finished: 409."""
    await ask(request, lambda user: jobs.cancel(user=user, job=find_task(user=user, task_id=read_id(task_id))))
    return TesCanceled()
