"""Caddy with the very Caddyfile of deploy/compose in front of a platform that runs: TLS, uploads, live updates."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
import pytest
from websockets.sync.client import connect

from project.embedded.debian import CADDY
from tests.deploy.composed import FOLDER
from tests.live.platform import Platform, free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("compose-proxy"), pytest.mark.slow, pytest.mark.timeout(300)]

HELD: Final = """\
pipeline: held
version: 1.0.0
title: Waits until a file is there
steps:
  - name: wait
    command: [sh, -c, 'echo begun; while [ ! -e "{gate}" ]; do sleep 0.05; done']
"""


@dataclass
class Proxy:
    url: str
    plain: str
    trust: ssl.SSLContext

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.trust, trust_env=False, timeout=60, **options)


@contextmanager
def caddy(upstream: str, folder: Path) -> Iterator[Proxy]:
    program = CADDY.path()
    if program is None:
        pytest.skip("this machine has no caddy")
    plain, secure = free_port(), free_port()
    env = {
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "SITES": "localhost",
        "ACME_EMAIL": "you@example.org",
        "HTTP_PORT": str(plain),
        "HTTPS_PORT": str(secure),
        "HEALTH_PORT": str(free_port()),
        "UPSTREAM": upstream,
    }
    words = ["run", "--adapter", "caddyfile", "--config", str(FOLDER / "Caddyfile")]
    with (folder / "caddy.log").open("w") as log:
        process = subprocess.Popen([program, *words], env=env, stdout=log, stderr=log)
    root = folder / "data/caddy/pki/authorities/local/root.crt"
    try:
        deadline = time.monotonic() + 60
        while True:
            said = (folder / "caddy.log").read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            # Its certificate for the name comes a moment after its own root.
            with suppress(OSError):
                trust = ssl.create_default_context(cafile=str(root))
                with socket.create_connection(("127.0.0.1", secure), 60) as line:
                    trust.wrap_socket(line, server_hostname="localhost").close()
                break
            time.sleep(0.1)
        yield Proxy(f"https://localhost:{secure}", f"http://localhost:{plain}", trust)
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    """With the settings that compose.yaml gives, as far as they are about the proxy."""
    if CADDY.path() is None:
        pytest.skip("this machine has no caddy")
    with running(
        {
            "ESTEIRA_TRUSTED_PROXIES": "127.0.0.1",
            "ESTEIRA_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "ESTEIRA_HTTPS": "true",
        }
    ) as platform:
        yield platform


@pytest.fixture(scope="module")
def proxy(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with caddy(platform.url.removeprefix("http://"), tmp_path_factory.mktemp("caddy")) as proxy:
        yield proxy


@pytest.fixture
def gate(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """A file that jobs of the pipeline `held` wait for."""
    gate = platform.home / "gate"
    platform.publish(HELD.replace("{gate}", str(gate)))
    yield gate
    gate.unlink(missing_ok=True)


def bearer(platform: Platform) -> dict[str, str]:
    return {"Authorization": f"Bearer {platform.token}"}


def test_pages_come_by_https_with_the_platforms_own_headers(platform: Platform, proxy: Proxy) -> None:
    with proxy.client(follow_redirects=True) as client:
        page = client.get("/", headers={"X-Forwarded-Proto": "http", "X-Forwarded-For": "203.0.113.9"})
        assert page.status_code == 200
        assert page.url.scheme == "https"
        assert any(cookie.name.startswith("__Host-") and cookie.secure for cookie in client.cookies.jar)
        assert page.headers["strict-transport-security"]
        assert page.headers.get_list("content-security-policy")[0].startswith("default-src 'self'")
        assert "server" not in page.headers
    there = httpx.get(proxy.plain, trust_env=False)
    assert there.status_code == 308
    assert there.headers["location"].startswith("https://localhost")


def test_large_upload_goes_through_and_comes_back_whole(platform: Platform, proxy: Proxy) -> None:
    data = os.urandom(1 << 20) * 48
    with proxy.client(headers=bearer(platform)) as client:
        sent = client.post("/api/v1/uploads", params={"name": "large.bin"}, content=iter([data[:1000], data[1000:]]))
        assert sent.status_code == 201, sent.text
        back = client.get(f"/api/v1/files/{sent.json()['file']['id']}/content", follow_redirects=True)
    assert hashlib.sha256(back.content).digest() == hashlib.sha256(data).digest()


def held(platform: Platform) -> str:
    file = platform.upload(f"{uuid4()}.txt", b"words")
    job_id: str = platform.submit("held", [file["id"]], key=str(uuid4()))["id"]
    return job_id


def test_events_come_while_the_job_runs(platform: Platform, proxy: Proxy, gate: Path) -> None:
    """Held back by the proxy they would come when the job ends, and it does not end before they have come."""
    job_id = held(platform)
    with (
        proxy.client(headers={**bearer(platform), "Accept": "text/event-stream"}) as client,
        client.stream("GET", f"/api/v1/jobs/{job_id}/events") as stream,
    ):
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:"))
        gate.touch()
        assert "event: end" in list(lines)
    assert platform.wait(job_id)["state"] == "SUCCEEDED"


def test_log_comes_as_it_is_written(platform: Platform, proxy: Proxy, gate: Path) -> None:
    """No stream by its type: it is passed on at once because it has no length."""
    job_id = held(platform)
    attempt = until_running(platform, job_id)
    with (
        proxy.client(headers=bearer(platform)) as client,
        client.stream("GET", f"/api/v1/attempts/{attempt}/log", params={"offset": 0, "follow": "true"}) as stream,
    ):
        lines = stream.iter_lines()
        assert next(line for line in lines if "begun" in line)
        gate.touch()
        list(lines)
    assert platform.wait(job_id)["state"] == "SUCCEEDED"


def until_running(platform: Platform, job_id: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        attempts = platform.call("GET", f"/jobs/{job_id}/attempts").json()["items"]
        if attempts and attempts[0]["state"] == "RUNNING":
            return str(attempts[0]["id"])
        assert time.monotonic() < deadline, attempts
        time.sleep(0.1)


def test_socket_brings_events_while_the_job_runs(platform: Platform, proxy: Proxy, gate: Path) -> None:
    job_id = held(platform)
    address = f"{proxy.url.replace('https', 'wss')}/api/v1/jobs/{job_id}/events"
    with connect(address, ssl=proxy.trust, additional_headers=bearer(platform), proxy=None) as line:
        while json.loads(line.recv(timeout=60))["id"] is None:
            pass
        gate.touch()
        heard = [json.loads(text)["event"] for text in line]
    assert "end" in heard
    assert platform.wait(job_id)["state"] == "SUCCEEDED"


def test_request_waits_while_the_web_process_is_replaced(tmp_path: Path) -> None:
    port = free_port()
    answers: list[int] = []
    with caddy(f"127.0.0.1:{port}", tmp_path) as proxy, proxy.client() as client:
        asking = threading.Thread(target=lambda: answers.append(client.get("/").status_code))
        asking.start()
        # Until it has been refused for the first time, which nobody sees from outside but in time.
        asking.join(1)
        assert answers == []
        (tmp_path / "site").mkdir()
        with serving(port, tmp_path / "site"):
            asking.join(30)
    assert answers == [200]


@contextmanager
def serving(port: int, folder: Path) -> Iterator[None]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield
        server.shutdown()
        thread.join()
    shutil.rmtree(folder)
