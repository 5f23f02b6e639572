"""Every process follows the events table by itself, so any writer reaches any reader without a further server.

Ids are handed out before commit, so a reader that remembers only "the highest id seen" would skip an event
that commits late. The follower therefore releases ids strictly in order: when one is missing it holds back what
follows until the missing one shows up, or until every transaction that could still bring it has ended (its
snapshot's xmax is below the present xmin). Readers then use the event id itself as their bookmark and miss
nothing over a disconnect.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

log = logging.getLogger(__name__)

POLL_MOVED_S: Final = 0.01
"""While events come. Without a pause the next look would find one more, and the next."""
POLL_BUSY_S: Final = 0.05
POLL_IDLE_S: Final = 0.5
BATCH: Final = 2_000
START_POLLS: Final = 100
PEOPLE: Final = "esteira_people"
"""The channel that says, after the commit, for whom there is something new: an id of a user each time."""


class Hub:
    """Wakes whoever waits for a topic (`job.<id>`, `workspace.<id>`).

    A wake is a flag, never a queue: a slow reader finds one flag set and reads the table from its bookmark.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self.released = 0
        """The highest event id that may be read: all below it are there or will never be."""
        self.listeners: list[Callable[[list[tuple[int, UUID, UUID]]], None]] = []
        self.person_listeners: list[Callable[[str], None]] = []

    @property
    def is_watched(self) -> bool:
        return bool(self._waiting) or bool(self.listeners)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[asyncio.Event]:
        flag = asyncio.Event()
        self._waiting[topic].add(flag)
        try:
            yield flag
        finally:
            self._waiting[topic].discard(flag)
            if not self._waiting[topic]:
                del self._waiting[topic]

    def wake_all(self) -> None:
        """Whoever waits looks at once, as if something had happened."""
        for flags in self._waiting.values():
            for flag in flags:
                flag.set()

    def publish(self, events: list[tuple[int, UUID, UUID]]) -> None:
        """(event id, workspace id, job id), in the order of ids."""
        self.released = events[-1][0]
        for topic in {t for _, workspace, job in events for t in (f"job.{job}", f"workspace.{workspace}")}:
            for flag in self._waiting.get(topic, ()):
                flag.set()
        for listener in self.listeners:
            listener(events)

    def publish_person(self, user_id: str) -> None:
        for listener in self.person_listeners:
            listener(user_id)


class Follower:
    """One a process, started and stopped with it. `run` ends only when it is cancelled."""

    def __init__(self, database_url: str, hub: Hub) -> None:
        self._url, self._hub = database_url, hub
        self._gap: tuple[int, int] | None = None
        self.ready = asyncio.Event()

    async def run(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._url, autocommit=True) as connection:
                    await self._follow(connection)
            except psycopg.OperationalError as exc:
                log.warning("follower lost the database", extra={"error": str(exc)})
                await asyncio.sleep(0.5)

    async def _follow(self, connection: psycopg.AsyncConnection[Any]) -> None:
        if not self.ready.is_set():
            # Nobody has a bookmark yet: what is committed now is where we begin. After a lost connection
            # we go on where we were.
            self._hub.released = await self._first_bookmark(connection)
        self.ready.set()
        connection.add_notify_handler(lambda said: self._hub.publish_person(said.payload))
        await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(PEOPLE)))
        while True:
            moved = await self._step(connection)
            if moved < BATCH:  # else there is more already
                await asyncio.sleep(self._pause(moved))

    def _pause(self, moved: int) -> float:
        if not self._hub.is_watched:
            return POLL_IDLE_S
        return POLL_MOVED_S if moved else POLL_BUSY_S

    async def _first_bookmark(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """The highest id there is, once every transaction that might still bring a lower one has ended."""
        query = (
            "SELECT (SELECT coalesce(max(id), 0) FROM orchestration_event),"
            " pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
            " pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        )
        first, _, xmax = await self._one(connection, query)
        for _ in range(START_POLLS):
            _, xmin, _ = await self._one(connection, query)
            if xmin >= xmax:
                break
            await asyncio.sleep(POLL_BUSY_S)
        else:
            log.warning("a transaction has been open for long; events of its past may be told late")
        return first

    async def _one(self, connection: psycopg.AsyncConnection[Any], query: str) -> tuple[int, int, int]:
        row = await (await connection.execute(query)).fetchone()
        if row is None:
            raise psycopg.OperationalError("no answer")
        return row[0], row[1], row[2]

    async def _step(self, connection: psycopg.AsyncConnection[Any]) -> int:
        """Release what can be; how many that was."""
        cursor = await connection.execute(
            "SELECT id, workspace_id, job_id, pg_snapshot_xmin(pg_current_snapshot())::text::bigint,"
            " pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
            " FROM orchestration_event WHERE id > %s ORDER BY id LIMIT %s",
            [self._hub.released, BATCH],
        )
        rows = await cursor.fetchall()
        if not rows:
            return 0
        xmin, xmax = rows[0][3], rows[0][4]
        release: list[tuple[int, UUID, UUID]] = []
        expected = self._hub.released + 1
        for event_id, workspace_id, job_id, _, _ in rows:
            if event_id != expected and not self._gap_is_dead(expected, xmin, xmax):
                break
            release.append((event_id, workspace_id, job_id))
            expected = event_id + 1
        if release:
            self._hub.publish(release)
        return len(release)

    def _gap_is_dead(self, missing: int, xmin: int, xmax: int) -> bool:
        """Whether every transaction that was open when this gap was first seen has ended since.

        Sound because an event is always written after another row in its transaction: who holds the
        missing id already had a transaction id, below that xmax, when we saw the gap.
        """
        if self._gap is None or self._gap[0] != missing:
            self._gap = (missing, xmax)
        return xmin >= self._gap[1]


hub: Final = Hub()
