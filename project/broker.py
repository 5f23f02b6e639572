"""Celery's queue in PostgreSQL, by DATABASE_URL as it is written, for a user who may change no table.

Kombu's own transport takes host, name, user and password out of the address and drops the rest: with it the
queue's connections would trust any server whatever sslmode says. And it makes the queue anew at each start.
"""

from __future__ import annotations

from typing import Any, Final, override

from kombu.transport import pgmq
from pgmq import PGMQueue
from psycopg_pool import ConnectionPool

# The table is unlogged: a crash of the server empties it, and nobody would be woken by a message any more.
_WAKE: Final = (
    "INSERT INTO pgmq.notify_insert_throttle (queue_name, throttle_interval_ms) VALUES (%s, %s) ON CONFLICT DO NOTHING"
)


class Channel(pgmq.Channel):
    connection: Any

    @override
    def _new_queue(self, queue: str, **_: Any) -> None:
        """A migration has made it. Kombu's own makes tables, and wants the right to."""

    @override
    def _maybe_enable_notify(self, queue: str, queue_name: str | None = None) -> None:
        """Kombu's own makes the trigger anew; the migration has made it, too."""
        if not self.use_notify:
            return
        name = queue_name or self._queue_name(queue)
        client: Any = self.pgmq
        with client.pool.connection() as connection:
            connection.execute(_WAKE, [name, self.notify_throttle_interval_ms])
        self.connection._register_notify_queue(name)  # noqa: SLF001  as kombu's own does


class Transport(pgmq.Transport):
    Channel = Channel
    client: Any
    _pool: ConnectionPool | None = None

    @override
    def _create_pgmq_client(self) -> PGMQueue:
        options = self.client.transport_options
        address = options["conn_string"]
        self._pool = ConnectionPool(address, min_size=1, max_size=options["pool_size"], open=True)
        client = PGMQueue(conn_string=address, pool=self._pool, vt=options["visibility_timeout"], init_extension=False)
        self._apply_pool_timeout(client, options)
        return client

    @override
    def _get_notify_waiter(self) -> pgmq._NotifyWaiter:
        if self._notify_waiter is None:
            self._notify_waiter = pgmq._NotifyWaiter(self.client.transport_options["conn_string"])  # noqa: SLF001
        return self._notify_waiter

    @override
    def close_connection(self, connection: Any) -> None:
        super().close_connection(connection)
        if self._pool is not None:
            self._pool.close()
            self._pool = None
