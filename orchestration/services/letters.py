"""Mail about somebody's account: written down here, sent by a worker. No request waits for a mail server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from orchestration.models import Letter
from orchestration.states import LetterKind
from orchestration.tasks import nudge_post

if TYPE_CHECKING:
    from orchestration.models import Invitation, User


@transaction.atomic(durable=True)
def ask_for_reset(*, address: str) -> None:
    """The same work whether or not somebody has the address: who that is, the worker looks up (SEC-023)."""
    _write(kind=LetterKind.RESET, address=address)


@transaction.atomic
def notify(*, user: User, about: str) -> None:
    """Something about her account was changed, by her or by somebody else: that is why she hears of it."""
    if user.email:
        _write(kind=LetterKind.NOTICE, user=user, about=about)


@transaction.atomic
def send_invitation(*, invitation: Invitation) -> None:
    _write(kind=LetterKind.INVITATION, invitation=invitation)


def _write(**fields: object) -> None:
    # Without a mail server it would wait for one, and go out when it has long been no news.
    if settings.MAILERS:
        Letter.objects.create(**fields)
        transaction.on_commit(partial(nudge_post))
