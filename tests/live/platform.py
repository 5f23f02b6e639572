"""Starts web, worker and engine as `manage.py up` does, on a database and a home of their own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx
import psycopg

from orchestration import crc64
from project.children import BEAT, WEB, WEB_ENV, WORKER, Children
from project.embedded.throwaway import throwaway
from tests.live.manager import Manager
from tests.live.migrated import migrated
from tests.live.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from project.embedded.postgres import Status

ROOT = Path(__file__).resolve().parents[2]
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server(Protocol):
    """Of the database."""

    @property
    def url(self) -> str: ...
    def status(self) -> Status: ...
    def ensure_running(self) -> str: ...


@dataclass
class Platform:
    """A running platform. `call` is a client that never gives up: it repeats what got no answer."""

    home: Path
    url: str
    database_url: str
    postgres: Server
    children: Children
    token: str
    manager: Manager
    said: list[str] = field(default_factory=list)
    relay: Relay | None = None

    def call(self, method: str, path: str, *, patience_s: float = 60, **kwargs: Any) -> httpx.Response:
        deadline = time.monotonic() + patience_s
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        while True:
            try:
                answer = httpx.request(
                    method, f"{self.url}/api/v1{path}", headers=headers, timeout=30, trust_env=False, **kwargs
                )
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            else:
                if answer.status_code not in {429, 500, 502, 503, 504} or time.monotonic() > deadline:
                    return answer
            time.sleep(0.1)

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        answer = self.call("POST", "/uploads", params={"name": name}, content=data)
        if answer.json().get("code") == "send_directly":
            return self._upload_directly(name, data)
        assert answer.status_code == 201, answer.text
        file: dict[str, Any] = answer.json()["file"]
        return file

    def _upload_directly(self, name: str, data: bytes) -> dict[str, Any]:
        """Where files lie in buckets."""
        wanted = {"name": name, "size": len(data), "crc64nvme": crc64.to_text(crc64.update(data))}
        (begun,) = self.call("POST", "/uploads:batch", json={"uploads": [wanted]}).json()["results"]
        put = begun["upload"]["put"]
        sent = httpx.put(put["url"], headers=put["headers"], content=data, timeout=30, trust_env=False)
        assert sent.is_success, sent.text
        (done,) = self.call("POST", "/uploads:complete", json={"ids": [begun["upload"]["id"]]}).json()["results"]
        file: dict[str, Any] = done["upload"]["file"]
        return file

    def content(self, file_id: str) -> bytes:
        """Of a file, wherever it lies."""
        answer = self.call("GET", f"/files/{file_id}/content")
        if answer.has_redirect_location:
            answer = httpx.get(answer.headers["location"], timeout=30, trust_env=False)
        assert answer.is_success, answer.text
        return answer.content

    def submit(self, pipeline: str, inputs: list[str], *, key: str, **fields: Any) -> dict[str, Any]:
        body = {"pipeline": pipeline, "inputs": inputs, **fields}
        answer = self.call("POST", "/jobs", json=body, headers={"Idempotency-Key": key})
        assert answer.status_code in {200, 201}, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.call("GET", f"/jobs/{job_id}").json()
        return job

    def wait(self, job_id: str, *, timeout_s: float = 60) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while True:
            job = self.job(job_id)
            if job["state"] in TERMINAL:
                return job
            assert time.monotonic() < deadline, f"still {job['state']}: {job}"
            time.sleep(0.05)

    def sql(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, params).fetchall()

    def publish(self, text: str) -> None:
        folder = Path(tempfile.mkdtemp(dir=self.home))
        (folder / "pipeline.yaml").write_text(text)
        self.manage("pipelines", "publish", str(folder))

    def manage(self, *words: str) -> str:
        return self.manager(*words)

    def pid(self, name: str) -> int:
        return self.children.pid(name)

    def kill(self, name: str) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid(name), signal.SIGKILL)

    def logs(self) -> str:
        logs = sorted((self.home / "log").glob("*.log"))
        last = {log.name: log.read_text(errors="replace").splitlines()[-40:] for log in logs}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in last.items())


def environment(home: Path, url: str, database_url: str) -> dict[str, str]:
    return {
        "ESTEIRA_HOME": str(home),
        "ESTEIRA_PORT": url.rpartition(":")[2],
        "DATABASE_URL": database_url,
        "ESTEIRA_BROKER_URL": "pgmq://",
        "ESTEIRA_SECRET_KEY": "only-for-tests-" + "1" * 32,
        "ESTEIRA_STEP_ISOLATION": "none",
    }


@contextlib.contextmanager
def running(
    extra: dict[str, str] | None = None,
    settings: dict[str, str] | None = None,
    *,
    relayed: bool = False,
    with_engine: bool = True,
    children_of: Callable[[Path, dict[str, str], Callable[[str], None]], Children] = Children,
    server: AbstractContextManager[Server] | None = None,
    prepare: Callable[[dict[str, str]], None] | None = None,
) -> Iterator[Platform]:
    """The platform, ready. Everything it started is gone afterwards. `relayed`: with every byte to and fro counted.

    `server` instead of an embedded one; `prepare` makes its tables, where the platform's user may not.

    Without engine, attempts are written and nobody takes them: whoever is tested plays the engine.

    A commit waits for its log here, unlike in the other tests: these kill PostgreSQL, and what was promised
    must be there after. (Run with synchronous_commit=off, the oracle finds lost jobs: it is no ornament.)
    """
    home = Path(tempfile.mkdtemp(prefix="esteira-live-"))
    with (
        server or throwaway({"synchronous_commit": "on", **(settings or {})}, like=migrated()) as postgres,
        contextlib.ExitStack() as lives,
    ):
        url = f"http://127.0.0.1:{free_port()}"
        extra = {name: value.replace("{port}", url.rpartition(":")[2]) for name, value in (extra or {}).items()}
        env = environment(home, url, postgres.url) | extra
        said: list[str] = []
        children = children_of(home / "log", env, said.append)
        manager = lives.enter_context(Manager(env))
        platform = Platform(home, url, postgres.url, postgres, children, "", manager, said)
        prepare(env) if prepare else platform.manage("prepare")
        platform.token = json.loads((home / "cli.json").read_text())["token"]
        stop = threading.Event()
        keeper = threading.Thread(target=_keep, args=(children, postgres, stop), daemon=True)
        children.start("web", WEB, stop_s=8, defaults=WEB_ENV)
        children.start("worker", WORKER, stop_s=8)
        children.start("beat", BEAT, stop_s=4)
        if relayed:
            platform.relay = relay = Relay(int(url.rpartition(":")[2]))
            relay.start()
            platform.url = relay.url
        if with_engine and env.get("ESTEIRA_ENGINE", "local") == "local":
            engine = [str(ROOT / "manage.py"), "local_engine", "--server", platform.url]
            children.start("engine", engine, stop_s=12)
        keeper.start()
        try:
            _wait_until_ready(platform)
            yield platform
        finally:
            stop.set()
            keeper.join()
            children.stop()
            if platform.relay:
                platform.relay.stop()
            shutil.rmtree(home, ignore_errors=True)


def _keep(children: Children, postgres: Server, stop: threading.Event) -> None:
    """What `manage.py up` does while it runs."""
    while not stop.wait(0.1):
        children.watch()
        if postgres.status().state == "stopped":
            postgres.ensure_running()


def _wait_until_ready(platform: Platform) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{platform.url}/health/ready", timeout=5, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"the platform did not come up\n{platform.logs()}")
