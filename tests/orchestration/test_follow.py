"""Readers of the events table miss nothing: not what commits late, not what was rolled back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from orchestration.follow import PEOPLE, Follower, Hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WORKSPACE, JOB = uuid4(), uuid4()
INSERT = (
    "INSERT INTO orchestration_event (workspace_id, job_id, kind, step, old, new, reason, data)"
    " VALUES (%s, %s, 'job', '', '', 'WAITING', '', '{}') RETURNING id"
)


def address() -> str:
    params = connection.get_connection_params()
    keep = {key: str(params[key]) for key in ("dbname", "user", "password", "host", "port") if params.get(key)}
    return psycopg.conninfo.make_conninfo(**keep)


async def write(conn: psycopg.AsyncConnection[Any]) -> int:
    # As the domain does: another row is written first, so the transaction has its id before the event has its own.
    await conn.execute("SELECT pg_current_xact_id()")
    row = await (await conn.execute(INSERT, [WORKSPACE, JOB])).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
async def hub() -> AsyncIterator[tuple[Hub, list[int]]]:
    hub, seen = Hub(), list[int]()
    hub.listeners.append(lambda events: seen.extend(event_id for event_id, _, _ in events))
    follower = Follower(address(), hub)
    task = asyncio.create_task(follower.run())
    await follower.ready.wait()
    yield hub, seen
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(seen: list[int], expected: list[int]) -> None:
    for _ in range(200):
        if seen == expected:
            return
        await asyncio.sleep(0.02)
    assert seen == expected


@pytest.mark.django_db(transaction=True)
async def test_event_that_commits_late_is_waited_for(hub: tuple[Hub, list[int]]) -> None:
    _, seen = hub
    async with (
        await psycopg.AsyncConnection.connect(address()) as slow,
        await psycopg.AsyncConnection.connect(address()) as fast,
    ):
        late = await write(slow)
        early = await write(fast)
        await fast.commit()
        await asyncio.sleep(0.3)
        assert seen == [], "the later id is held back while the earlier may still come"
        await slow.commit()
        await until(seen, [late, early])


@pytest.mark.django_db(transaction=True)
async def test_event_that_was_rolled_back_holds_nobody_up(hub: tuple[Hub, list[int]]) -> None:
    _, seen = hub
    async with (
        await psycopg.AsyncConnection.connect(address()) as lost,
        await psycopg.AsyncConnection.connect(address()) as kept,
    ):
        await write(lost)
        first = await write(kept)
        await kept.commit()
        await lost.rollback()
        await until(seen, [first])
        await write(lost)
        await lost.rollback()
        second = await write(kept)
        await kept.commit()
        await until(seen, [first, second])


@pytest.mark.django_db(transaction=True)
async def test_follower_comes_back_after_its_connection_was_killed(hub: tuple[Hub, list[int]]) -> None:
    _, seen = hub
    async with await psycopg.AsyncConnection.connect(address()) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%%pg_snapshot%%'"
        )
        event = await write(conn)
        await conn.commit()
        await until(seen, [event])


@pytest.mark.django_db(transaction=True)
async def test_waiting_reader_is_woken_for_its_own_topic_only(hub: tuple[Hub, list[int]]) -> None:
    board, _ = hub
    async with (
        board.subscribe(f"job.{JOB}") as mine,
        board.subscribe(f"workspace.{WORKSPACE}") as ours,
        board.subscribe(f"job.{UUID(int=0)}") as other,
    ):
        async with await psycopg.AsyncConnection.connect(address()) as conn:
            event = await write(conn)
            await conn.commit()
        await asyncio.wait_for(mine.wait(), 5)
        assert ours.is_set()
        assert not other.is_set()
        assert board.released == event


@pytest.mark.django_db(transaction=True)
async def test_person_is_heard_of_after_the_commit_and_not_before(hub: tuple[Hub, list[int]]) -> None:
    heard: list[str] = []
    hub[0].person_listeners.append(heard.append)
    person = str(uuid4())
    async with await psycopg.AsyncConnection.connect(address()) as conn:
        await conn.execute("SELECT pg_notify(%s, %s)", [PEOPLE, person])
        await asyncio.sleep(0.2)
        assert heard == []
        await conn.commit()
    for _ in range(200):
        if heard:
            break
        await asyncio.sleep(0.02)
    assert heard == [person]
