"""The JSON of `/api/v1`, as docs/design/0001 fixes it."""

from typing import Any, Literal, NotRequired, TypedDict

FINISHED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"})

JobState = Literal[
    "WAITING", "QUEUED", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"
]  # fmt: skip
StepState = Literal["WAITING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"]
AttemptState = Literal["QUEUED", "STARTING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"]
FailureKind = Literal["USER_CODE", "INPUT", "RESOURCES", "INTERRUPTED", "PLATFORM"]


class File(TypedDict):
    id: str
    name: str
    size: int
    sha256: str | None
    media_type: str | None
    kind: Literal["upload", "result", "intermediate"]
    scan_state: str
    created_at: str
    expires_at: str | None
    job: str | None
    step: str | None
    item: int | None


class Step(TypedDict):
    name: str
    title: str
    state: StepState
    items_total: int
    items_succeeded: int
    items_failed: int
    items_running: int
    progress: float | None
    message: str | None
    started_at: str | None
    finished_at: str | None


class Job(TypedDict):
    id: str
    name: str
    workspace: str
    pipeline: str
    pipeline_version: str
    pipeline_title: str
    state: JobState
    canceling: bool
    waiting_reason: str | None
    waiting_detail: str | None
    queue_position: int | None
    failure_kind: FailureKind | None
    failure_detail: str | None
    run: int
    params: dict[str, Any]
    labels: dict[str, str]
    priority: int
    progress: float | None
    created_by: str
    created_at: str
    queued_at: str | None
    started_at: str | None
    finished_at: str | None
    resubmitted_from: str | None
    url: str
    # Left out of list items.
    inputs: NotRequired[list[File]]
    steps: NotRequired[list[Step]]
    results: NotRequired[list[File]]
    result_count: NotRequired[int]


class Attempt(TypedDict):
    id: str
    step: str
    item: int
    source: str | None
    run: int
    number: int
    state: AttemptState
    exit_code: int | None
    failure_kind: FailureKind | None
    detail: str | None
    progress: float | None
    message: str | None
    started_at: str | None
    finished_at: str | None
    log_size: int


class Event(TypedDict):
    id: int
    job: str
    kind: Literal["job", "step", "item", "attempt", "progress"]
    step: str | None
    item: int | None
    attempt: str | None
    old: str | None
    new: str | None
    reason: str | None
    data: dict[str, Any] | None
    at: str


class PipelineStep(TypedDict):
    name: str
    needs: list[str]
    for_each: str | None
    title: str


class Accepts(TypedDict, total=False):
    types: list[str]
    max_size: int | None
    max_files: int | None
    min_files: int


class Pipeline(TypedDict):
    name: str
    version: str
    versions: list[str]
    title: str
    description: str
    accepts: Accepts
    params: dict[str, Any]
    steps: list[PipelineStep]
    digest: str


class Workspace(TypedDict):
    id: str
    slug: str
    name: str
    role: str


class Me(TypedDict):
    user: str
    workspaces: list[Workspace]


class Token(TypedDict):
    id: str
    name: str
    token: str
    scopes: list[str]
    expires_at: str | None


class LogChunk(TypedDict):
    data: bytes
    end: int
    complete: bool
