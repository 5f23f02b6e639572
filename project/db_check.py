"""Whether a pooled connection still works, looked at before each use of it."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from psycopg_pool import ConnectionPool

if TYPE_CHECKING:
    from psycopg import Connection

FRESH_S: Final = 1.0
_used_at: Final[WeakKeyDictionary[Connection[Any], float]] = WeakKeyDictionary()


def check(connection: Connection[Any]) -> None:
    """Raises OperationalError. The server is asked only if the connection was idle, or has something to say.

    A server that ends a connection says so on it; one that vanished without a word is found by asking, after a pause.
    """
    now = time.monotonic()
    if now - _used_at.get(connection, 0.0) > FRESH_S or _has_news(connection):
        ConnectionPool.check_connection(connection)
    _used_at[connection] = now


def _has_news(connection: Connection[Any]) -> bool:
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
