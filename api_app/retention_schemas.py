"""The JSON of how long files are kept, in and out."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.json_types import AS_DAY, AS_NUMBER
from api_app.schemas import In, Reason
from orchestration.states import FileEventKind, FileKind


class ExtendIn(In):
    """Either `days` from the present date on, or `until` the end of a day in UTC."""

    days: Annotated[int, Field(ge=1, le=36_600), AS_NUMBER] | None = None
    until: Annotated[date, Field(lt=date(9_000, 1, 1)), AS_DAY] | None = None


class HoldIn(In):
    reason: Annotated[Reason, Field(min_length=1)]


class ReleaseIn(In):
    reason: Reason = ""


class FileEventOut(BaseModel):
    at: datetime
    kind: FileEventKind
    by: str | None
    old: str | None
    new: str | None
    reason: str | None
    data: dict[str, Any]


class ReceiptOut(BaseModel):
    """What the records of this server say of a deletion at `issued_at`. It is not signed."""

    file: UUID
    workspace: str
    name: str
    path: str
    kind: FileKind
    media_type: str
    size: int
    sha256: str
    crc64nvme: str
    created_at: datetime
    created_by: str | None
    expires_at: datetime
    deleted_at: datetime
    deleted_by: str | None
    """None: a rule did it, and `rule` says which."""
    rule: str | None
    undelete_until: datetime | None
    """None once it is too late."""
    bytes: str
    """`kept`, `being destroyed`, `destroyed`, or `shared`: another file of the same content has them still."""
    released_at: datetime | None
    bytes_destroyed_at: datetime | None
    events: list[FileEventOut]
    signed: bool
    issued_at: datetime


class AmountOut(BaseModel):
    files: int
    bytes: int


class BudgetOut(BaseModel):
    """Of the month, in USD as exact text. `expected` is of jobs that have not ended, by their estimates."""

    month: str
    budget_usd: str
    spent_usd: str
    expected_usd: str
    left_usd: str
    warn_percent: int
    mode: str
    """`warn` or `block`: what becomes of new jobs once it is used up."""


class UsageOut(BaseModel):
    """`used_bytes`, which the quota is about, are `stored_bytes` and what uploads under way have reserved."""

    workspace: str
    classes: dict[str, AmountOut]
    total: AmountOut
    stored_bytes: int
    saved_bytes: int
    """Less than the files' own sizes together, because equal content is stored once."""
    reserved_bytes: int
    used_bytes: int
    quota_bytes: int | None
    expiring: AmountOut
    """Within 30 days."""
    held: AmountOut
    budget: BudgetOut | None
