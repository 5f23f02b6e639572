"""The JSON of share links."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.json_types import AS_NUMBER, Flag
from api_app.schemas import In, Inputs, Name


class ShareIn(In):
    days: Annotated[int, Field(ge=1, le=3_660), AS_NUMBER]
    files: Inputs = []
    """Without them: all results that the job has now."""
    name: Name = ""
    password: Annotated[str, Field(max_length=128)] = ""
    max_downloads: Annotated[int, Field(ge=1, le=1_000_000), AS_NUMBER] | None = None
    with_manifest: Flag = False
    """Its ZIP has the signed manifest too, which names inputs, parameters, attempts and cost."""


class ShareOut(BaseModel):
    id: UUID
    job: UUID
    name: str
    has_password: bool
    with_manifest: bool
    max_downloads: int | None
    downloads: int
    created_by: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None


class NewShareOut(ShareOut):
    url: str
    """Said this once: whoever has it sees the files."""
