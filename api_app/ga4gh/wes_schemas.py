"""WES 1.1: the form of a run, and the JSON of the answers, where optional fields that do not apply are left out."""

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from api_app.ga4gh.service import Service
from api_app.ga4gh.states import State
from api_app.schemas import Labels, Name, Slug

TYPE: Final = "ESTEIRA"
TYPE_VERSION: Final = "1.0"
ENGINE: Final = "esteira"


class EngineParameters(BaseModel):
    """All of them texts, as the standard wants it."""

    model_config = ConfigDict(extra="forbid")
    name: Name = ""
    workspace: Slug = ""
    priority: Annotated[int, Field(ge=-100, le=100)] = 0


class RunForm(BaseModel):
    workflow_url: str = Field(min_length=1, max_length=400, pattern=r"^[\x21-\x7e]+$")
    workflow_type: str
    workflow_type_version: str
    workflow_engine: str = ENGINE
    workflow_engine_version: str = ""
    workflow_params: dict[str, Any] = {}
    workflow_engine_parameters: EngineParameters = EngineParameters()
    tags: Labels = {}


class WesError(BaseModel):
    msg: str
    status_code: int


class WorkflowTypeVersion(BaseModel):
    workflow_type_version: list[str]


class WorkflowEngineVersion(BaseModel):
    workflow_engine_version: list[str]


class EngineParameter(BaseModel):
    name: str
    type: str
    default_value: str


class WesServiceInfo(Service):
    workflow_type_versions: dict[str, WorkflowTypeVersion]
    supported_wes_versions: list[str]
    supported_filesystem_protocols: list[str]
    workflow_engine_versions: dict[str, WorkflowEngineVersion]
    default_workflow_engine_parameters: list[EngineParameter]
    system_state_counts: dict[str, int]
    auth_instructions_url: str
    tags: dict[str, str]


class RunId(BaseModel):
    run_id: str


class RunStatus(BaseModel):
    run_id: str
    state: State


class RunSummary(RunStatus):
    start_time: str | None = None
    end_time: str | None = None
    tags: dict[str, str]


class RunListResponse(BaseModel):
    runs: list[RunSummary]
    next_page_token: str


class RunRequest(BaseModel):
    workflow_params: dict[str, Any]
    workflow_type: str
    workflow_type_version: str
    tags: dict[str, str]
    workflow_engine_parameters: dict[str, str]
    workflow_engine: str
    workflow_engine_version: str
    workflow_url: str


class Log(BaseModel):
    name: str
    cmd: list[str] | None = None
    start_time: str | None = None
    end_time: str | None = None
    stdout: str | None = None
    exit_code: int | None = None
    system_logs: list[str] | None = None


class TaskLog(Log):
    id: str
    tes_uri: str | None = None


class RunLog(BaseModel):
    run_id: str
    request: RunRequest
    state: State
    run_log: Log
    task_logs_url: str
    outputs: dict[str, Any]


class TaskListResponse(BaseModel):
    task_logs: list[TaskLog]
    next_page_token: str
