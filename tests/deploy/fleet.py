"""Web processes behind a balancer, workers and an engine, each of a release of its own: what a rolling update moves."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, override

import httpx
import psycopg

from project.children import BEAT, WEB, WEB_ENV, WORKER
from project.embedded.throwaway import throwaway
from tests.live.links import Link
from tests.live.manager import ROOT, Manager
from tests.live.migrated import migrated
from tests.live.platform import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

START_S: Final = 240
STOP_S: Final = 75
"""As a cluster: who takes longer is killed."""
DRAIN_S: Final = 2
LOOK_S: Final = 0.1


class Balancer(Link):
    """Spreads connections over what is ready, as a load balancer does: it looks at each, and forgets what is gone."""

    def __init__(self) -> None:
        super().__init__(0)
        self._turns = itertools.count()
        self._targets: dict[str, bool] = {}
        self._ended = threading.Event()

    def add(self, host: str) -> None:
        self._targets[host] = False
        threading.Thread(target=self._look, args=(host,), daemon=True).start()

    def forget(self, host: str) -> None:
        del self._targets[host]

    def ready(self) -> list[str]:
        return sorted(host for host, is_ready in self._targets.items() if is_ready)

    @override
    def stop(self) -> None:
        self._ended.set()
        super().stop()

    @override
    def _reach(self) -> socket.socket:
        for host in self._in_turn():
            with contextlib.suppress(ConnectionRefusedError):
                line = socket.create_connection((host, self.port), timeout=30)
                line.settimeout(None)
                return line
        raise ConnectionRefusedError

    def _in_turn(self) -> list[str]:
        ready = self.ready()
        first = next(self._turns) % max(1, len(ready))
        return ready[first:] + ready[:first]

    def _look(self, host: str) -> None:
        url = f"http://{host}:{self.port}/health/ready"
        while host in self._targets and not self._ended.wait(LOOK_S):
            with contextlib.suppress(httpx.TimeoutException):  # slow is not gone
                self._targets[host] = is_ready(url)


def is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10, trust_env=False).status_code == httpx.codes.OK
    except httpx.TimeoutException:
        raise
    except httpx.TransportError:
        return False


@dataclass
class Fleet:
    home: Path
    database_url: str
    balancer: Balancer
    manage: Manager
    token: str = ""
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    hosts: Iterator[int] = field(default_factory=lambda: itertools.count(2))

    @property
    def url(self) -> str:
        return self.balancer.url

    def start(self, name: str, command: list[str], release: Path = ROOT, **extra: str) -> None:
        env = {**os.environ, **environment(self.home, self.url, self.database_url), "ESTEIRA_PROCESS": name} | extra
        env["PYTHONFAULTHANDLER"] = "1"
        env.pop("PYTHONPATH", None)
        with (self.home / "log" / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *command], cwd=release, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def start_web(self, release: Path = ROOT) -> str:
        """Its address. On the same port as the balancer, since that is in the cookies' names."""
        host = f"127.0.0.{next(self.hosts)}"
        self.start(f"web {host}", WEB, release, **WEB_ENV, ESTEIRA_HOST=host, ESTEIRA_DRAIN_S=str(DRAIN_S))
        self.balancer.add(host)
        self._until(lambda: host in self.balancer.ready(), f"web {host}")
        return host

    def end_web(self, host: str) -> float:
        """The balancer notices by itself, and forgets it when the process is gone."""
        took = self.end(f"web {host}")
        self.balancer.forget(host)
        return took

    def take_away_web(self, host: str) -> None:
        """As a cluster does: the balancer hears of it first, and the process some time later (preStop)."""
        self.balancer.forget(host)
        time.sleep(1)
        self.end(f"web {host}")

    def start_worker(self, name: str, release: Path = ROOT) -> None:
        self.start(name, [*WORKER[:-1], f"{name.replace(' ', '-')}@local"], release)

    def start_beat(self, release: Path = ROOT) -> None:
        self.start("beat", BEAT, release)

    def start_engine(self, release: Path = ROOT) -> None:
        self.start("engine", [str(release / "manage.py"), "local_engine", "--server", self.url], release)

    def end(self, name: str) -> float:
        """Seconds that it took after SIGTERM."""
        process, began = self.running.pop(name), time.monotonic()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)
            process.wait()
            threads = (self.home / "log" / f"{name}.log").read_text(errors="replace").partition("Fatal Python error")[2]
            raise AssertionError(f"{name} does not end: {threads[:8_000]}") from None
        return time.monotonic() - began

    def sql(self, query: str, *params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query, params).fetchall()

    def logs(self) -> str:
        last = {log.name: log.read_text(errors="replace").splitlines()[-60:] for log in (self.home / "log").iterdir()}
        return "\n".join(f"--- {name}\n" + "\n".join(lines) for name, lines in last.items())

    def publish(self, text: str) -> None:
        folder = Path(tempfile.mkdtemp(dir=self.home))
        (folder / "pipeline.yaml").write_text(text)
        self.manage("pipelines", "publish", str(folder))

    def _until(self, is_so: Any, name: str) -> None:
        deadline = time.monotonic() + START_S
        while not is_so():
            assert self.running[name].poll() is None, f"{name} has ended\n{self.logs()}"
            assert time.monotonic() < deadline, f"{name} did not come up\n{self.logs()}"
            time.sleep(0.05)

    def end_all(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def fleet() -> Iterator[Fleet]:
    """A database with its tables, an administrator, and nobody running yet."""
    home = Path(tempfile.mkdtemp(prefix="esteira-fleet-"))
    (home / "log").mkdir()
    balancer = Balancer()
    with throwaway({"synchronous_commit": "on"}, like=migrated()) as postgres, contextlib.ExitStack() as lives:
        manager = lives.enter_context(Manager(environment(home, balancer.url, postgres.url)))
        some = Fleet(home, postgres.url, balancer, manager)
        manager("prepare")
        some.token = json.loads((home / "cli.json").read_text())["token"]
        balancer.start()
        try:
            yield some
        finally:
            some.end_all()
            balancer.stop()
            shutil.rmtree(home, ignore_errors=True)
