"""One-time tickets: what a page shows instead of a token where it can send no headers. Only their hashes are kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models.functions import Now

from orchestration.models import LiveTicket
from orchestration.services.tokens import find_valid

if TYPE_CHECKING:
    from orchestration.models import ApiToken

LASTS_S: Final = 60
_BYTES: Final = 32


def issue_live_ticket(*, token: ApiToken) -> str:
    ticket = secrets.token_urlsafe(_BYTES)
    LiveTicket.objects.create(digest=_digest(ticket), token=token, expires_at=Now() + timedelta(seconds=LASTS_S))
    return ticket


def use_live_ticket(*, ticket: str) -> ApiToken | None:
    """The token it stands for. Shown a second time, or too late, it stands for none."""
    good = LiveTicket.objects.filter(digest=_digest(ticket), expires_at__gt=Now())
    found = good.first()
    # The deletion decides which of two at once it was.
    if found is None or not good.delete()[0]:
        return None
    return find_valid(token_id=found.token_id)


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
