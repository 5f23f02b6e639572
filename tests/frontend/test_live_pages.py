from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from channels.db import database_sync_to_async
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frontend_app.live import room
from frontend_app.live.rights import Person, grounds_of
from frontend_app.live.room import POLICY_VIOLATION
from frontend_app.live.shown import JobShown
from orchestration.follow import hub
from orchestration.models import Event, Job, Membership, User, Workspace
from orchestration.states import JobState, Role
from tests.factories import join, make_job, make_user
from tests.frontend.ask import browser
from tests.frontend.sockets import Page, connect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import People

# Sockets look their user up in threads of their own, so the rows have to be committed.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(people: People) -> Job:
    return make_job(people.owner, people.lab, state=JobState.RUNNING)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    released = hub.released
    monkeypatch.setattr(room, "LEAST_PAUSE_S", 0.01)
    monkeypatch.setattr(room, "REST", 0)
    monkeypatch.setattr(room, "GROW_S", 60)
    yield
    hub.released = released


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[JobShown]:
    """What was drawn, each time."""
    times: list[JobShown] = []
    draw = JobShown.draw

    def counted(shown: JobShown) -> str:
        times.append(shown)
        return draw(shown)

    monkeypatch.setattr(JobShown, "draw", counted)
    return times


async def happen(job: Job, **changes: Any) -> None:
    """An event as the follower finds it."""

    def write() -> int:
        if changes:
            Job.objects.filter(pk=job.pk).update(**changes)
        return Event.objects.create(workspace_id=job.workspace_id, job_id=job.pk, kind="progress").pk

    event_id = await database_sync_to_async(write)()
    hub.publish([(event_id, job.workspace_id, job.pk)])


async def member(people: People, name: str, role: Role = Role.SUBMITTER, **fields: Any) -> User:
    def make() -> User:
        user = make_user(name, **fields)
        join(user, people.lab, role)
        return user

    return await database_sync_to_async(make)()


async def watching(job: Job, user: User, asked: str = "seen=999999999") -> Page:
    page, is_open = await connect(f"/ws/jobs/{job.pk}?{asked}", user)
    assert is_open
    return page


async def close(*pages: Page) -> None:
    for page in pages:
        await page.close()


async def test_what_changed_is_drawn_once_and_sent_to_everybody_who_watches(
    people: People, job: Job, drawn: list[JobShown]
) -> None:
    pages = [await watching(job, person) for person in (people.owner, people.teammate, people.owner)]
    await happen(job)
    for page in pages:
        assert "Running" in (await page.shown())["job-state"]
    assert len(drawn) == 1
    await close(*pages)


async def test_only_the_parts_that_changed_are_sent(people: People, job: Job) -> None:
    page = await watching(job, people.owner, "")
    assert {"job-state", "job-steps", "job-cost"} <= set(await page.shown()), "who says nothing is sent all of it"
    await happen(job, cancel_requested_at=timezone.now())
    sent = await page.shown()
    assert "Canceling" in sent["job-state"]
    assert "job-cost" not in sent
    await page.close()


async def test_page_that_has_seen_everything_is_sent_nothing(people: People, job: Job, drawn: list[JobShown]) -> None:
    await happen(job)
    page = await watching(job, people.owner, f"seen={hub.released}")
    assert await page.hears_nothing()
    assert drawn == []
    behind = await watching(job, people.owner, f"seen={hub.released - 1}")
    assert "job-state" in await behind.shown()
    await close(page, behind)


async def test_viewer_and_submitter_are_not_sent_the_same(people: People, job: Job, drawn: list[JobShown]) -> None:
    viewer = await member(people, "vera", Role.VIEWER)
    looks, acts = await watching(job, viewer), await watching(job, people.owner)
    await happen(job)
    assert "do-cancel" not in (await looks.shown())["job-state"]
    assert "do-cancel" in (await acts.shown())["job-state"]
    assert {shown.may_act for shown in drawn} == {True, False}
    await close(looks, acts)


