"""What of a person's notifications goes into her next mail: what is to come at once, and once a day the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from orchestration.models import Notification, User, Workspace
from orchestration.models.bulk import database_now
from orchestration.notification_words import say
from orchestration.states import MailWhen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from orchestration.execution.letter import Notice

MOST: Final = 500
"""Of one mail; the rest comes in the next."""


@dataclass(frozen=True, slots=True)
class Digest:
    notices: Sequence[Notification]
    is_daily: bool
    """The day's mail: whether or not there is something in it, the next is a day later."""

    def said(self) -> list[Notice]:
        """Of what has grown since the last mail only the growth is said."""
        return [_said(row) for row in self.notices]


def _said(row: Notification) -> Notice:
    said = say(row.kind, row.count - row.mailed_count, row.data, workspace=row.workspace.slug)
    return (row.workspace.slug, *said)


def to_mail_now() -> Q:
    """Of people: there is something for them to be mailed."""
    waiting = Notification.objects.to_mail().filter(user=OuterRef("pk"))
    daily = Q(Exists(waiting.filter(mail=MailWhen.DAILY)), digest_next_at__lte=Now())
    return Q(Exists(waiting.filter(mail=MailWhen.AT_ONCE))) | daily


def notices_for(user: User) -> Digest:
    """Nothing of a workspace that she has left."""
    is_daily = user.digest_next_at is not None and user.digest_next_at <= database_now()
    mail = [MailWhen.AT_ONCE, MailWhen.DAILY] if is_daily else [MailWhen.AT_ONCE]
    rows = Notification.objects.to_mail().filter(user=user, mail__in=mail)
    rows = rows.filter(workspace__in=Workspace.objects.visible_to(user)).select_related("workspace")
    return Digest(list(rows.order_by("workspace__slug", "created_at")[:MOST]), is_daily)


def record_mailed(user: User, digest: Digest) -> None:
    """What has joined meanwhile is still to be mailed. What was only to be mailed is done with."""
    for row in digest.notices:
        rows = Notification.objects.filter(pk=row.pk)
        rows.update(mailed_count=row.count)
        rows.filter(is_shown=False, count=F("mailed_count")).update(is_open=False)
    if digest.is_daily:
        User.objects.filter(pk=user.pk).update(digest_next_at=next_digest(user, database_now()))


def next_digest(user: User, now: datetime) -> datetime:
    """At her hour by her own clock: a day later may be 23 or 25 hours later."""
    local = now.astimezone(user.clock or UTC)
    today = local.replace(hour=user.digest_hour, minute=0, second=0, microsecond=0, fold=0)
    return next(at for days in range(3) if (at := (today + timedelta(days=days)).astimezone(UTC)) > now)
