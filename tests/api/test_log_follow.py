"""A log that goes on as one answer: to its end, to a reader who left, cut short where it must be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, override

import pytest
from django.utils import timezone

from api_app import live, log_follow
from api_app.database import in_db
from orchestration.execution.dispatch import dispatch
from orchestration.follow import hub
from orchestration.models import ApiToken, Attempt
from orchestration.services import runner
from tests.api.door import Client
from tests.api.watching import Watching, release
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, submitted

if TYPE_CHECKING:
    from starlette.types import Message

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


class Stuck(Client):
    """Takes nothing of its answer's body."""

    @override
    async def send(self, message: Message) -> None:
        if message.get("body"):
            await self.gone.wait()
        await super().send(message)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_follow, "LOOK_S", 0.02)


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner, name="sales.csv"),))
    dispatch()
    (leased,) = lease()
    runner.begin(holder=holder(leased))
    return leased


def write(attempt: Attempt, offset: int, data: bytes) -> None:
    runner.append_log(holder=holder(attempt), offset=offset, data=data)


def asked(door: Door, token: str, attempt: Attempt, query: str = "", client: Client | None = None) -> Watching:
    return Watching(door, token, f"/attempts/{attempt.pk}/log?follow=true{query}", client=client)


async def over(watching: Watching) -> None:
    async with asyncio.timeout(10):
        await watching.task


def header(client: Client, name: bytes) -> bytes:
    return dict(client.answer.headers).get(name, b"")


def test_it_goes_on_until_the_log_has_ended(door: Door, ana: Visitor, attempt: Attempt) -> None:
    async def watch() -> None:
        await in_db(write, attempt, 0, b"one\n")
        watching = asked(door, ana.token, attempt)
        async with watching as client:
            await client.until(b"one\n")
            await in_db(write, attempt, 4, b"two \xff\n")
            await client.until(b"two \xff\n")
            await in_db(end, attempt)
            release(attempt.job, 1)
            await over(watching)
        assert client.answer.body == b"one\ntwo \xff\n"
        assert client.answer.is_complete, "a proper end"
        assert (header(client, b"esteira-log-start"), header(client, b"content-length")) == (b"0", b"")
        assert header(client, b"content-type").startswith(b"text/plain")
        assert header(client, b"content-security-policy").startswith(b"sandbox")

    door.run(watch())


def test_end_is_found_without_an_event(
    door: Door, ana: Visitor, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> None:
        monkeypatch.setattr(log_follow, "ROW_S", 0.05)
        watching = asked(door, ana.token, attempt)
        async with watching as client:
            await in_db(end, attempt)
            await over(watching)
        assert client.answer.is_complete

    door.run(watch())


@pytest.mark.parametrize(("offset", "start", "rest"), [(4, b"4", b"two\n"), (-2, b"6", b"o\n"), (99, b"8", b"")])
def test_it_begins_where_it_is_told(
    door: Door, ana: Visitor, attempt: Attempt, offset: int, start: bytes, rest: bytes
) -> None:
    async def watch() -> None:
        await in_db(write, attempt, 0, b"one\ntwo\n")
        await in_db(end, attempt)
        watching = asked(door, ana.token, attempt, f"&offset={offset}")
        async with watching as client:
            await over(watching)
        assert (header(client, b"esteira-log-start"), client.answer.body) == (start, rest)

    door.run(watch())


def test_process_that_stops_does_not_pretend_that_the_log_has_ended(
    door: Door, ana: Visitor, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> None:
        await in_db(write, attempt, 0, b"one\n")
        watching = asked(door, ana.token, attempt)
        async with watching as client:
            await client.until(b"one\n")
            monkeypatch.setitem(live._state, "stopping", True)
            await over(watching)
        assert not client.answer.is_complete

    door.run(watch())


def test_reader_who_may_not_any_more_is_cut_off(
    door: Door, ana: Visitor, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> None:
        monkeypatch.setattr(log_follow, "ROW_S", 0.05)
        await in_db(write, attempt, 0, b"one\n")
        watching = asked(door, ana.token, attempt)
        async with watching as client:
            await client.until(b"one\n")
            await in_db(lambda: ApiToken.objects.update(revoked_at=timezone.now()))
            await over(watching)
        assert not client.answer.is_complete

    door.run(watch())


def test_reader_who_leaves_is_let_go(door: Door, ana: Visitor, attempt: Attempt) -> None:
    async def watch() -> None:
        watching = asked(door, ana.token, attempt)
        async with watching as client:
            client.gone.set()
            await over(watching)
        assert not hub.is_watched

    door.run(watch())


def test_reader_who_takes_nothing_is_let_go(
    door: Door, ana: Visitor, attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def watch() -> None:
        monkeypatch.setattr(live, "SLOW_S", 0.05)
        await in_db(write, attempt, 0, b"one\n")
        watching = asked(door, ana.token, attempt, client=Stuck())
        await over(watching)
        assert not watching.client.answer.is_complete

    door.run(watch())


def test_log_of_somebody_else_is_not_there(eva: Visitor, attempt: Attempt) -> None:
    assert eva("GET", f"/attempts/{attempt.pk}/log?follow=true").status_code == 404
