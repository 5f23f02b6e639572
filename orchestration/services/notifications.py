"""What people do with what they are told: they read it, and say how they want to be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core import signing
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from orchestration.errors import Invalid, NotFound
from orchestration.execution.digest import next_digest
from orchestration.execution.mail import OF_JOBS
from orchestration.execution.mail_form import UNSUBSCRIBE
from orchestration.execution.notifying import wake
from orchestration.models import Job, Notification, NotificationChoice, User
from orchestration.models.bulk import database_now
from orchestration.models.notification import mails_by_default
from orchestration.services import mail as mail_service
from orchestration.states import FOR_MANAGERS, MailOn, MailWhen, NotificationKind, Role

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from orchestration.models import Workspace

HOURS = 24


@dataclass(frozen=True, slots=True)
class Setting:
    """How somebody is told of one kind of thing in one workspace."""

    kind: NotificationKind
    in_app: bool
    mail: MailWhen
    is_chosen: bool
    """False: as most people are, or by what she says about mail for all workspaces."""


def unread_count(*, user: User) -> int:
    return Notification.objects.visible_to(user).unread().count()


@transaction.atomic
def mark(*, user: User, notification_id: UUID, is_read: bool) -> Notification:
    """Whatever comes after it is read is another notification. Raises NotFound."""
    rows = Notification.objects.visible_to(user).filter(pk=notification_id)
    found: Notification | None = rows.select_related("workspace").first()
    if found is None:
        raise NotFound("There is no such notification.")
    if is_read:
        rows.unread().update(read_at=Now(), is_open=False)
    else:
        rows.update(read_at=None)
    wake(user.pk)
    found.refresh_from_db(fields=["read_at"])
    return found


@transaction.atomic
def mark_all_read(*, user: User, workspace: Workspace | None = None) -> tuple[int, datetime]:
    """How many, and the moment by which that can be undone."""
    rows = Notification.objects.visible_to(user).unread()
    if workspace is not None:
        rows = rows.filter(workspace=workspace)
    now = database_now()
    marked = rows.update(read_at=now, is_open=False)
    wake(user.pk)
    return marked, now


@transaction.atomic
def undo_mark_all(*, user: User, at: datetime) -> int:
    back = Notification.objects.visible_to(user).filter(read_at=at).update(read_at=None)
    wake(user.pk)
    return back


def settings_of(*, user: User, workspace: Workspace) -> list[Setting]:
    """Of what she may be told there."""
    chosen = {row.kind: row for row in NotificationChoice.objects.filter(user=user, workspace=workspace)}
    is_manager = workspace.lets(user, Role.MANAGER)
    return [
        Setting(kind, row.in_app, MailWhen(row.mail), is_chosen=True)
        if (row := chosen.get(kind))
        else Setting(kind, in_app=True, mail=mails_by_default(kind, user.mail_on), is_chosen=False)
        for kind in NotificationKind
        if is_manager or kind not in FOR_MANAGERS
    ]


@transaction.atomic
def choose(
    *,
    user: User,
    workspace: Workspace,
    changes: Mapping[str, tuple[bool, str]],
    digest_hour: int | None = None,
) -> list[Setting]:
    """From now on. `changes`: of each kind, whether in the app and when by mail. Raises Invalid."""
    locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    before = {one.kind: one for one in settings_of(user=locked, workspace=workspace)}
    for name, (in_app, mail) in changes.items():
        kind, when = _known(name, mail)
        if kind not in before:
            raise Invalid(f"Only the managers of a workspace are told of {name}.")
        if (before[kind].in_app, before[kind].mail) == (in_app, when):
            continue
        if when == MailWhen.AT_ONCE and kind in OF_JOBS:
            # What was not wanted when it came is not mailed afterwards.
            ended = Job.objects.untold().filter(created_by=user, workspace=workspace, state__in=OF_JOBS[kind])
            ended.update(told_run=F("run"))
        NotificationChoice.objects.update_or_create(
            user=user, workspace=workspace, kind=kind, defaults={"in_app": in_app, "mail": when}
        )
    _set_digest(locked, locked.digest_hour if digest_hour is None else digest_hour)
    user.refresh_from_db(fields=["digest_hour", "digest_next_at"])
    return settings_of(user=user, workspace=workspace)


def _known(kind: str, mail: str) -> tuple[NotificationKind, MailWhen]:
    try:
        return NotificationKind(kind), MailWhen(mail)
    except ValueError as exc:
        raise Invalid(
            f"There is no such choice: {kind}, {mail}. Mail comes {', '.join(MailWhen)}; people are told of "
            f"{', '.join(NotificationKind)}."
        ) from exc


def _set_digest(user: User, hour: int) -> None:
    """The next is due only from when something is to come in it, so that nobody has one of before she chose."""
    if not 0 <= hour < HOURS:
        raise Invalid("The hour of the daily mail is 0 to 23, at your own clock.")
    has_daily = NotificationChoice.objects.filter(user=user, mail=MailWhen.DAILY).exists()
    keep = has_daily and user.digest_next_at is not None and hour == user.digest_hour
    user.digest_hour = hour
    at = user.digest_next_at if keep else next_digest(user, database_now()) if has_daily else None
    User.objects.filter(pk=user.pk).update(digest_hour=hour, digest_next_at=at)


def unsubscriber(*, key: str) -> User:
    """By the link in a mail. Raises NotFound."""
    try:
        user_id = signing.Signer(salt=UNSUBSCRIBE).unsign(key)
    except signing.BadSignature as exc:
        raise NotFound(_NO_LINK) from exc
    found = User.objects.filter(pk=user_id, service_of__isnull=True).first()
    if found is None:
        raise NotFound(_NO_LINK)
    return found


@transaction.atomic
def unsubscribe(*, key: str) -> None:
    """No more mail of news, of any workspace. What is about the account itself still comes. Raises NotFound."""
    user = unsubscriber(key=key)
    mail_service.choose(user=user, mail_on=MailOn.NEVER)
    NotificationChoice.objects.filter(user=user).update(mail=MailWhen.NEVER)
    Notification.objects.to_mail().filter(user=user).update(mail="")


_NO_LINK = "This link is not all of one that was mailed."
