"""One bad row must not stop the work on all others, and what one does not two do at once."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.db import OperationalError, connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

log = logging.getLogger(__name__)


@contextmanager
def one_at_a_time(row_id: UUID) -> Iterator[None]:
    """Around the work on one row in a loop over many. An absent database is everybody's trouble and goes on up."""
    try:
        yield
    except OperationalError:
        raise
    except Exception:
        # Whatever it is, it is this row's: the sweep comes back to it, and the log says so each time.
        log.exception("work on one row failed", extra={"row_id": str(row_id)})


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether nobody else is at it. The lock is this connection's and ends with it, so that a dead process has none."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 1))", [name])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 1))", [name])
