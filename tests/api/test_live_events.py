"""Streams of a workspace, over WebSockets, of slow readers; and answers that wait."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from api_app import feeds, live, waiting
from api_app.database import in_db
from orchestration import places
from orchestration.execution.old_calls import forget_calls
from orchestration.follow import hub
from orchestration.models import ApiToken, Job, LiveTicket
from tests.api.door import Client, scope_for
from tests.api.watching import Socket, Watching, events_in, happened, release, somebody_waits
from tests.factories import make_job, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
LAB = "/workspaces/lab/events"


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab)


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    """Here the test is the follower."""
    before = hub.released
    yield
    hub.released = before


def elsewhere(owner: User) -> Job:
    return make_job(owner, make_workspace("attic"))


# A workspace


def test_workspace_is_told_of_all_its_jobs_and_no_others_from_now_on(
    door: Door, ana: Visitor, owner: User, lab: Workspace, job: Job
) -> None:
    other, strange = make_job(owner, lab), elsewhere(owner)
    (early,) = happened(job, "QUEUED")
    release(job, early)
    (mine,), (theirs,), (second,) = happened(job, "RUNNING"), happened(strange, "QUEUED"), happened(other, "QUEUED")

    async def watch() -> bytes:
        async with Watching(door, ana.token, LAB) as client:
            await client.until(b"connected")
            release(job, mine)
            release(strange, theirs)
            release(other, second)
            await client.until(b"id: %d\n" % second)
        return client.answer.body

    found = events_in(door.run(watch()))
    assert [(e["id"], e["data"]["job"]) for e in found] == [(str(mine), str(job.pk)), (str(second), str(other.pk))]


def test_workspace_stream_goes_on_after_the_bookmark(door: Door, ana: Visitor, job: Job) -> None:
    first, second = happened(job, "QUEUED", "RUNNING")
    release(job, first, second)

    async def watch() -> bytes:
        async with Watching(door, ana.token, LAB, (b"last-event-id", b"%d" % first)) as client:
            await client.until(b"RUNNING")
        return client.answer.body

    assert [e["id"] for e in events_in(door.run(watch()))] == [str(second)]


def test_reader_who_is_far_behind_is_told_to_look_anew(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "FAR", 3)
    ids = happened(job, *["QUEUED"] * 6)
    release(job, *ids[:5])

    async def watch() -> bytes:
        async with Watching(door, ana.token, LAB, (b"last-event-id", b"%d" % ids[0])) as client:
            await client.until(b"resync")
            release(job, ids[5])
            await client.until(b"id: %d\n" % ids[5])
        return client.answer.body

    resync, event = events_in(door.run(watch()))
    assert (resync["event"], resync["id"], resync["data"]["after"]) == ("resync", str(ids[4]), ids[4])
    assert (event["id"], event["event"]) == (str(ids[5]), "job")
    refused = ana.json("GET", f"{LAB}?after={ids[0]}", 410)
    assert (refused["code"], refused["after"]) == ("events_gone", ids[5])


def test_quiet_workspace_is_not_far_behind_because_others_are_busy(
    door: Door, ana: Visitor, owner: User, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "FAR", 3)
    monkeypatch.setattr(live, "COMMENT_EVERY_S", 0.01)
    strange = elsewhere(owner)
    first, *others = happened(strange, *["QUEUED"] * 9)
    (mine,) = happened(job, "QUEUED")

    async def watch() -> bytes:
        release(strange, first)
        async with Watching(door, ana.token, LAB) as client:
            await client.until(b"connected")
            for number in others:
                release(strange, number)
                # The bookmark of a browser moves too, or it would be far behind when it comes back.
                await client.until(b": still here\nid: %d\n" % number)
            release(job, mine)
            await client.until(b"id: %d\nevent: job" % mine)
        return client.answer.body

    assert [e["event"] for e in events_in(door.run(watch()))] == ["job"]


def test_list_of_a_workspace_goes_on_at_its_cursor(ana: Visitor, owner: User, job: Job) -> None:
    start = ana.json("GET", LAB)
    assert start["items"] == []
    ids = happened(job, "QUEUED", "STARTING", "RUNNING")
    (strange,) = happened(elsewhere(owner), "QUEUED")
    release(job, *ids, strange)
    first = ana.json("GET", f"{LAB}?after={ids[0]}&limit=1")
    assert [e["id"] for e in first["items"]] == [ids[1]]
    second = ana.json("GET", f"{LAB}?cursor={first['next_cursor']}")
    assert [e["id"] for e in second["items"]] == [ids[2]]
    assert second["next_cursor"] == str(strange)


def test_stranger_may_not_watch_a_workspace(eva: Visitor, lab: Workspace) -> None:
    for headers in ({}, {"Accept": "text/event-stream"}):
        assert eva("GET", LAB, headers=headers).status_code == 404


# Slow readers


class Stuck(Client):
    """Takes nothing of its answer from the first event on, until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck = asyncio.Event()
        self.let_go = asyncio.Event()

    async def send(self, message: Message) -> None:
        if b"event:" in message.get("body", b""):
            self.is_stuck.set()
            await self.let_go.wait()
        await super().send(message)


