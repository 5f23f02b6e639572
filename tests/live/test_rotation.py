"""Secrets change while people work: two web processes behind a proxy, rolled one by one, and nobody notices."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any, Final, override
from uuid import uuid4

import httpx
import psycopg
import pytest

from api_app.client.signatures import BadSignatureError, Key, opened, read_keys
from orchestration import crc64
from project.children import WEB, Child
from project.kept_secret import new_signing_key
from tests.live.conftest import KEPT
from tests.live.held import Held
from tests.live.links import Link
from tests.live.manager import Manager
from tests.live.platform import running
from tests.live.tls_postgres import APP, MIGRATES, PASSWORD, TlsPostgres, tls_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

pytestmark = [pytest.mark.xdist_group("rotation"), pytest.mark.slow, pytest.mark.timeout(400, func_only=True)]

OTHER: Final = "esteira_app_b"
SECOND: Final = "127.0.0.2"
WEBS: Final = {"web": "127.0.0.1", "web2": SECOND}
TABLE: Final = b"a\n1\n"
CRC: Final = crc64.to_text(crc64.update(TABLE))
SIGN_IN: Final = """
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from orchestration.models import User
user = User.objects.get(username="admin")
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.save()
print(session.session_key)
"""
HAND_OUT: Final = """
from django.core import signing
from orchestration.execution.mail_form import UNSUBSCRIBE
from orchestration.models import User, Workspace
from orchestration.services.tickets import issue_ticket
from orchestration.services.webhooks import create_webhook
user = User.objects.get(username="admin")
workspace = Workspace.objects.first()
row, _ = create_webhook(user=user, url="https://93.184.216.34/", workspace=workspace.slug)
print(issue_ticket(user, workspace), signing.Signer(salt=UNSUBSCRIBE).sign(user.pk.hex), row.pk)
"""
UNSEAL: Final = """
from orchestration.models import WebhookSecret
from orchestration.webhooks.sealing import unseal
row = WebhookSecret.objects.get(endpoint_id="{}")
print(len(unseal(row.sealed, row.endpoint_id)))
"""


class Balancer(Link):
    """The proxy. It hands each connection to the next web process, and none to one that is being rolled."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(int(platform.url.rpartition(":")[2]))
        self.platform = platform
        self._turns = cycle(WEBS)
        self.resting = ""
        self.session = ""
        self.wrong: list[str] = []
        self.answered = 0

    @override
    def _reach(self) -> socket.socket:
        name = next(one for one in self._turns if one != self.resting)
        return socket.create_connection((WEBS[name], self.port_of_webs))

    @property
    def port_of_webs(self) -> int:
        assert isinstance(self._target, int)
        return self._target

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                self._ask()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def roll(self, *, others: tuple[str, ...] = ("worker", "beat", "engine")) -> None:
        """With the environment of now, as the runbook says it."""
        held = self.platform.children
        assert isinstance(held, Held)
        for name in WEBS:
            self.resting = name
            held.restart(name)
            self.wait_for(name)
            self.resting = ""
        held.restart(*others)

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 120
        while not _is_ready(f"http://{WEBS[name]}:{self.port_of_webs}"):
            assert time.monotonic() < deadline, self.platform.logs()
            time.sleep(0.1)

    def client(self) -> httpx.Client:
        """Of one connection, and so of one web process."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    @property
    def _cookie(self) -> str:
        return f"esteira{self.port_of_webs}-session"

    def page_by(self, name: str) -> httpx.Response:
        """From this web process and no other."""
        headers = {"Host": self.url.removeprefix("http://"), "Cookie": f"{self._cookie}={self.session}"}
        return httpx.get(f"http://{WEBS[name]}:{self.port_of_webs}/jobs/", headers=headers, trust_env=False, timeout=30)

    def _ask(self) -> None:
        key = {"Authorization": f"Bearer {self.platform.token}"}
        try:
            with self.client() as client:
                page = client.get("/jobs/", headers={"Cookie": f"{self._cookie}={self.session}"})
                sent = client.post("/api/v1/uploads", params={"name": f"{uuid4()}.csv"}, content=TABLE, headers=key)
        except httpx.TransportError as exc:
            self.wrong.append(repr(exc))
            return
        self.session = page.cookies.get(self._cookie) or self.session
        if (page.status_code, sent.status_code) != (200, 201):
            self.wrong.append(f"{page.status_code} {page.headers.get('location')}, {sent.status_code}")
        self.answered += 1


def _is_ready(url: str) -> bool:
    try:
        answer = httpx.get(f"{url}/health/ready", trust_env=False, timeout=30)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


@pytest.fixture
def server() -> TlsPostgres:
    return KEPT.one("tls", tls_postgres)


def as_owner(platform: Platform, server: TlsPostgres, role: str, password: str) -> None:
    file = server.home / "new"
    file.write_text(password)
    with Manager(platform.children.env | {"DATABASE_URL": server.address(MIGRATES)}) as manager:
        manager("grant_role", role, "--password-file", str(file))


@pytest.fixture
def platform(server: TlsPostgres) -> Platform:
    def prepare(env: dict[str, str]) -> None:
        (server.home / "new").write_text(PASSWORD.format(APP))
        with Manager(env | {"DATABASE_URL": server.address(MIGRATES)}) as manager:
            manager("prepare")
            manager("grant_role", APP, "--password-file", str(server.home / "new"))

    return KEPT.one("rotated", lambda: running(children_of=Two, server=nullcontext(server), prepare=prepare))


class Two(Held):
    """With a second web process, at another address of this machine."""

    def second(self) -> None:
        if not any(child.name == "web2" for child in self._children):
            # Whoever watches the children starts it, and nobody else: two would make two.
            self._children.append(Child("web2", ["env", f"ESTEIRA_HOST={SECOND}", sys.executable, *WEB], 8))


@pytest.fixture
def balancer(platform: Platform) -> Iterator[Balancer]:
    assert isinstance(platform.children, Two)
    platform.children.second()
    proxy = Balancer(platform)
    for name in WEBS:
        proxy.wait_for(name)
    proxy.session, *_ = made(platform, SIGN_IN)
    proxy.start()
    yield proxy
    proxy.stop()


def made(platform: Platform, code: str) -> list[str]:
    """What code prints that runs with the secrets of now."""
    with Manager(platform.children.env) as manager:
        return manager("shell", "--no-imports", "-c", code).split()


def finishes(platform: Platform) -> str:
    """Its id."""
    file = platform.upload(f"{uuid4()}.csv", b"a,b\n1,2\n")
    job = platform.submit("inspect", [file["id"]], key=str(uuid4()))
    assert platform.wait(job["id"], timeout_s=60)["state"] == "SUCCEEDED"
    return str(job["id"])


def test_password_of_the_database_changes_hands(platform: Platform, server: TlsPostgres, balancer: Balancer) -> None:
    who = "SELECT DISTINCT usename FROM pg_stat_activity WHERE usename IN (%s, %s)"
    with balancer.load():
        as_owner(platform, server, OTHER, PASSWORD.format(OTHER))
        platform.children.env["DATABASE_URL"] = server.address(OTHER)
        balancer.roll()
        # Nobody uses the old one, so it can be taken back.
        with psycopg.connect(server.address(MIGRATES), autocommit=True) as owner:
            deadline = time.monotonic() + 30
            while owner.execute(who, [APP, OTHER]).fetchall() != [(OTHER,)]:
                assert time.monotonic() < deadline
                time.sleep(0.2)
        as_owner(platform, server, APP, "nobody's any more")
        finishes(platform)
    assert balancer.wrong == []
    assert balancer.answered > 10
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.address(APP))


@dataclass
class HandedOut:
    """What people have in hands that the old key signed or encrypted."""

    balancer: Balancer
    ticket: str
    unsubscribe: str
    webhook: str
    put: dict[str, Any]

    @classmethod
    def now(cls, balancer: Balancer) -> HandedOut:
        wanted = {"name": f"{uuid4()}.csv", "size": len(TABLE), "crc64nvme": CRC}
        begun = balancer.platform.call("POST", "/uploads:batch", json={"uploads": [wanted]}).json()
        ticket, unsubscribe, webhook = made(balancer.platform, HAND_OUT)
        return cls(balancer, ticket, unsubscribe, webhook, begun["results"][0]["upload"]["put"])

    def answers(self) -> dict[str, int]:
        """Of whichever web process; the part is sent again and again, which does no harm."""
        with self.balancer.client() as client:
            asked = {
                "ticket": client.post(
                    "/api/v1/uploads",
                    params={"name": "a.csv"},
                    content=TABLE,
                    headers={"Authorization": f"Ticket {self.ticket}"},
                ),
                "part": client.put(self.put["url"], headers=self.put["headers"], content=TABLE),
                "unsubscribe": client.get(f"/unsubscribe/{self.unsubscribe}/"),
            }
        return {name: answer.status_code for name, answer in asked.items()}

    def is_sealed_by_a_key_of_now(self) -> bool:
        return made(self.balancer.platform, UNSEAL.format(self.webhook)) != []


def test_secret_key_changes_in_two_rolls_and_nobody_is_signed_out(platform: Platform, balancer: Balancer) -> None:
    env = platform.children.env
    old, new = env["ESTEIRA_SECRET_KEY"], "the-next-one-" + "2" * 32
    handed = HandedOut.now(balancer)
    good = handed.answers()
    assert good == {"ticket": 201, "part": 200, "unsubscribe": 200}
    with balancer.load():
        env["ESTEIRA_SECRET_KEY_FALLBACKS"] = new  # all know it before anybody writes with it
        balancer.roll(others=())
        env |= {"ESTEIRA_SECRET_KEY": new, "ESTEIRA_SECRET_KEY_FALLBACKS": old}
        balancer.roll()
        assert [handed.answers() for _ in WEBS] == [good, good]
        finishes(platform)
        with Manager(env) as manager:
            assert "1 secrets of webhooks sealed anew." in manager("reseal")
        # The session was written anew under the new key meanwhile: the old one can go.
        env.pop("ESTEIRA_SECRET_KEY_FALLBACKS")
        balancer.roll(others=())
    assert balancer.wrong == []
    assert handed.is_sealed_by_a_key_of_now()
    assert set(handed.answers().values()).isdisjoint({200, 201}), "the old key still counts"


def test_secret_key_that_changes_in_one_roll_signs_people_out(platform: Platform, balancer: Balancer) -> None:
    """Why it takes two: who has been seen by a process with the new key is nobody to those that only know the old."""
    env = platform.children.env
    env |= {"ESTEIRA_SECRET_KEY": "yet-another-" + "3" * 32, "ESTEIRA_SECRET_KEY_FALLBACKS": env["ESTEIRA_SECRET_KEY"]}
    renewed, late = WEBS
    assert isinstance(platform.children, Held)
    assert balancer.page_by(late).status_code == 200
    platform.children.restart(renewed)
    balancer.wait_for(renewed)
    assert balancer.page_by(renewed).status_code == 200
    assert "/login" in balancer.page_by(late).headers.get("location", "")
    balancer.roll()


def test_signing_key_changes_and_what_the_old_one_signed_counts(platform: Platform, balancer: Balancer) -> None:
    platform.children.env["ESTEIRA_SIGNING_KEY"] = new_signing_key()
    balancer.roll()
    before = manifest_of(platform, finishes(platform))
    _, old = opened(before, keys_of(platform))
    with balancer.load():
        platform.children.env["ESTEIRA_SIGNING_KEY"] = new_signing_key()
        balancer.roll()
        after = manifest_of(platform, finishes(platform))
    assert balancer.wrong == []
    _, new = opened(after, keys_of(platform))
    assert new.id != old.id
    assert opened(before, keys_of(platform))[1].id == old.id
    with Manager(platform.children.env) as manager:
        manager("signing_keys", "--revoke", old.id, "--reason", "stolen")
    with pytest.raises(BadSignatureError, match="stolen"):
        opened(before, keys_of(platform))
    assert opened(after, keys_of(platform))[1].id == new.id


def manifest_of(platform: Platform, job_id: str) -> bytes:
    return platform.call("GET", f"/jobs/{job_id}/manifest").content


def keys_of(platform: Platform) -> list[Key]:
    return read_keys(platform.call("GET", "/signing-keys").text)
