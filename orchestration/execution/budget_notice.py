"""The managers of a workspace are told when a part of its month's budget is used up, and when all of it is.

The mail is sent, then recorded: whoever is killed between the two has it sent once more.
"""

from __future__ import annotations

import logging
import smtplib
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.mail import mailers

from orchestration.cost.wording import dollars
from orchestration.execution.isolation import alone, one_at_a_time
from orchestration.execution.letter import one_line
from orchestration.execution.mail_form import message
from orchestration.execution.notifying import managers_in, tell_once
from orchestration.models import BudgetNotice, User, Workspace
from orchestration.models.budget import standing_of
from orchestration.models.notification import mailed_at_once
from orchestration.states import NotificationKind, Role

if TYPE_CHECKING:
    from orchestration.models.budget import Standing

log = logging.getLogger(__name__)

ALL: Final = 100
NAME_LENGTH: Final = 100


def tell_managers() -> int:
    """Of every workspace whose budget has reached a mark since they were last told; the number of notices."""
    told = 0
    for workspace in Workspace.objects.filter(budget_usd__isnull=False).order_by("pk"):
        with one_at_a_time(workspace.pk), alone(f"budget/{workspace.pk}") as mine:
            told += mine and _tell(workspace)
    return told


def _tell(workspace: Workspace) -> bool:
    standing = standing_of(workspace)
    if standing is None or (mark := _reached(standing)) is None:
        return False
    _tell_in_app(workspace, standing, mark)
    of_this = {"workspace": workspace, "month": standing.month, "budget_usd": standing.budget}
    to = managers_of(workspace, NotificationKind.BUDGET) if settings.MAILERS else []
    if BudgetNotice.objects.filter(**of_this, percent__gte=mark).exists() or not to:
        return False
    if not _send(workspace, standing, to):
        return False
    BudgetNotice.objects.create(**of_this, percent=mark)
    return True


def _tell_in_app(workspace: Workspace, standing: Standing, mark: int) -> None:
    percent = ALL if standing.is_used_up else int(standing.share * 100)
    tell_once(
        kind=NotificationKind.BUDGET,
        workspace_id=workspace.pk,
        people=managers_in(workspace.pk),
        group=f"{standing.month:%Y-%m}/{standing.budget}/{mark}",
        data={"percent": percent, "used": dollars(standing.used), "budget": dollars(standing.budget)},
    )


def _reached(standing: Standing) -> int | None:
    if standing.is_used_up:
        return ALL
    return standing.warn_percent if standing.is_warned else None


def managers_of(workspace: Workspace, kind: NotificationKind) -> list[User]:
    """Those who want mail about it."""
    wanted = mailed_at_once(kind, user="pk", workspace=workspace, mail_on="mail_on")
    managers = User.objects.filter(
        wanted, memberships__workspace=workspace, memberships__role=Role.MANAGER, is_active=True
    )
    return list(managers.exclude(email="").order_by("email"))


def _send(workspace: Workspace, standing: Standing, to: list[User]) -> bool:
    mailer = mailers.default
    # Each her own: who else manages it is not everybody's business.
    subject, body = _subject(workspace, standing), _body(workspace, standing)
    messages = [message(subject, body, one) for one in to]
    try:
        mailer.send_messages(messages)
    except (smtplib.SMTPException, OSError) as exc:
        log.warning("budget notice not sent", extra={"workspace": workspace.slug, "error": repr(exc)})
        return False
    return True


def _subject(workspace: Workspace, standing: Standing) -> str:
    name = one_line(workspace.name, NAME_LENGTH)
    if standing.is_used_up:
        return f"Esteira: the budget of {name} for {standing.month:%B %Y} is used up"
    return f"Esteira: {int(standing.share * 100)} % of the budget of {name} for {standing.month:%B %Y} is used"


def _body(workspace: Workspace, standing: Standing) -> str:
    name = one_line(workspace.name, NAME_LENGTH)
    after = (
        "New jobs are refused until the month ends or an administrator raises the budget. Jobs under way go on."
        if standing.blocks
        else "New jobs are accepted as before: this budget only warns."
    )
    return (
        f"Workspace {name} ({workspace.slug}) in {standing.month:%B %Y}, in USD:\n\n"
        f"Budget: {dollars(standing.budget)}\n"
        f"Spent: {dollars(standing.spent)}\n"
        f"Expected of jobs under way: {dollars(standing.expected)}\n"
        f"Left: {dollars(standing.left)}\n\n"
        f"{'' if standing.is_used_up else 'When all of it is used: '}{after}\n\n"
        f"{settings.PUBLIC_URL}/files/usage/\n\n"
        "-- \nYou are mailed because you manage this workspace.\n"
    )
