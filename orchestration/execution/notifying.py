"""Tells people: writes down of what, for each as she chose. In the transaction in which it happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction

from orchestration.follow import PEOPLE
from orchestration.ids import new_id
from orchestration.models import Membership, Notification, NotificationChoice, User
from orchestration.models.notification import mails_by_default
from orchestration.states import MailWhen, NotificationKind, Role

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

MAILED_ELSEWHERE: Final = frozenset(
    {
        NotificationKind.JOB_FAILED,
        NotificationKind.JOB_ENDED,
        NotificationKind.FILES_GOING,
        NotificationKind.BUDGET,
        NotificationKind.WEBHOOK_OFF,
    }
)
"""Their mail at once is written from the jobs, files, budgets and webhooks themselves; only the daily one from here."""
_JOIN: Final = """
INSERT INTO orchestration_notification AS told
  (id, user_id, workspace_id, kind, "group", count, data, is_shown, mail, mailed_count, is_open)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 0, true)
ON CONFLICT (user_id, workspace_id, kind, "group") WHERE is_open
DO UPDATE SET count = told.count + excluded.count, data = excluded.data, changed_at = statement_timestamp(),
  is_shown = excluded.is_shown, mail = excluded.mail"""


@transaction.atomic(savepoint=False)
def tell(
    *,
    kind: NotificationKind,
    workspace_id: UUID,
    people: Iterable[UUID],
    group: str,
    data: dict[str, Any],
    count: int = 1,
    is_quiet: bool = False,
) -> int:
    """The number of people who were told. What is like an unread one (`group`) joins it; a quiet one is only mailed."""
    told = 0
    # In one order: two who tell the same people would else wait for each other for ever.
    for user in sorted(_reachable(people), key=lambda one: one.pk):
        chosen = NotificationChoice.objects.filter(user=user, workspace=workspace_id, kind=kind).first()
        wanted = MailWhen(chosen.mail) if chosen else mails_by_default(kind, user.mail_on)
        is_shown = (chosen is None or chosen.in_app) and not is_quiet
        is_elsewhere = wanted == MailWhen.AT_ONCE and kind in MAILED_ELSEWHERE
        mail = "" if wanted == MailWhen.NEVER or is_elsewhere else wanted
        if is_shown or mail:
            row = (new_id(), user.pk, workspace_id, kind, group[:200], count, json.dumps(data), is_shown, mail)
            with connection.cursor() as cursor:
                cursor.execute(_JOIN, row)
            if is_shown:
                wake(user.pk)
            told += 1
    return told


def tell_once(*, kind: NotificationKind, workspace_id: UUID, people: Iterable[UUID], group: str, **more: Any) -> int:
    """Of what goes on for long: nobody is told twice of the same `group`, read or not."""
    knowing = Notification.objects.filter(kind=kind, workspace=workspace_id, group=group).values_list("user", flat=True)
    new = set(people) - set(knowing)
    return tell(kind=kind, workspace_id=workspace_id, people=new, group=group, **more) if new else 0


def wake(user_id: UUID) -> None:
    """Her pages look again, after the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [PEOPLE, str(user_id)])


def managers_in(workspace_id: UUID) -> set[UUID]:
    rows = Membership.objects.filter(workspace=workspace_id, role=Role.MANAGER)
    return set(rows.values_list("user", flat=True))


def _reachable(people: Iterable[UUID]) -> list[User]:
    """Programs read no notifications."""
    return list(User.objects.filter(pk__in=set(people), is_active=True, service_of__isnull=True))
