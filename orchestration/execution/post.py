"""Sends letters: claim one, commit, send, delete. Whoever is killed between the last two sends it once more."""

from __future__ import annotations

import logging
import smtplib
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMessage, mailers
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from orchestration import going
from orchestration.execution import post_text
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.letter import NAME_LENGTH, one_line
from orchestration.execution.mail_form import AUTOMATIC, speaking_to
from orchestration.models import Invitation, Letter, User
from orchestration.points import point
from orchestration.states import LetterKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.mail.backends.base import BaseEmailBackend

log = logging.getLogger(__name__)

CLAIM: Final = timedelta(minutes=1)
"""Between two tries of one letter, doubled each time."""
LONGEST_WAIT: Final = timedelta(minutes=16)
TOO_OLD: Final = timedelta(hours=1)
"""Who waited so long for a link has asked again, or left. Invitations wait for as long as they hold."""
ROUND_S: Final = 20.0
"""A round begins no further letter after this, so that its message is not handed out again meanwhile."""

_one_round: Final = threading.Lock()


def deliver() -> int:
    """Send what is due; the number of letters dealt with. One thread of a worker at most waits for the mail server."""
    if not settings.MAILERS or not _one_round.acquire(blocking=False):
        return 0
    try:
        return _round()
    finally:
        _one_round.release()


def _round() -> int:
    Letter.objects.filter(created_at__lt=Now() - TOO_OLD, invitation__isnull=True).delete()
    mailer, done, stop_at = mailers.default, 0, time.monotonic() + ROUND_S
    is_up = True
    try:
        while is_up and going.is_before(stop_at) and (letter := _claim()):
            point("post.claimed")
            with one_at_a_time(letter.pk):
                is_up = _send(mailer, letter)
                done += is_up
    finally:
        mailer.close()
    return done


@transaction.atomic
def _claim() -> Letter | None:
    """Nobody else takes it until the time is over, whatever becomes of us."""
    due = Letter.objects.filter(due_at__lte=Now()).select_for_update(skip_locked=True, of=("self",))
    letter: Letter | None = (
        due.select_related("user", "invitation__workspace", "invitation__invited_by").order_by("due_at", "pk").first()
    )
    if letter is not None:
        wait = min(CLAIM * 2 ** min(letter.tries, 8), LONGEST_WAIT)
        Letter.objects.filter(pk=letter.pk).update(due_at=Now() + wait, tries=F("tries") + 1)
    return letter


def _send(mailer: BaseEmailBackend, letter: Letter) -> bool:
    """False: the server takes nothing from us now. A mailbox that it refuses is not asked again."""
    try:
        mailer.open()
        for message in _messages(letter):
            mailer.send_messages([message])
    except smtplib.SMTPRecipientsRefused as exc:
        log.warning("letter refused", extra={"letter_id": str(letter.pk), "error": repr(exc)})
    except OSError as exc:
        log.warning("letter not sent", extra={"letter_id": str(letter.pk), "error": repr(exc)})
        return False
    point("post.sent")
    letter.delete()
    return True


def _messages(letter: Letter) -> Iterator[EmailMessage]:
    if letter.kind == LetterKind.RESET:
        yield from _resets(letter.address)
    elif letter.invitation is not None:
        yield from _invitation(letter.invitation)
    elif letter.user is not None and letter.about in post_text.NOTICES:
        with speaking_to(letter.user):
            text = post_text.notice(letter.about, username=letter.user.username, address=settings.PUBLIC_URL)
        yield _message(text, letter.user.email)


def _resets(address: str) -> Iterator[EmailMessage]:
    """One for each account with this address that has a password: who signs in elsewhere gets none by this way."""
    for user in User.objects.filter(email__iexact=address, is_active=True, service_of__isnull=True).order_by("pk"):
        if user.has_usable_password():
            key = f"{user.pk.hex}/{default_token_generator.make_token(user)}"
            link = f"{settings.PUBLIC_URL}/password/reset/{key}/"
            with speaking_to(user):
                minutes = settings.PASSWORD_RESET_TIMEOUT // 60
                text = post_text.reset(username=user.username, link=link, minutes=minutes)
            # To the address on the account and not the one that was typed: they may look alike and not be the same.
            yield _message(text, user.email)


def _invitation(invitation: Invitation) -> Iterator[EmailMessage]:
    """The link that holds now; none when it was used or taken back while the letter waited."""
    if Invitation.objects.by_key(invitation.key).exists():
        by = invitation.invited_by
        # Who has an account has said how; else whoever invites knows best how to speak to the invited.
        with speaking_to(_invited(invitation.email) or by):
            text = post_text.invitation(
                workspace=one_line(invitation.workspace.name, NAME_LENGTH),
                by=one_line(by.username, NAME_LENGTH) if by else "",
                role=invitation.role,
                link=f"{settings.PUBLIC_URL}/invitation/{invitation.key}/",
                days=max(1, (invitation.expires_at - timezone.now()).days),
            )
        yield _message(text, invitation.email)


def _invited(address: str) -> User | None:
    """Whoever can be nobody else, if she has said what she speaks."""
    found = list(User.objects.filter(email__iexact=address, is_active=True, service_of__isnull=True)[:2])
    return found[0] if len(found) == 1 and found[0].language else None


def _message(text: post_text.Text, to: str) -> EmailMessage:
    return EmailMessage(text.subject, text.body, to=[to], headers=AUTOMATIC)
