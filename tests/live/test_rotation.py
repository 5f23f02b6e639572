"""The database's password changes while people work: two web processes, rolled one by one, and nobody notices."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx
import psycopg
import pytest

from project.children import WEB, Child
from tests.live.conftest import KEPT
from tests.live.held import Held
from tests.live.manager import Manager
from tests.live.platform import free_port, running
from tests.live.tls_postgres import APP, MIGRATES, PASSWORD, TlsPostgres, tls_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.platform import Platform

pytestmark = [pytest.mark.xdist_group("rotation"), pytest.mark.slow, pytest.mark.timeout(400, func_only=True)]

OTHER: Final = "esteira_app_b"


@dataclass
class Balancer:
    """Sends to each web process in turn, and to none that is being rolled."""

    platform: Platform
    ports: dict[str, int]
    resting: str = ""
    wrong: list[str] = field(default_factory=list)
    answered: int = 0
    _busy: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                for name in self.ports:
                    with self._busy:
                        if name != self.resting:
                            self._ask(name)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def roll(self, *, others: tuple[str, ...] = ("worker", "beat", "engine")) -> None:
        """With the environment of now."""
        held = self.platform.children
        assert isinstance(held, Held)
        for name, port in self.ports.items():
            with self._busy:
                self.resting = name
            held.restart(name)
            deadline = time.monotonic() + 60
            while not _is_ready(port):
                assert time.monotonic() < deadline, self.platform.logs()
                time.sleep(0.1)
            with self._busy:
                self.resting = ""
        held.restart(*others)

    def _ask(self, name: str) -> None:
        port = self.ports[name]
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                listed = client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {self.platform.token}"})
                sent = client.post(
                    "/api/v1/uploads",
                    params={"name": f"{uuid4()}.csv"},
                    content=b"a\n1\n",
                    headers={"Authorization": f"Bearer {self.platform.token}"},
                )
        except httpx.TransportError as exc:
            self.wrong.append(f"{name}: {exc!r}")
            return
        if (listed.status_code, sent.status_code) != (200, 201):
            self.wrong.append(f"{name}: {listed.status_code}, {sent.status_code}")
        self.answered += 1


def _is_ready(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False, timeout=30)
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
    """With a second web process, at a port of its own."""

    def second(self) -> int:
        port = free_port()
        if not any(child.name == "web2" for child in self._children):
            # Whoever watches the children starts it, and nobody else: two would make two.
            self._children.append(Child("web2", ["env", f"ESTEIRA_PORT={port}", sys.executable, *WEB], 8))
            self._port = port
        return self._port


@pytest.fixture
def balancer(platform: Platform) -> Balancer:
    assert isinstance(platform.children, Two)
    ports = {"web": int(platform.url.rpartition(":")[2]), "web2": platform.children.second()}
    deadline = time.monotonic() + 60
    while not all(map(_is_ready, ports.values())):
        assert time.monotonic() < deadline, platform.logs()
        time.sleep(0.1)
    return Balancer(platform, ports)


def finishes(platform: Platform) -> None:
    file = platform.upload(f"{uuid4()}.csv", b"a,b\n1,2\n")
    job = platform.submit("inspect", [file["id"]], key=str(uuid4()))
    assert platform.wait(job["id"], timeout_s=60)["state"] == "SUCCEEDED"


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