async def test_each_is_sent_the_language_of_her_page(people: People, job: Job) -> None:
    pages = [await watching(job, people.owner, f"seen=999999999&language={code}") for code in ("en", "pt-br", "xx")]
    await happen(job)
    said = [(await page.shown())["job-cost"] for page in pages]
    assert ["Custo" in one for one in said] == [False, True, False]
    await close(*pages)


async def test_burst_is_few_drawings_and_ends_with_the_truth(
    people: People, job: Job, drawn: list[JobShown], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LEAST_PAUSE_S", 0.2)
    page = await watching(job, people.owner)
    for n in range(50):
        await happen(job, run=2 + n)
    last = ""
    while "run 51" not in last:
        last = (await page.shown()).get("job-state", last)
    assert len(drawn) < 25
    await page.close()


@pytest.mark.parametrize("lost", ["membership", "account", "session", "time", "password", "being"])
async def test_whoever_has_lost_her_right_is_shown_out_and_the_others_see_on(
    people: People, job: Job, lost: str
) -> None:
    stays, goes = await watching(job, people.owner), await watching(job, people.teammate)

    def take() -> None:
        her = User.objects.filter(pk=people.teammate.pk)
        match lost:
            case "membership":
                Membership.objects.filter(user=people.teammate).delete()
            case "account":
                her.update(is_active=False)
            case "password":
                user = her.get()
                user.set_password("another battery staple")
                user.save(update_fields=["password"])
            case "time":
                Session.objects.filter(pk=goes.client.session.session_key).update(expire_date=timezone.now())
            case "being":
                Membership.objects.filter(user=people.teammate).delete()
                her.delete()
            case _:
                goes.client.logout()

    await database_sync_to_async(take)()
    await happen(job)
    assert await goes.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}
    assert "job-state" in await stays.shown()
    await close(stays, goes)


@pytest.mark.parametrize("path", ["/ws/me", "/ws/workspaces/lab", "/ws/workspaces/lab/home", "job"])
async def test_nobody_enters_any_room_without_the_second_factor_that_is_asked_of_her(
    people: People, job: Job, path: str
) -> None:
    ask = Workspace.objects.filter(pk=people.lab.pk).update
    await database_sync_to_async(ask)(needs_second_factor=True)
    page, is_open = await connect(f"/ws/jobs/{job.pk}" if path == "job" else path, people.teammate)
    assert not is_open
    await page.close()


@pytest.mark.parametrize("lost", ["factor", "freedom from it", "rank"])
async def test_right_that_rests_on_more_than_the_account_is_looked_at_too(people: People, job: Job, lost: str) -> None:
    root = await database_sync_to_async(make_user)("root", is_superuser=lost == "rank")
    asks = Workspace.objects.filter(pk=people.lab.pk)

    def give() -> None:
        if lost != "rank":
            join(root, people.lab)
        if lost == "factor":
            asks.update(needs_second_factor=True)
            Authenticator.objects.create(user=root, type=Authenticator.Type.TOTP, data={})

    def take() -> None:
        if lost == "rank":
            User.objects.filter(pk=root.pk).update(is_superuser=False)
        elif lost == "factor":
            Authenticator.objects.filter(user=root).delete()
        else:
            asks.update(needs_second_factor=True)

    await database_sync_to_async(give)()
    page = await watching(job, root)
    await database_sync_to_async(take)()
    await happen(job)
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}
    await page.close()


async def test_room_of_one_job_hears_nothing_of_another(people: People, job: Job) -> None:
    theirs = await database_sync_to_async(make_job)(people.stranger, people.elsewhere, state=JobState.RUNNING)
    mine, hers = await watching(job, people.owner), await watching(theirs, people.stranger)
    await happen(theirs)
    assert "job-state" in await hers.shown()
    assert await mine.hears_nothing()
    await close(mine, hers)


