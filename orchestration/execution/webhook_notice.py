"""The managers of a workspace are mailed when a webhook of theirs was switched off by us.

Send, then record: whoever is killed between the two has it sent once more.
"""

from __future__ import annotations

import logging
import smtplib
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.core.mail import mailers
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from orchestration.execution.budget_notice import managers_of
from orchestration.execution.isolation import alone, one_at_a_time
from orchestration.execution.letter import one_line
from orchestration.execution.mail_form import because_you_manage, message, speaking_to
from orchestration.models import WebhookEndpoint
from orchestration.sentences import said
from orchestration.states import NotificationKind

if TYPE_CHECKING:
    from django.core.mail import EmailMessage

    from orchestration.models import User

log = logging.getLogger(__name__)

NAME_LENGTH: Final = 100
URL_LENGTH: Final = 300
WHY_LENGTH: Final = 500


def tell_of_webhooks() -> int:
    """Of every webhook that was switched off and whose managers do not know; the number of webhooks."""
    if not settings.MAILERS:
        return 0
    told = 0
    untold = WebhookEndpoint.objects.filter(enabled_at__isnull=True, told_at__isnull=True).exclude(disabled_why="")
    for endpoint in untold.select_related("workspace").order_by("pk"):
        with one_at_a_time(endpoint.pk), alone(f"webhook/{endpoint.pk}") as mine:
            told += mine and untold.filter(pk=endpoint.pk).exists() and _tell(endpoint)
    return told


def _tell(endpoint: WebhookEndpoint) -> bool:
    # Each her own: who else manages it is not everybody's business.
    messages = [_message(endpoint, one) for one in managers_of(endpoint.workspace, NotificationKind.WEBHOOK_OFF)]
    try:
        mailers.default.send_messages(messages)
    except (smtplib.SMTPException, OSError) as exc:
        log.warning("webhook notice not sent", extra={"endpoint_id": str(endpoint.pk), "error": repr(exc)})
        return False
    return bool(WebhookEndpoint.objects.filter(pk=endpoint.pk, told_at__isnull=True).update(told_at=Now()))


def _message(endpoint: WebhookEndpoint, to: User) -> EmailMessage:
    name = one_line(endpoint.workspace.name, NAME_LENGTH)
    with speaking_to(to):
        subject = _("Esteira: a webhook of %(name)s was switched off") % {"name": name}
        return message(subject, _body(endpoint, name), to)


def _body(endpoint: WebhookEndpoint, name: str) -> str:
    facts = {"name": name, "slug": endpoint.workspace.slug, "url": one_line(endpoint.url, URL_LENGTH)}
    parts = [
        _("Workspace %(name)s (%(slug)s) no longer sends to\n  %(url)s") % facts,
        one_line(said(endpoint.disabled_why), WHY_LENGTH),
        _(
            "What happens from now on is not sent there. When the receiver is mended, switch the webhook on again "
            "and\nreplay what was missed:\n%(address)s"
        )
        % {"address": f"{settings.PUBLIC_URL}/webhooks/{endpoint.pk}/"},
        f"-- \n{because_you_manage()}",
    ]
    return "\n\n".join(parts) + "\n"
