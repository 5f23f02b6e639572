"""What happened: as a list, and live with nothing lost over a disconnect."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api_app import feeds, live
from orchestration.follow import hub
from orchestration.models import ApiToken, Job
from tests.api.watching import Watching, events_in, happened, release
from tests.factories import make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from orchestration.models import User, Workspace
    from tests.api.door import Client, Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab)


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    """Here the test is the follower."""
    before = hub.released
    yield
    hub.released = before


def test_events_are_listed_after_a_bookmark_and_only_once_released(ana: Visitor, job: Job) -> None:
    first, second, third = happened(job, "QUEUED", "STARTING", "RUNNING")
    release(job, first, second)
    listed = ana.json("GET", f"/jobs/{job.pk}/events")["items"]
    assert [(e["id"], e["kind"], e["new"], e["job"]) for e in listed] == [
        (first, "job", "QUEUED", str(job.pk)),
        (second, "job", "STARTING", str(job.pk)),
    ]
    release(job, third)
    page = ana.json("GET", f"/jobs/{job.pk}/events?after={first}&limit=1")
    assert ([e["id"] for e in page["items"]], page["next_cursor"]) == ([second], str(second))
    rest = ana.json("GET", f"/jobs/{job.pk}/events?cursor={page['next_cursor']}")
    assert ([e["id"] for e in rest["items"]], rest["next_cursor"]) == ([third], None)


def watching(door: Door, token: str, job: Job, query: str = "", *headers: tuple[bytes, bytes]) -> Watching:
    return Watching(door, token, f"/jobs/{job.pk}/events{query}", *headers)


def test_stream_brings_what_was_and_what_comes(door: Door, ana: Visitor, job: Job) -> None:
    early, late = happened(job, "QUEUED", "RUNNING")
    release(job, early)

    async def watch() -> bytes:
        async with watching(door, ana.token, job) as client:
            await client.until(b"QUEUED")
            assert client.answer.header("content-type") == "text/event-stream; charset=utf-8"
            assert b"RUNNING" not in client.answer.body, "not before it is released"
            release(job, late)
            await client.until(b"RUNNING")
        return client.answer.body

    found = events_in(door.run(watch()))
    assert [(e["id"], e["event"], e["data"]["new"]) for e in found] == [
        (str(early), "job", "QUEUED"),
        (str(late), "job", "RUNNING"),
    ]


@pytest.mark.parametrize("how", ["header", "query", "both"])
def test_stream_goes_on_after_the_last_event_seen(door: Door, ana: Visitor, job: Job, how: str) -> None:
    first, second = happened(job, "QUEUED", "RUNNING")
    release(job, first, second)
    headers = [] if how == "query" else [(b"last-event-id", str(first).encode())]
    query = "" if how == "header" else f"?after={first if how == 'query' else 0}"

    async def watch() -> bytes:
        async with watching(door, ana.token, job, query, *headers) as client:
            await client.until(b"RUNNING")
        return client.answer.body

    assert [e["id"] for e in events_in(door.run(watch()))] == [str(second)]


def test_stream_ends_when_the_job_has_ended_and_all_of_it_was_sent(door: Door, ana: Visitor, job: Job) -> None:
    (last,) = happened(job, "CANCELED")
    Job.objects.update(state="CANCELED", finished_at=job.created_at)

    async def watch() -> bytes:
        async with watching(door, ana.token, job) as client:
            await asyncio.sleep(0.1)
            assert not client.answer.is_complete, "its last event is still on its way"
            release(job, last)
            await client.until(b"event: end")
            await client.ended()
        return client.answer.body

    found = events_in(door.run(watch()))
    assert [e["event"] for e in found] == ["job", "end"]
    assert found[-1]["data"] == {"state": "CANCELED"}


def test_long_history_is_sent_whole(door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BATCH", 3)
    ids = happened(job, *["RUNNING"] * 8)
    release(job, *ids)

    async def watch() -> bytes:
        async with watching(door, ana.token, job) as client:
            await client.until(f"id: {ids[-1]}\n".encode())
        return client.answer.body

    assert [int(e["id"]) for e in events_in(door.run(watch()))] == ids


def test_quiet_stream_says_that_it_is_there(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "COMMENT_EVERY_S", 0.02)

    async def watch() -> None:
        async with watching(door, ana.token, job) as client:
            await client.until(b": still here\n")

    door.run(watch())


@pytest.mark.parametrize("loss", ["token", "membership"])
def test_stream_does_not_outlive_the_right_to_it(
    door: Door, ana: Visitor, job: Job, owner: User, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(live, "COMMENT_EVERY_S", 0.01)
    held = asyncio.Event()
    checks = {"lost": False}
    real = live.Stream._still_allowed

    async def still_allowed(self: live.Stream) -> bool:
        await held.wait()
        return await real(self)

    monkeypatch.setattr(live.Stream, "_still_allowed", still_allowed)

    def lose() -> None:
        if loss == "token":
            ApiToken.objects.update(revoked_at=job.created_at)
        else:
            owner.memberships.all().delete()
        checks["lost"] = True

    async def watch() -> None:
        async with watching(door, ana.token, job) as client:
            from api_app.database import in_db

            await in_db(lose)
            held.set()
            await client.ended()

    door.run(watch())
    assert checks["lost"]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """What is read from here on, by its bookmarks."""
    readings: list[tuple[int, int]] = []
    real = feeds.JobFeed.read

    def read(self: feeds.JobFeed, last: int, released: int) -> feeds.News:
        readings.append((last, released))
        return real(self, last, released)

    monkeypatch.setattr(feeds.JobFeed, "read", read)
    return readings


def test_no_thread_is_held_while_watchers_wait_and_one_reading_serves_all(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = counted(monkeypatch)
    (event,) = happened(job, "QUEUED")

    async def watch() -> None:
        async with many(door, ana.token, job, 30) as clients:
            before = len(readings)
            release(job, event)
            for client in clients:
                await client.until(b"QUEUED")
            assert len(readings) - before <= 3

    door.run(watch())


class many:  # noqa: N801  reads like a function where it is used
    def __init__(self, door: Door, token: str, job: Job, number: int) -> None:
        self._watching = [watching(door, token, job) for _ in range(number)]

    async def __aenter__(self) -> list[Client]:
        clients = [await w.__aenter__() for w in self._watching]
        for client in clients:
            await client.until(b"connected")
        await asyncio.sleep(0.2)
        return clients

    async def __aexit__(self, *_: object) -> None:
        for w in self._watching:
            await w.__aexit__()


def test_streams_stop_when_the_process_does(door: Door, ana: Visitor, job: Job) -> None:
    async def watch() -> AsyncIterator[None] | None:
        async with watching(door, ana.token, job) as client:
            await client.until(b"connected")
            live.stop_streams()
            await client.ended()
        return None

    try:
        door.run(watch())
    finally:
        live._state["stopping"] = False


def test_watcher_that_leaves_is_forgotten(door: Door, ana: Visitor, job: Job) -> None:
    async def watch() -> None:
        async with watching(door, ana.token, job) as client:
            await client.until(b"connected")
            assert hub.is_watched

    door.run(watch())
    assert f"job.{job.pk}" not in hub._waiting
