"""The managers of a workspace are told when a part of its month's budget is used up, and when all of it is.

The mail is sent, then recorded: whoever is killed between the two has it sent once more.
"""

from __future__ import annotations

import logging
import smtplib
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.mail import mailers
from django.utils.translation import gettext as _

from orchestration.cost.wording import dollars
from orchestration.execution.isolation import alone, one_at_a_time
from orchestration.execution.letter import one_line
from orchestration.execution.mail_form import because_you_manage, message, speaking_to
from orchestration.execution.notifying import managers_in, tell_once
from orchestration.figures import money, month
from orchestration.models import BudgetNotice, User, Workspace
from orchestration.models.budget import standing_of
from orchestration.models.notification import mailed_at_once
from orchestration.states import NotificationKind, Role

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

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
        data={
            "percent": percent,
            "used_usd": str(standing.used),
            "budget_usd": str(standing.budget),
            # As a release before this one reads it.
            "used": dollars(standing.used),
            "budget": dollars(standing.budget),
        },
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
    messages = [_message(workspace, standing, one) for one in to]
    try:
        mailer.send_messages(messages)
    except (smtplib.SMTPException, OSError) as exc:
        log.warning("budget notice not sent", extra={"workspace": workspace.slug, "error": repr(exc)})
        return False
    return True


def _message(workspace: Workspace, standing: Standing, to: User) -> EmailMessage:
    name = one_line(workspace.name, NAME_LENGTH)
    with speaking_to(to):
        return message(_subject(name, standing), _body(name, workspace.slug, standing), to)


def _subject(name: str, standing: Standing) -> str:
    facts = {"name": name, "month": month(standing.month), "percent": int(standing.share * 100)}
    if standing.is_used_up:
        return _("Esteira: the budget of %(name)s for %(month)s is used up") % facts
    return _("Esteira: %(percent)s %% of the budget of %(name)s for %(month)s is used") % facts


def _body(name: str, slug: str, standing: Standing) -> str:
    facts = {"name": name, "slug": slug, "month": month(standing.month)}
    lines = [
        _("Budget: %(sum)s") % {"sum": money(standing.budget)},
        _("Spent: %(sum)s") % {"sum": money(standing.spent)},
        _("Expected of jobs under way: %(sum)s") % {"sum": money(standing.expected)},
        _("Left: %(sum)s") % {"sum": money(standing.left)},
    ]
    parts = [
        _("Workspace %(name)s (%(slug)s) in %(month)s, in USD:") % facts,
        "\n".join(lines),
        _after(standing),
        f"{settings.PUBLIC_URL}/files/usage/",
        f"-- \n{because_you_manage()}",
    ]
    return "\n\n".join(parts) + "\n"


def _after(standing: Standing) -> str:
    if not standing.blocks:
        warns = _("New jobs are accepted as before: this budget only warns.")
        return warns if standing.is_used_up else _("When all of it is used: %(then)s") % {"then": warns}
    refused = _(
        "New jobs are refused until the month ends or an administrator raises the budget. Jobs under way go on."
    )
    return refused if standing.is_used_up else _("When all of it is used: %(then)s") % {"then": refused}