def test_nothing_is_read_for_a_reader_that_takes_nothing(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or its memory would grow with what happens."""
    readings: list[int] = []
    real = feeds.JobFeed.read

    def read(self: feeds.JobFeed, last: int, to: int) -> feeds.News:
        readings.append(last)
        return real(self, last, to)

    monkeypatch.setattr(feeds.JobFeed, "read", read)
    monkeypatch.setattr(feeds, "BATCH", 2)
    ids = happened(job, *["RUNNING"] * 20)

    async def watch() -> tuple[int, bytes]:
        client = Stuck()
        release(job, ids[0])
        async with Watching(door, ana.token, f"/jobs/{job.pk}/events", client=client):
            await client.is_stuck.wait()
            for number in ids[1:]:
                release(job, number)
                await asyncio.sleep(0.01)  # enough for a reading, were there one
            meanwhile = len(readings)
            client.let_go.set()
            await client.until(b"id: %d\n" % ids[-1])
        return meanwhile, client.answer.body

    meanwhile, body = door.run(watch())
    assert meanwhile == 1
    assert [int(e["id"]) for e in events_in(body)] == ids, "it has missed nothing"


def test_reader_that_takes_nothing_is_let_go(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SLOW_S", 0.05)
    release(job, *happened(job, "QUEUED"))

    async def watch() -> bool:
        client = Stuck()
        reading = Watching(door, ana.token, f"/jobs/{job.pk}/events", client=client)
        async with asyncio.timeout(3):
            await reading.task
        return client.answer.is_complete

    assert door.run(watch()) is False
    assert f"job.{job.pk}" not in hub._waiting


# WebSockets


def test_socket_brings_the_same_messages(door: Door, ana: Visitor, job: Job) -> None:
    first, second, last = happened(job, "QUEUED", "RUNNING", "CANCELED")
    release(job, first, second)
    path = f"/jobs/{job.pk}/events"

    def end() -> None:
        Job.objects.update(state="CANCELED", finished_at=F("created_at"))

    async def watch() -> tuple[list[Any], int | None]:
        async with Socket(door, f"{path}?after={first}", ana.token) as socket:
            found = [await socket.hear()]
            await in_db(end)
            release(job, last)
            found += [await socket.hear(), await socket.hear()]
            return found, await socket.ended()

    found, code = door.run(watch())
    listed = ana.json("GET", f"{path}?after={first}")["items"]
    assert found == [
        {"id": second, "event": "job", "data": listed[0]},
        {"id": last, "event": "job", "data": listed[1]},
        {"id": None, "event": "end", "data": {"state": "CANCELED"}},
    ]
    assert code == 1000


def test_socket_of_a_workspace(door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "FAR", 3)
    ids = happened(job, *["QUEUED"] * 6)
    release(job, *ids[:5])

    async def watch() -> list[Any]:
        async with Socket(door, f"{LAB}?after={ids[0]}", ana.token) as socket:
            resync = await socket.hear()
            release(job, ids[5])
            return [resync, await socket.hear()]

    resync, event = door.run(watch())
    assert (resync["event"], resync["id"]) == ("resync", ids[4])
    assert (event["event"], event["id"]) == ("job", ids[5])


def ticket_of(who: Visitor) -> str:
    made = who.json("POST", "/events:ticket", 201)
    assert made["expires_in"] == 60
    return str(made["ticket"])


async def _status(door: Door, path: str, token: str = "", *headers: tuple[bytes, bytes]) -> tuple[int, bytes]:
    async with Socket(door, path, token, *headers) as socket:
        return socket.status, socket.problem


def test_ticket_opens_one_socket(door: Door, ana: Visitor, lab: Workspace) -> None:
    path = f"{LAB}?ticket={ticket_of(ana)}"
    assert door.run(_status(door, path))[0] == 101
    status, problem = door.run(_status(door, path))
    assert (status, json.loads(problem)["code"]) == (401, "not_authenticated")


def test_ticket_ends_with_its_time_and_its_token(door: Door, ana: Visitor, lab: Workspace) -> None:
    late, orphan = ticket_of(ana), ticket_of(ana)
    LiveTicket.objects.update(expires_at=Now())
    assert door.run(_status(door, f"{LAB}?ticket={late}"))[0] == 401
    forget_calls()
    assert not LiveTicket.objects.exists()
    orphan = ticket_of(ana)
    ApiToken.objects.update(revoked_at=F("created_at"))
    assert door.run(_status(door, f"{LAB}?ticket={orphan}"))[0] == 401


def test_socket_is_for_those_who_may_see(door: Door, ana: Visitor, eva: Visitor, owner: User, job: Job) -> None:
    job_path = f"/jobs/{job.pk}/events"
    for path in (LAB, job_path):
        assert door.run(_status(door, path))[0] == 401
        assert door.run(_status(door, path, "est_wrong"))[0] == 401
        assert door.run(_status(door, path, eva.token))[0] == 404
        assert door.run(_status(door, path, door.as_(owner, ("run",)).token))[0] == 403
        assert door.run(_status(door, path, ana.token))[0] == 101
        same = (b"origin", b"http://localhost")
        assert door.run(_status(door, path, ana.token, same))[0] == 101
        assert door.run(_status(door, path, ana.token, (b"origin", b"http://evil.example")))[0] == 403


def test_socket_does_not_outlive_the_right_to_it(
    door: Door, ana: Visitor, owner: User, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(live, "COMMENT_EVERY_S", 0.01)

    async def watch() -> int | None:
        async with Socket(door, LAB, ana.token) as socket:
            await in_db(lambda: owner.memberships.all().delete())
            return await socket.ended()

    assert door.run(watch()) == 1008


def test_socket_says_that_the_service_restarts(door: Door, ana: Visitor, lab: Workspace) -> None:
    async def watch() -> int | None:
        async with Socket(door, LAB, ana.token) as socket:
            live.stop_streams()
            return await socket.ended()

    try:
        assert door.run(watch()) == 1012
    finally:
        live._state["stopping"] = False


# Answers that wait


def test_one_user_holds_only_so_many_streams_and_sockets(
    door: Door, ana: Visitor, bruno: Visitor, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_OF_ONE", 2)

    async def hold() -> list[int]:
        async with Socket(door, LAB, ana.token) as socket, Watching(door, ana.token, LAB) as stream:
            said = [socket.status, stream.answer.status]
            async with Watching(door, ana.token, LAB) as third:
                said.append(third.answer.status)
            said += [(await _status(door, LAB, ana.token))[0], (await _status(door, LAB, bruno.token))[0]]
        return [*said, (await _status(door, LAB, ana.token))[0]]

    assert door.run(hold()) == [101, 200, 429, 429, 101, 101]


async def _get(door: Door, who: Visitor, path: str) -> Any:
    headers = {"Authorization": f"Bearer {who.token}"}
    return (await door.client.get(f"/api/v1{path}", headers=headers)).json()


def rename(job: Job, name: str) -> None:
    Job.objects.filter(pk=job.pk).update(name=name)


def test_job_is_answered_when_it_changes(door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSE_S", 0.01)
    progress, edit = happened(job, "QUEUED", "QUEUED")
    known = ana.json("GET", f"/jobs/{job.pk}")["version"]

    async def wait() -> Any:
        asked = asyncio.ensure_future(_get(door, ana, f"/jobs/{job.pk}?wait=20&version={known}"))
        await somebody_waits()
        release(job, progress)
        await asyncio.sleep(0.1)
        assert not asked.done(), "an event that changes nothing of the job"
        await in_db(rename, job, "another")
        release(job, edit)
        async with asyncio.timeout(3):
            return await asked

    answer = door.run(wait())
    assert answer["name"] == "another"
    assert answer["version"] != known


def test_what_changed_between_two_calls_is_answered_at_once(ana: Visitor, job: Job) -> None:
    known = ana.json("GET", f"/jobs/{job.pk}")["version"]
    rename(job, "another")
    assert ana.json("GET", f"/jobs/{job.pk}?wait=60&version={known}")["name"] == "another"


def test_job_that_has_ended_is_answered_at_once(ana: Visitor, owner: User, lab: Workspace) -> None:
    ended = make_job(owner, lab, state="SUCCEEDED")
    assert ana.json("GET", f"/jobs/{ended.pk}?wait=60")["state"] == "SUCCEEDED"


def test_answer_comes_when_the_time_is_up(ana: Visitor, job: Job) -> None:
    assert ana.json("GET", f"/jobs/{job.pk}?wait=1")["state"] == "WAITING"
    assert ana("GET", f"/jobs/{job.pk}?wait=61").status_code == 422


def test_events_are_answered_when_there_are_some(door: Door, ana: Visitor, job: Job) -> None:
    (event,) = happened(job, "QUEUED")

    async def wait(path: str) -> Any:
        asked = asyncio.ensure_future(_get(door, ana, f"{path}?after={event - 1}&wait=20"))
        await somebody_waits()
        await asyncio.sleep(0.02)
        release(job, event)
        async with asyncio.timeout(3):
            return await asked

    for path in (f"/jobs/{job.pk}/events", LAB):
        hub.released = event - 1
        assert [e["id"] for e in door.run(wait(path))["items"]] == [event]


def test_nobody_waits_for_a_client_that_left_and_no_thread_is_held(
    door: Door, ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test's lane has one thread: were it held, the call beside would not be answered."""

    async def leave() -> None:
        client = Client()
        scope = scope_for("GET", f"/api/v1/jobs/{job.pk}?wait=60")
        scope["headers"].append((b"authorization", f"Bearer {ana.token}".encode()))
        task = asyncio.ensure_future(door.app(scope, client.receive, client.send))
        await somebody_waits()
        async with asyncio.timeout(3):
            assert (await _get(door, ana, f"/jobs/{job.pk}"))["state"] == "WAITING"
        client.gone.set()
        async with asyncio.timeout(3):
            await task

    door.run(leave())
    assert not hub._waiting
