"""The JSON of /api/v1, in and out (docs/design/0001, section 5). Inputs refuse fields they do not know."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from orchestration.search import MOST_LETTERS
from orchestration.states import (
    AttemptState,
    BulkAction,
    BulkOutcome,
    EventKind,
    FileKind,
    JobState,
    ScanState,
    WaitingReason,
    WorkState,
)

MAX_INPUTS = 10_000
MAX_LABELS = 32

# Neither NUL nor any other control character: PostgreSQL stores no NUL, and a terminal obeys the rest.
PLAIN = r"^[^\x00-\x08\x0b-\x1f\x7f]*$"
Name = Annotated[str, Field(max_length=200, pattern=PLAIN)]
Reason = Annotated[str, Field(max_length=500, pattern=PLAIN)]
Slug = Annotated[str, Field(max_length=63, pattern=r"^[-a-zA-Z0-9_]*$")]
PipelineRef = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[-a-zA-Z0-9_.@+]+$")]
Label = Annotated[str, Field(max_length=100, pattern=PLAIN)]
Labels = Annotated[dict[Label, Label], Field(max_length=MAX_LABELS)]
Inputs = Annotated[list[UUID], Field(max_length=MAX_INPUTS)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Listing[T](BaseModel):
    items: list[T]
    next_cursor: str | None = None


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None


class WorkspaceOut(BaseModel):
    id: UUID
    slug: str
    name: str
    role: str


class MeOut(BaseModel):
    user: str
    workspaces: list[WorkspaceOut]


class TokenIn(In):
    name: Name
    scopes: list[Literal["read", "upload", "run", "admin"]] | None = None
    expires_in_days: Annotated[int, Field(ge=1, le=366)] = 90


class TokenOut(BaseModel):
    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


class NewTokenOut(BaseModel):
    id: UUID
    name: str
    token: str
    scopes: list[str]
    expires_at: datetime


class FileOut(BaseModel):
    id: UUID
    name: str
    path: str
    size: int
    sha256: str
    crc64nvme: str
    media_type: str
    kind: FileKind
    scan_state: ScanState
    created_at: datetime
    expires_at: datetime
    hold: bool
    deleted_at: datetime | None
    undelete_until: datetime | None
    job: UUID | None
    step: str | None
    item: int | None


class SelectionIn(In):
    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAX_INPUTS)]


class AcceptsOut(BaseModel):
    types: list[str]
    max_size: int | None
    max_files: int
    min_files: int


class PipelineStepOut(BaseModel):
    name: str
    needs: list[str]
    for_each: str | None
    title: str


class PipelineOut(BaseModel):
    name: str
    version: str
    versions: list[str]
    title: str
    description: str
    accepts: AcceptsOut
    params: dict[str, Any]
    steps: list[PipelineStepOut]
    digest: str


class JobIn(In):
    pipeline: PipelineRef
    inputs: Inputs = []
    params: dict[str, Any] | None = None
    name: Name = ""
    labels: Labels | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0
    workspace: Slug = ""
    validate_only: bool = False
    """Make no job; say what would become of it."""


class ResubmitIn(In):
    """What is left out stays as it was."""

    pipeline: PipelineRef | None = None
    inputs: Inputs | None = None
    params: dict[str, Any] | None = None


class JobEditIn(In):
    """What is left out stays as it is; `labels` are all of them."""

    name: Name | None = None
    labels: Labels | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] | None = None


class RerunIn(In):
    """Without a step and items: every failed item of every fan-out."""

    step: Slug | None = None
    items: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=MAX_INPUTS)] | None = None


class StepOut(BaseModel):
    name: str
    title: str
    state: WorkState
    items_total: int
    items_succeeded: int
    items_failed: int
    items_running: int
    progress: float
    message: str | None
    started_at: datetime | None
    finished_at: datetime | None


class CostOut(BaseModel):
    """In USD, exact, as text. What has no price is null, never 0; it is counted in `unpriced_attempts`."""

    estimate_usd: str | None
    """Of all runs of the job together, when it was last set going."""
    estimate_basis: str | None
    """`measured`: by how long its steps took of late; `timeouts`: by their time-outs; `mixed`: some of each."""
    actual_usd: str | None
    """Of the attempts that have ended."""
    unpriced_attempts: int
    keeping_usd: str | None
    """Of its files, from the day they were made until they expire."""
    prices: str
    """The table of prices and its date."""


class PlannedStepOut(BaseModel):
    name: str
    items: int


class WaitOut(BaseModel):
    reason: WaitingReason
    detail: str


class JobCheckOut(BaseModel):
    """What would become of a job."""

    pipeline: str
    pipeline_version: str
    workspace: str
    params: dict[str, Any]
    """With the defaults of what was left out."""
    steps: list[PlannedStepOut]
    estimate_usd: str | None
    """None: nothing has a price on this server."""
    estimate_basis: str | None
    active_jobs: int
    max_active_jobs: int
    waits: list[WaitOut]
    """Why it would not start at once; empty: it would."""


class JobBrief(BaseModel):
    """A job in a list."""

    id: UUID
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
    failure_kind: str | None
    failure_detail: str | None
    run: int
    params: dict[str, Any]
    labels: dict[str, str]
    priority: int
    progress: float
    created_by: str
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    resubmitted_from: UUID | None
    url: str


class JobOut(JobBrief):
    inputs: list[FileOut]
    """The first 200 of `input_count`."""
    input_count: int
    steps: list[StepOut]
    results: list[FileOut]
    """The first 200 of `result_count`, those of the last step first; all of them are at `/jobs/{id}/results`."""
    result_count: int
    cost: CostOut | None
    """None: nothing has a price on this server."""


class BulkChoiceIn(In):
    """Jobs by a filter (docs/filters.md) or by their ids, of one workspace where it is named."""

    action: BulkAction
    q: Annotated[str, Field(max_length=MOST_LETTERS, pattern=PLAIN, examples=["state:failed label:batch=7"])] = ""
    ids: Inputs = []
    workspace: Slug = ""


class BulkIn(BulkChoiceIn):
    expected: Annotated[int, Field(ge=0)] | None = None
    """How many jobs the preview counted; with a filter it must be said."""


class BulkPreviewOut(BaseModel):
    total: int
    others: dict[JobState, int]
    """Jobs that were chosen and that the action can do nothing with, by state."""
    sample: list[JobBrief]


class BulkOut(BaseModel):
    id: UUID
    action: BulkAction
    q: str
    total: int
    done: int
    refused: int
    skipped: int
    created_at: datetime
    canceled_at: datetime | None
    finished_at: datetime | None


class BulkItemOut(BaseModel):
    job: UUID
    outcome: BulkOutcome | None
    """None: its turn has not come."""
    code: str | None
    detail: str | None
    made: UUID | None
    """The new job of a resubmit."""


class AttemptOut(BaseModel):
    id: UUID
    step: str
    item: int
    source: str | None
    run: int
    number: int
    state: AttemptState
    exit_code: int | None
    failure_kind: str | None
    detail: str | None
    progress: float
    message: str | None
    started_at: datetime | None
    finished_at: datetime | None
    log_size: int
    on_spot: bool | None
    """On a machine that may be taken away; None: nobody says."""
    cost_usd: str | None
    """None: it has not ended, or has no price."""


class EventOut(BaseModel):
    id: int
    job: UUID
    kind: EventKind
    step: str | None
    item: int | None
    attempt: UUID | None
    old: str | None
    new: str | None
    reason: str | None
    data: dict[str, Any]
    at: datetime
