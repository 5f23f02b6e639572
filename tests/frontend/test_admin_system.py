"""The page about the machinery: what the doctor finds, as it finds it; processes; settings without secrets."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as now
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import AsyncClient

from orchestration.findings import ERROR, OK, SKIPPED, WARNING, Finding
from orchestration.models import AuditEntry
from project import env
from project.system import looking, processes
from tests.factories import make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_django import Settings

    from orchestration.models import User

pytestmark = pytest.mark.django_db

FOUND = [
    ("settings", Finding("debug", OK, "off", 0.1)),
    ("database", Finding("port", WARNING, "A <slow> answer.", 12.4, ("the way is long",), "nc -vz db 5432")),
    ("mail", Finding("mail", SKIPPED, "No mail server.")),
]


@pytest.fixture
def root(people: object) -> User:
    return make_user("root", is_staff=True, is_superuser=True)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def says(*found: tuple[str, Finding]) -> None:
        monkeypatch.setattr(looking, "examine", lambda: iter(found))

    return says


def page(user: User, method: str = "get") -> str:
    async def go() -> str:
        client = AsyncClient()
        await client.aforce_login(user)
        answer: Any = await getattr(client, method)("/admin/system/")
        assert answer.status_code == 200
        return b"".join([part async for part in answer.streaming_content]).decode()

    return async_to_sync(go)()


def test_to_look_at_it_tries_nothing(root: User, finds: Callable[..., None]) -> None:
    finds(("settings", Finding("debug", ERROR, "Never asked for.")))
    html = page(root)
    assert "Look now" in html
    assert "Never asked for." not in html
    assert not AuditEntry.objects.filter(action="platform.examined").exists()


def test_findings_stand_in_the_page_with_causes_and_command(root: User, finds: Callable[..., None]) -> None:
    finds(*FOUND)
    html = page(root, "post")
    assert html.index(">settings</h3>") < html.index(">database</h3>") < html.index("Versions")
    assert "A &lt;slow&gt; answer." in html
    assert "the way is long" in html
    assert '<code lang="en">nc -vz db 5432</code>' in html
    assert "12 ms" in html
    assert "It works, with one warning." in html
    assert html.count('<ul class="findings">') == html.count("</ul></section>") == 3


def test_what_is_wrong_is_said_at_the_end(root: User, finds: Callable[..., None]) -> None:
    finds(*FOUND, ("work", Finding("beat", ERROR, "Nothing was sent.")))
    assert "One thing is wrong: work, beat." in page(root, "post")
    finds(FOUND[0])
    assert "All is well." in page(root, "post")


def test_to_have_it_look_is_in_the_audit_log(root: User, finds: Callable[..., None]) -> None:
    finds(*FOUND)
    page(root, "post")
    entry = AuditEntry.objects.get(action="platform.examined")
    assert (entry.actor, entry.subject) == ("root", "the platform")


def test_each_finding_is_sent_when_it_is_there(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one waits until the first was read: held back until the end, neither would ever come."""
    was_read = threading.Event()

    def slowly() -> Iterator[tuple[str, Finding]]:
        yield FOUND[0]
        assert was_read.wait(20)
        yield FOUND[1]

    monkeypatch.setattr(looking, "examine", slowly)

    async def go() -> str:
        client = AsyncClient()
        await client.aforce_login(root)
        answer: Any = await client.post("/admin/system/")
        said = ""
        async for part in answer.streaming_content:
            said += part.decode()
            if ">settings</h3>" in said:
                was_read.set()
        return said

    html = async_to_sync(go)()
    assert ">database</h3>" in html


def test_one_process_looks_once_at_a_time(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()

    def slowly() -> Iterator[tuple[str, Finding]]:
        yield FOUND[0]
        assert go_on.wait(20)

    monkeypatch.setattr(looking, "examine", slowly)

    async def go() -> str:
        first = looking.look()
        await anext(first)
        client = AsyncClient()
        await client.aforce_login(root)
        answer: Any = await client.post("/admin/system/")
        second = b"".join([part async for part in answer.streaming_content]).decode()
        go_on.set()
        assert [one async for one in first] == []
        return second

    assert "Somebody else has this process look just now." in async_to_sync(go)()
    monkeypatch.setattr(looking, "examine", lambda: iter(FOUND))
    assert "It works, with one warning." in page(root, "post"), "the place is free again"


def test_who_leaves_ends_it_after_the_check_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def many() -> Iterator[tuple[str, Finding]]:
        for number in range(1_000):
            begun.append(number)
            yield FOUND[0]
            if number:
                left.wait(20)

    left = threading.Event()
    monkeypatch.setattr(looking, "examine", many)

    async def go() -> None:
        found = looking.look()
        await anext(found)
        await found.aclose()  # type: ignore[attr-defined]  # a generator is what it is
        left.set()
        for one in threading.enumerate():
            if one.name == "doctor":
                await asyncio.to_thread(one.join, 20)

    async_to_sync(go)()
    assert len(begun) <= 3


def test_clerk_needs_the_right(people: object, finds: Callable[..., None]) -> None:
    clerk = make_user("clerk", is_staff=True)
    for method in ("get", "post"):
        assert getattr(browser(clerk), method)("/admin/system/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="look_at_system"))
    finds(*FOUND)
    assert "Look now" in page(clerk)


def test_processes_that_must_be_there_are_named_where_they_are_not(root: User, settings: Settings) -> None:
    settings.ENGINE = "local"
    names = [one.name for one in processes.processes()]
    assert names[:4] == ["web", "worker", "beat", "engine"]
    mine = connection.settings_dict["OPTIONS"]["application_name"]
    (here,) = [one for one in processes.processes() if one.name == mine and one.connections]
    assert here.heard_at is not None
    assert "No connection to the database" in page(root)


def test_no_secret_is_shown(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_CLAMD", "tcp://me:canary-1@host:1")
    for name in ("ESTEIRA_SOME_NEW_TEXT", "ESTEIRA_OIDC", "ESTEIRA_SECRET_KEY"):
        monkeypatch.setenv(name, f"canary-{name}")
        env.text(name)
    env.text("ESTEIRA_CLAMD")
    html = page(root)
    assert "ESTEIRA_SOME_NEW_TEXT" in html
    assert "canary" not in html
    for secret in (now.SECRET_KEY, now.DATABASES["default"]["PASSWORD"]):
        assert not secret or secret not in html
    assert "ESTEIRA_DB_POOL_SIZE" in html
    monkeypatch.delitem(env.ASKED, "ESTEIRA_SOME_NEW_TEXT")
