"""The JSON of jobs, in and out."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.json_types import AS_NUMBER, Flag, Moment
from api_app.schemas import (
    MAX_INPUTS,
    DeadlineSeconds,
    FileOut,
    In,
    Inputs,
    Labels,
    Name,
    PipelineRef,
    Priority,
    Slug,
)
from orchestration.states import AttemptState, JobState, WaitingReason, WorkState


class JobWanted(In):
    pipeline: PipelineRef
    inputs: Inputs = []
    params: dict[str, Any] | None = None
    name: Name = ""
    labels: Labels | None = None
    priority: Priority = 0
    deadline: Moment | None = None
    """Not ended by then, it is stopped and has the state TIMED_OUT."""
    deadline_s: DeadlineSeconds | None = None
    """The same, in seconds from now."""
    workspace: Slug = ""


class JobIn(JobWanted):
    validate_only: Flag = False
    """Make no job; say what would become of it."""


class JobBatchIn(In):
    """Up to 1,000 jobs, each in its `workspace` or in that of all."""

    jobs: Annotated[list[JobWanted], Field(min_length=1, max_length=1_000)]
    workspace: Slug = ""
    atomic: Flag = False
    """All of them or none: if one is refused the answer is 422 `not_all_taken`, with each one's place in `errors`."""


class ResubmitIn(In):
    """What is left out stays as it was."""

    pipeline: PipelineRef | None = None
    inputs: Inputs | None = None
    params: dict[str, Any] | None = None


class JobEditIn(In):
    """What is left out stays as it is; `labels` are all of them; a `deadline` of null is none."""

    name: Name | None = None
    labels: Labels | None = None
    priority: Priority | None = None
    deadline: Moment | None = None
    deadline_s: DeadlineSeconds | None = None


class RerunIn(In):
    """Without a step and items: every failed item of every fan-out."""

    step: Slug | None = None
    items: Annotated[list[Annotated[int, Field(ge=0, lt=2**31), AS_NUMBER]], Field(max_length=MAX_INPUTS)] | None = None


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
    deadline: datetime | None
    progress: float
    created_by: str
    created_at: datetime
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    resubmitted_from: UUID | None
    url: str


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


class JobResult(BaseModel):
    """What came of the submission at `index`: a job, or the problem that it alone would have been answered with."""

    index: int
    job: JobBrief | None = None
    created: bool = False
    """False of a job that the same call had made before."""
    problem: dict[str, Any] | None = None


class JobResults(BaseModel):
    results: list[JobResult]


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
    version: str
    """Another one after each change; for `wait`."""


class JobListed(JobBrief):
    """What is not asked for by `expand` is left out; with `fields`, all that is not named."""

    steps: list[StepOut] = []
    attempts: list[AttemptOut] = []
    inputs: list[FileOut] = []
    results: list[FileOut] = []


class JobShown(JobOut):
    """With `fields`, what is not named is left out."""

    attempts: list[AttemptOut] = []
    """The newest 200, with `expand=attempts`."""
