"""The JSON of operations on many jobs."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.job_schemas import JobBrief
from api_app.json_types import AS_NUMBER
from api_app.schemas import MAX_LABELS, PLAIN, In, Inputs, Label, Labels, Priority, Slug
from orchestration.search import MOST_LETTERS
from orchestration.states import BulkAction, BulkOutcome, JobState


class BulkChoiceIn(In):
    """Jobs by a filter (docs/filters.md) or by their ids, of one workspace where it is named."""

    action: BulkAction
    q: Annotated[str, Field(max_length=MOST_LETTERS, pattern=PLAIN, examples=["state:failed label:batch=7"])] = ""
    ids: Inputs = []
    workspace: Slug = ""


class BulkIn(BulkChoiceIn):
    expected: Annotated[int, Field(ge=0), AS_NUMBER] | None = None
    """How many jobs the preview counted; with a filter it must be said."""
    set_labels: Labels = {}
    """Of the action `label`; labels that are not named stay."""
    remove_labels: Annotated[list[Label], Field(max_length=MAX_LABELS)] = []
    priority: Priority | None = None
    """Of the action `priority`."""


class BulkPreviewOut(BaseModel):
    total: int
    others: dict[JobState, int]
    """Jobs that were chosen and that the action can do nothing with, by state."""
    sample: list[JobBrief]


class BulkOut(BaseModel):
    id: UUID
    action: BulkAction
    q: str
    set_labels: dict[str, str]
    remove_labels: list[str]
    priority: int | None
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
