"""The JSON of /api/v1, in and out (docs/design/0001, section 5). Inputs refuse fields they do not know."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api_app.json_types import AS_NUMBER
from orchestration.states import EventKind, FileKind, ScanState

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
Priority = Annotated[int, Field(ge=-100, le=100), AS_NUMBER]
DeadlineSeconds = Annotated[int, Field(ge=1, le=366 * 86_400), AS_NUMBER]
Inputs = Annotated[list[UUID], Field(max_length=MAX_INPUTS)]


class In(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


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


class LiveTicketOut(BaseModel):
    ticket: str
    """Put it into the address of a WebSocket: `?ticket=`. It opens one."""
    expires_in: int
    """In seconds, unless it is used before."""
