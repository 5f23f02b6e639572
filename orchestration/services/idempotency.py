"""Calls that may be repeated: the first answer is kept for a day and given again (IETF draft Idempotency-Key)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from orchestration.errors import IdempotencyKeyReused, RequestInProgress
from orchestration.execution.old_calls import KEPT
from orchestration.models import IdempotentCall

if TYPE_CHECKING:
    from django.db.models import QuerySet

LEASE: Final = timedelta(minutes=2)
"""A request has ended after so long, or whoever answered it has died: the next one is done anew."""

# One statement, so that of two that come at once one is refused.
_TAKE: Final = """\
INSERT INTO orchestration_idempotentcall (owner, key, digest, headers, body)
VALUES (%(owner)s, %(key)s, %(digest)s, '{}', '')
ON CONFLICT (owner, key) DO UPDATE SET digest = excluded.digest, taken_at = statement_timestamp(),
  created_at = statement_timestamp(), status = NULL, headers = '{}', body = ''
WHERE orchestration_idempotentcall.created_at < statement_timestamp() - %(kept)s
  OR (orchestration_idempotentcall.status IS NULL AND orchestration_idempotentcall.digest = excluded.digest
      AND orchestration_idempotentcall.taken_at < statement_timestamp() - %(lease)s)
RETURNING id"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer as it was given."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin_call(owner: str, key: str, digest: str) -> Kept | None:
    """The answer that was given, or None: do it, then keep or forget it.

    Raises IdempotencyKeyReused, RequestInProgress.
    """
    given: dict[str, Any] = {"owner": owner, "key": key, "digest": digest, "kept": KEPT, "lease": LEASE}
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, given)
        if cursor.fetchone():
            return None
    found = _of(owner, key).first()
    if found is None:
        raise RequestInProgress  # it has just been forgotten
    if found.digest != digest:
        raise IdempotencyKeyReused
    if found.status is None:
        raise RequestInProgress
    return Kept(found.status, found.headers, bytes(found.body))


def keep_call(owner: str, key: str, kept: Kept) -> None:
    _of(owner, key).update(status=kept.status, headers=kept.headers, body=kept.body)


def forget_call(owner: str, key: str) -> None:
    """It changed nothing: whoever asks again is answered anew."""
    _of(owner, key).filter(status=None).delete()


def _of(owner: str, key: str) -> QuerySet[IdempotentCall]:
    return IdempotentCall.objects.filter(owner=owner, key=key)
