"""The JSON of tokens and service accounts."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.json_types import AS_NUMBER, Flag
from api_app.schemas import In, Name, Slug
from orchestration.services.service_accounts import NAME

Scopes = list[Literal["read", "upload", "run", "admin"]]
Days = Annotated[int, Field(ge=1, le=366), AS_NUMBER]


class AccountTokenIn(In):
    name: Name
    scopes: Scopes | None = None
    expires_in_days: Days = 90


class TokenIn(AccountTokenIn):
    workspace: Slug = ""
    """The one workspace it is for; left out: wherever you may act."""


class RotateTokenIn(In):
    overlap_hours: Annotated[int, Field(ge=0, le=168), AS_NUMBER] = 24
    """How long the old one works beside the new one."""


class LeakedTokenIn(In):
    token: Annotated[str, Field(max_length=200)]


class TokenOut(BaseModel):
    id: UUID
    name: str
    start: str
    """So much of the token itself may be shown."""
    scopes: list[str]
    workspace: str | None
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    last_used_ip: str | None
    replaced_by: UUID | None


class NewTokenOut(BaseModel):
    id: UUID
    name: str
    token: str
    scopes: list[str]
    workspace: str | None
    expires_at: datetime


class ServiceAccountIn(In):
    name: Annotated[str, Field(max_length=40, json_schema_extra={"pattern": f"^{NAME.pattern}$"})]
    workspace: Slug = ""
    role: Literal["viewer", "submitter", "manager"] = "submitter"


class ServiceAccountPatch(In):
    role: Literal["viewer", "submitter", "manager"] | None = None
    enabled: Flag | None = None


class ServiceAccountOut(BaseModel):
    id: UUID
    user: str
    """What its jobs and files show as their maker."""
    workspace: str
    role: str | None
    enabled: bool
    created_at: datetime
