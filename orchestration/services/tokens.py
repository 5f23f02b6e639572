"""API tokens: `est_` + 43 base62 characters (256 bits) + 6 base62 characters of CRC32.

The checksum lets scanners and us refuse a mistyped token without looking it up. Only the SHA-256 of the token
is kept: its entropy is far above 112 bits, so no slow hash is needed (ASVS 5.0 6.5.2).
"""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from orchestration.errors import Invalid, NotFound
from orchestration.models import ApiToken

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.models import User

PREFIX: Final = "est_"
SECRET_LENGTH: Final = 43
CHECK_LENGTH: Final = 6
PUBLIC_LENGTH: Final = 12
SCOPES: Final = ("read", "upload", "run", "admin")
MAX_DAYS: Final = 366
_DIGITS: Final = string.digits + string.ascii_letters


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return digits


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECK_LENGTH)


def is_well_formed(token: str) -> bool:
    body = token.removeprefix(PREFIX)
    right_length = token.startswith(PREFIX) and len(body) == SECRET_LENGTH + CHECK_LENGTH
    return right_length and body.isascii() and body[SECRET_LENGTH:] == _checksum(body[:SECRET_LENGTH])


@transaction.atomic(durable=True)
def issue(*, user: User, name: str, scopes: tuple[str, ...] = SCOPES[:3], days: int = 90) -> tuple[ApiToken, str]:
    """The row and the token itself, which is shown this once."""
    if not name.strip():
        raise Invalid("Give the token a name, so that you know it again.")
    if unknown := set(scopes) - set(SCOPES):
        raise Invalid(f"Unknown scope {', '.join(sorted(unknown))}; there are {', '.join(SCOPES)}.")
    if not 1 <= days <= MAX_DAYS:
        raise Invalid(f"A token lasts 1 to {MAX_DAYS} days.")
    body = "".join(secrets.choice(_DIGITS) for _ in range(SECRET_LENGTH))
    token = f"{PREFIX}{body}{_checksum(body)}"
    row = ApiToken.objects.create(
        user=user,
        name=name.strip()[:200],
        public_id=body[:PUBLIC_LENGTH],
        secret_hash=hashlib.sha256(token.encode()).digest(),
        scopes=list(scopes),
        expires_at=Now() + timedelta(days=days),
    )
    row.refresh_from_db()
    return row, token


def authenticate(*, token: str) -> ApiToken | None:
    """The token's row with its user, if it is valid now and the user may still sign in."""
    if not is_well_formed(token):
        return None
    row = _valid().filter(public_id=token[len(PREFIX) :][:PUBLIC_LENGTH]).first()
    if row is None or not secrets.compare_digest(bytes(row.secret_hash), hashlib.sha256(token.encode()).digest()):
        return None
    _note_use(row)
    return row


def find_valid(*, token_id: UUID) -> ApiToken | None:
    """Of somebody who has shown it: whether it is still good."""
    return _valid().filter(pk=token_id).first()


def _valid() -> QuerySet[ApiToken]:
    good = ApiToken.objects.filter(revoked_at__isnull=True, user__is_active=True, expires_at__gt=Now())
    return good.select_related("user")


def _note_use(row: ApiToken) -> None:
    """At most one write a minute for each token."""
    minute = timedelta(minutes=1)
    if row.last_used_at is None or timezone.now() - row.last_used_at > minute:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - minute)
        ApiToken.objects.filter(stale, pk=row.pk).update(last_used_at=Now())


def revoke(*, user: User, token_id: UUID) -> None:
    if not ApiToken.objects.filter(pk=token_id, user=user, revoked_at__isnull=True).update(revoked_at=Now()):
        raise NotFound("You have no such token.")
