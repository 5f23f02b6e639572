"""The JSON of members, invitations and notifications."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from api_app.json_types import AS_NUMBER, Flag
from api_app.schemas import PLAIN, In, Slug
from orchestration.states import MailWhen, NotificationKind

AnyRole = Literal["viewer", "submitter", "manager"]


class MemberOut(BaseModel):
    id: UUID
    user: str
    email: str
    role: AnyRole
    enabled: bool
    """False: an administrator has switched the account off."""
    has_second_factor: bool | None
    """Null: this person has no password here and signs in elsewhere, or could."""


class MemberPatch(In):
    role: AnyRole


class InvitationIn(In):
    email: Annotated[str, Field(min_length=3, max_length=254, pattern=PLAIN)]
    role: AnyRole = "submitter"


class InvitationOut(BaseModel):
    id: UUID
    workspace: str
    email: str
    role: AnyRole
    invited_by: str | None
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    link: str | None
    """To hand over, said this once; null where it is mailed."""


class NotificationOut(BaseModel):
    id: UUID
    kind: NotificationKind
    workspace: str
    count: int
    """How many alike have joined it."""
    title: str
    detail: str
    url: str
    """Of the page that shows more."""
    data: dict[str, Any]
    """Of the last of them."""
    read_at: datetime | None
    created_at: datetime
    changed_at: datetime


class NotificationPatch(In):
    read: Flag


class ReadNotificationsIn(In):
    workspace: Slug = ""
    """Left out: of all workspaces."""


class ReadNotificationsOut(BaseModel):
    marked: int


class NotificationChoiceIn(In):
    kind: NotificationKind
    in_app: Flag
    mail: MailWhen


class NotificationChoiceOut(BaseModel):
    kind: NotificationKind
    in_app: bool
    mail: MailWhen
    is_chosen: bool
    """False: as it is for most people, or by what you say about mail for all workspaces."""


class NotificationSettingsPatch(In):
    choices: Annotated[list[NotificationChoiceIn], Field(max_length=len(NotificationKind))] = []
    digest_hour: Annotated[int, Field(ge=0, le=23), AS_NUMBER] | None = None


class NotificationSettingsOut(BaseModel):
    workspace: str
    choices: list[NotificationChoiceOut]
    digest_hour: int
    """Of the daily mail, at the clock of your time zone (UTC where you chose none); for all workspaces."""