async def test_home_of_one_workspace_shows_nothing_of_another(people: People, job: Job) -> None:
    theirs = await database_sync_to_async(make_job)(people.stranger, people.elsewhere, state=JobState.RUNNING)
    page, is_open = await connect("/ws/workspaces/elsewhere/home", people.stranger)
    assert is_open
    shown = (await page.shown())["home-now"]
    assert f"run-{theirs.pk}" in shown
    assert str(job.pk) not in shown
    await page.close()


async def test_whoever_comes_while_it_is_drawn_is_sent_nothing_before_she_was_looked_at(job: Job) -> None:
    shown = JobShown(job.pk, job.workspace_id, None, may_act=False, language="en")
    here = room.Room(shown)
    here._take('<section id="job-state" data-live>')
    seat = room.Seat(Person("x", job.created_by_id), None, lambda: shown)
    assert here.news_for(seat) == ""
    seat.may_have = 1
    assert "job-state" in here.news_for(seat)


async def test_whoever_loses_her_right_while_it_is_drawn_is_not_sent_it(
    people: People, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await watching(job, people.teammate)
    draw = JobShown.draw

    def meanwhile(shown: JobShown) -> str:
        html = draw(shown)
        Membership.objects.filter(user=people.teammate).delete()
        return html

    monkeypatch.setattr(JobShown, "draw", meanwhile)
    await happen(job)
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}
    await page.close()


async def test_another_role_is_another_page(people: People, job: Job) -> None:
    page = await watching(job, people.teammate)
    change = Membership.objects.filter(user=people.teammate).update
    await database_sync_to_async(change)(role=Role.VIEWER)
    await happen(job)
    assert await page.heard() == {"type": "websocket.close", "code": POLICY_VIOLATION}, "and it loads itself anew"
    await page.close()


async def test_what_has_no_bearing_on_the_right_to_see_shuts_nobody_out(people: People, job: Job) -> None:
    page = await watching(job, people.teammate)

    def change() -> None:
        session = page.client.session
        session["workspace"] = "lab"
        session.save()

    await database_sync_to_async(change)()
    await happen(job)
    assert "job-state" in await page.shown()
    await page.close()


async def test_home_is_sent_to_those_of_its_workspace(people: People, job: Job) -> None:
    pages = [(await connect("/ws/workspaces/lab/home", person))[0] for person in (people.owner, people.teammate)]
    for page in pages:
        assert f"run-{job.pk}" in (await page.shown())["home-now"]
    other, is_open = await connect("/ws/workspaces/lab/home", people.stranger)
    assert not is_open
    await close(*pages, other)


async def test_page_that_cannot_be_drawn_is_closed_and_comes_back(
    people: People, job: Job, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(shown: JobShown) -> str:
        raise RuntimeError("a mistake of ours")

    page = await watching(job, people.owner)
    with monkeypatch.context() as patch:
        patch.setattr(JobShown, "draw", broken)
        await happen(job)
        assert await page.heard() == {"type": "websocket.close", "code": room.FAILED}
    await page.close()
    assert "a live page could not be drawn" in caplog.text
    again = await watching(job, people.owner, "")
    assert "job-state" in await again.shown()
    await again.close()


async def test_empty_room_is_given_up(people: People, job: Job) -> None:
    page = await watching(job, people.owner)
    assert any(shown.topic == f"job.{job.pk}" for shown in room._rooms)
    await page.close()
    assert not any(shown.topic == f"job.{job.pk}" for shown in room._rooms)


def test_rights_of_many_are_two_queries(people: People, job: Job) -> None:
    present = []
    for n in range(20):
        user = make_user(f"person{n}")
        join(user, people.lab)
        present.append(Person(str(browser(user).session.session_key), user.pk))
    with CaptureQueriesContext(connection) as queries:
        found = grounds_of(present)
    assert set(found) == set(present)
    assert len(queries) == 2
