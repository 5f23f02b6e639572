"""Up to which event of the table one may read: ids are handed out before commit, so a lower one may still come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_S: Final = 1.0
"""With writers that were there when an event was missed; then the next round looks again."""
LOOK_S: Final = 0.02
_WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'orchestration_event'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()"""


def decided(done: int, ids: Sequence[int]) -> int:
    """The highest of them below which no event can appear any more."""
    if not ids or ids[-1] - done == len(ids):
        return ids[-1] if ids else done
    before = writers()
    end = time.monotonic() + PATIENCE_S
    while before & writers():
        if time.monotonic() > end:
            return next((done + n for n, one in enumerate(ids) if one != done + n + 1), ids[-1])
        time.sleep(LOOK_S)
    return ids[-1]


def writers() -> set[str]:
    """Transactions that have written events and not ended. They take this lock before they are given an id."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITERS)
        return {row[0] for row in cursor.fetchall()}
