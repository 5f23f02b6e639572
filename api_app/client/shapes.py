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
    path: str
    size: int
    crc64nvme: str | None
    sha256: str | None
    media_type: str | None
    kind: Literal["upload", "result", "intermediate"]
    scan_state: str
    created_at: str
    expires_at: str | None
    job: str | None
    step: str | None
    item: int | None


class SignedPart(TypedDict):
    number: int
    method: str
    url: str
    headers: dict[str, str]
    expires_at: str


class UploadFailure(TypedDict):
    code: str
    detail: str


UploadState = Literal["open", "completing", "complete", "aborted", "expired", "failed"]


class Upload(TypedDict):
    id: str
    state: UploadState
    workspace: str
    name: str
    path: str
    size: int | None
    fingerprint: str
    mode: Literal["single", "parts"]
    transport: Literal["app", "direct"]
    part_size: int
    part_count: int | None
    # Unknown in a list, where object storage is not asked for each.
    received: str | None
    received_bytes: int | None
    max_parallel: int
    created_at: str
    expires_at: str | None
    put: SignedPart | None
    failure: UploadFailure | None
    file: File | None


class UploadConfig(TypedDict):
    checksums: list[str]
    max_size: int
    max_parts: int
    max_parallel: int
    batch_max: int
    sign_max: int
    bundle_max: NotRequired[int]


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


class Cost(TypedDict):
    """In USD, as text; null where nothing has a price."""

    estimate_usd: str | None
    estimate_basis: str | None
    actual_usd: str | None
    unpriced_attempts: int
    keeping_usd: str | None
    prices: str


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
    deadline: NotRequired[str | None]
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
    cost: NotRequired[Cost | None]


class BulkPreview(TypedDict):
    total: int
    others: dict[str, int]
    sample: list[Job]


class Bulk(TypedDict):
    id: str
    action: Literal["cancel", "retry", "resubmit", "rerun", "label", "priority"]
    q: str
    total: int
    done: int
    refused: int
    skipped: int
    created_at: str
    canceled_at: str | None
    finished_at: str | None


class BulkItem(TypedDict):
    job: str
    outcome: Literal["done", "refused", "skipped"] | None
    code: str | None
    detail: str | None
    made: str | None


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
    on_spot: NotRequired[bool | None]
    cost_usd: NotRequired[str | None]


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


class TokenRow(TypedDict):
    """A token as it is listed: without its secret."""

    id: str
    name: str
    start: str
    scopes: list[str]
    workspace: str | None
    created_at: str
    expires_at: str
    last_used_at: str | None
    last_used_ip: str | None
    replaced_by: str | None


class LogChunk(TypedDict):
    data: bytes
    end: int
    complete: bool
