from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from frontend_app import consumers
from frontend_app.live.room import POLICY_VIOLATION
from orchestration import places
from orchestration.models import Job, Membership, User
from tests.factories import make_job
from tests.frontend.sockets import connect

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.conftest import People

# Sockets look their user up in threads of their own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)


async def tell(topic: str) -> None:
    layer: Any = get_channel_layer()
    await layer.group_send(topic, {"type": "changed"})


@pytest.fixture
def job(people: People) -> Job:
    return make_job(people.owner, people.lab)


async def test_workspace_has_a_socket_too(people: People) -> None:
    page, is_open = await connect("/ws/workspaces/lab", people.owner)
    assert is_open
    await tell(f"workspace.{people.lab.pk}")
    assert json.loads((await page.heard())["text"]) == {"changed": True}
    await page.close()


async def test_stranger_and_nobody_are_turned_away(people: People, job: Job) -> None:
    for person in (people.stranger, None):
        for path in (f"/ws/jobs/{job.pk}", "/ws/workspaces/lab", "/ws/workspaces/lab/home"):
            page, is_open = await connect(path, person)
            assert not is_open
            await page.close()


async def test_thousand_changes_are_few_messages(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "PUSH_EVERY_S", 0.05)
    page, _ = await connect("/ws/workspaces/lab", people.owner)
    for _ in range(1_000):
        await tell(f"workspace.{people.lab.pk}")
        await asyncio.sleep(0)
    got = 0
    while not await page.hears_nothing():
        await page.heard()
        got += 1
    assert 1 <= got <= 200, "by time, not by changes"
    await page.close()


async def test_workspaces_hear_nothing_of_each_other(people: People) -> None:
    hers, is_open = await connect("/ws/workspaces/elsewhere", people.stranger)
    mine, _ = await connect("/ws/workspaces/lab", people.owner)
    assert is_open
    await tell(f"workspace.{people.lab.pk}")
    assert json.loads((await mine.heard())["text"]) == {"changed": True}
    assert await hers.hears_nothing()
    for page in (mine, hers):
        await page.close()


@pytest.mark.parametrize("path", ["/ws/workspaces/lab", "/ws/workspaces/lab/home?seen=999999999"])
async def test_removed_member_is_shown_out_of_her_workspace(
    people: People, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY_S", 0.02)
    page, is_open = await connect(path, people.teammate)
    assert is_open
    assert await page.hears_nothing(), "as long as she is one"
    leave = Membership.objects.filter(user=people.teammate).delete
    await database_sync_to_async(leave)()
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}
    await page.close()


async def test_person_who_has_signed_out_is_told_nothing_more(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY_S", 0.02)
    page, is_open = await connect("/ws/me", people.owner)
    assert is_open
    await database_sync_to_async(page.client.logout)()
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}
    await page.close()


@pytest.mark.parametrize("lost", ["membership", "account", "session"])
async def test_socket_does_not_outlive_the_right_to_it(
    people: People, job: Job, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_EVERY_S", 0.02)
    page, is_open = await connect(f"/ws/jobs/{job.pk}?seen=0", people.teammate)
    assert is_open
    assert await page.hears_nothing()

    def take() -> None:
        match lost:
            case "membership":
                Membership.objects.filter(user=people.teammate).delete()
            case "account":
                User.objects.filter(pk=people.teammate.pk).update(is_active=False)
            case _:
                page.client.logout()

    await database_sync_to_async(take)()
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}


async def test_what_a_page_says_is_ignored(people: People) -> None:
    page, _ = await connect("/ws/workspaces/lab", people.owner)
    await page.say("x" * 1_000)
    await tell(f"workspace.{people.lab.pk}")
    assert (await page.heard())["text"] == consumers.CHANGED
    await page.close()


async def test_person_is_told_on_whatever_page_she_is_and_nobody_else(people: People, job: Job) -> None:
    pages = [(await connect(path, people.owner))[0] for path in ("/ws/me", f"/ws/jobs/{job.pk}?seen=0")]
    other, is_open = await connect("/ws/me", people.teammate)
    assert is_open
    layer: Any = get_channel_layer()
    await layer.group_send(f"person.{people.owner.pk}", {"type": "told"})
    for page in pages:
        assert json.loads((await page.heard())["text"]) == {"told": True}
        await page.close()
    assert await other.hears_nothing()
    await other.close()
    nobody, is_open = await connect("/ws/me", None)
    assert not is_open
    await nobody.close()


async def test_one_person_opens_only_so_many_and_takes_nobody_elses(
    people: People, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "MOST_OF_ONE", 3)
    paths = ("/ws/me", "/ws/workspaces/lab", f"/ws/jobs/{job.pk}?seen=0")
    pages = [(await connect(path, people.owner))[0] for path in paths]
    for path in paths:
        refused, is_open = await connect(path, people.owner)
        assert not is_open
        await refused.close()
    other, is_open = await connect("/ws/me", people.teammate)
    assert is_open
    await pages.pop().close()
    again, is_open = await connect("/ws/me", people.owner)
    assert is_open, "a place is free as soon as a page is closed"
    for page in (*pages, other, again):
        await page.close()
    assert not {people.owner.pk, people.teammate.pk} & set(places._taken)


async def test_socket_after_a_change_of_the_secret_key_signs_nobody_out(people: People, settings: Settings) -> None:
    """It cannot tell the browser of another session."""
    first, _ = await connect("/ws/workspaces/lab", people.owner)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key of the server, long enough"
    again, is_open = await connect("/ws/workspaces/lab", None, first.client)
    assert is_open
    answer = await database_sync_to_async(first.client.get)("/jobs/")
    assert answer.status_code == 200
    for page in (first, again):
        await page.close()
