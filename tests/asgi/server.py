"""The web process as it really runs, on the database of the tests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from django.conf import settings
from django.db import connection
from django.test import Client
from psycopg.conninfo import make_conninfo

from tests.live.platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import User

ROOT = Path(__file__).resolve().parents[2]
START_S = 120


@dataclass
class Server:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str, token: str = "", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        return httpx.get(self.url + path, headers=headers, trust_env=False, timeout=30, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def say(self, data: bytes) -> bytes:
        """Everything that comes back on one connection until the server closes it or falls silent for 2 s."""
        heard = b""
        with self.connect() as line:
            line.sendall(data)
            line.settimeout(2)
            with contextlib.suppress(TimeoutError, ConnectionError):
                while more := line.recv(65_536):
                    heard += more
        return heard

    def memory_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def stop(self) -> float:
        """Seconds it took after SIGTERM."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=20)
        return time.monotonic() - begin


def cookie_of(user: User, server: Server) -> str:
    """The Cookie header of a signed-in browser."""
    browser = Client()
    browser.force_login(user)
    return f"esteira{server.port}-session={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


def database_url() -> str:
    """Of the database that this test run uses, not the one it was created from."""
    settings_dict = connection.settings_dict
    return make_conninfo(
        dbname=settings_dict["NAME"],
        user=settings_dict["USER"],
        password=settings_dict["PASSWORD"],
        host=settings_dict["HOST"],
        port=settings_dict["PORT"],
    )


def environment(port: int, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "ESTEIRA_HOME": str(home),
        "ESTEIRA_PORT": str(port),
        "DATABASE_URL": database_url(),
        "ESTEIRA_PROCESS": "web",
        "ESTEIRA_BROKER_URL": "memory://",
    }


@contextlib.contextmanager
def serving(*, prelude: str = "", **extra: str) -> Iterator[Server]:
    """`prelude` is Python that runs in the process before it serves."""
    port = int(extra.get("ESTEIRA_PORT", free_port()))
    with tempfile.TemporaryDirectory(prefix="esteira-web-") as folder:
        home = Path(folder)
        env = environment(port, home) | extra
        code = f"from project import serve\n{prelude}\nserve.main()"
        with (home / "web.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, "-c", code], env=env, cwd=ROOT, stdout=log, stderr=log)
        server = Server(process, port, home / "web.log")
        try:
            _wait_until_ready(server)
            yield server
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=10)
            if process.poll() is None:
                process.kill()
                process.wait()


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and server.process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if server.get("/health/ready").status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise AssertionError(f"the web process did not come up:\n{server.log.read_text()}")
