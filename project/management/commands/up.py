"""manage.py up, esteira up: start everything on this machine, show a first job, stop cleanly on Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from project import env
from project.children import BEAT, WEB, WEB_ENV, WORKER, Children
from project.embedded.errors import EmbeddedPostgresError
from project.embedded.postgres import EmbeddedPostgres

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

MANAGE: Final = ("-m", "project")
READY_S: Final = 60
SAMPLE: Final = settings.BASE_DIR / "orchestration" / "samples" / "penguins.csv"


class Stopped(Exception):
    """SIGTERM or SIGINT arrived."""


class Command(BaseCommand):
    help = "Start the whole platform on this machine and keep it running."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--no-sample", action="store_true", help="do not run the first sample job")

    def handle(self, *, no_sample: bool, **_: Any) -> None:
        self._only_one()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        children = Children(settings.ESTEIRA_HOME / "log", {}, self._say)
        postgres = self._database()
        try:
            if postgres is not None:
                _started(postgres)
            self._run(children, postgres, no_sample=no_sample)
        except Stopped:
            self._say("")
            self._say("Stopping …")
        finally:
            _ignore_signals()
            children.stop()
            if postgres is not None:
                postgres.stop()
        self._say("Everything has stopped. Your data is in " + str(settings.ESTEIRA_HOME))

    def _run(self, children: Children, postgres: EmbeddedPostgres | None, *, no_sample: bool) -> None:
        said = self._prepare()
        self._check_storage()
        children.start("web", WEB, stop_s=settings.DRAIN_S + settings.GRACE_S + 4, defaults=WEB_ENV)
        children.start("worker", WORKER, stop_s=8)
        children.start("beat", BEAT, stop_s=4)
        children.start("engine", [*MANAGE, "local_engine"], stop_s=12)
        self._wait_until_ready(children)
        self._welcome(said)
        if said["is_first"] and not no_sample and SAMPLE.exists():
            self._sample(children)
        self._say("Esteira is running. Stop it with Ctrl-C.")
        while True:
            children.watch()
            if postgres is not None and postgres.status().state == "stopped":
                self._say("PostgreSQL stopped unexpectedly; starting it again.")
                postgres.ensure_running()
            time.sleep(0.25)

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _only_one(self) -> None:
        home: Path = settings.ESTEIRA_HOME
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._lock = (home / "up.lock").open("a+")
        except OSError as exc:
            raise CommandError(f"Cannot write to {home}: {exc.strerror}. Set ESTEIRA_HOME to another folder.") from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(f"Esteira already runs from {home}. Look at {settings.PUBLIC_URL}") from None
        _refuse_taken_port()

    def _database(self) -> EmbeddedPostgres | None:
        """Our own server, unless the environment names another."""
        if env.is_given("DATABASE_URL"):
            return None
        return EmbeddedPostgres(settings.ESTEIRA_HOME, say=self._say)

    def _prepare(self) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-P", *MANAGE, "prepare"],
            stdout=subprocess.PIPE,
            text=True,
            check=False,
            start_new_session=True,
        )
        if done.returncode:
            raise CommandError("The database could not be prepared; the reason is above.")
        said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return said

    def _check_storage(self) -> None:
        """Where files go to object storage: whether they are safe there."""
        if not settings.USES_BUCKETS:
            return
        if subprocess.run(
            [sys.executable, "-P", *MANAGE, "check_storage"], check=False, start_new_session=True
        ).returncode:
            raise CommandError("Esteira does not start on this storage; the reason is above.")

    def _wait_until_ready(self, children: Children) -> None:
        url = f"http://{settings.ESTEIRA_HOST}:{settings.ESTEIRA_PORT}/health/ready"
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if not children.is_alive("web"):
                break
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
        log = children.log_of("web")
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CommandError(f"The web process did not come up. The end of {log}:\n{tail}")

    def _welcome(self, said: dict[str, Any]) -> None:
        self._say("")
        self._say(f"  Address   {settings.PUBLIC_URL}")
        self._say(f"  Data      {settings.ESTEIRA_HOME}")
        self._say(f"  User      {said['user']}")
        if said["password"]:
            self._say(f"  Password  {said['password']}   (shown this once; change it at {settings.PUBLIC_URL}/admin/)")
        self._say("")

    def _sample(self, children: Children) -> None:
        """The newcomer's first job, by the command everybody has."""
        self._say("A first job: profiling penguins.csv")
        esteira = [sys.executable, "-P", "-m", "api_app.client", "run", "tabular-profile", str(SAMPLE), "--watch"]
        env = {**os.environ, "ESTEIRA_HOME": str(settings.ESTEIRA_HOME)}
        job = subprocess.Popen(esteira, env=env)
        while job.poll() is None:
            children.watch()
            time.sleep(0.1)
        self._say("")


def _started(postgres: EmbeddedPostgres) -> None:
    try:
        postgres.ensure_running()
    except EmbeddedPostgresError as exc:
        raise CommandError(str(exc)) from exc


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise Stopped


def _ignore_signals() -> None:
    """A second Ctrl-C must not cut the orderly stop short and leave processes behind."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _refuse_taken_port() -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.ESTEIRA_HOST, settings.ESTEIRA_PORT))
        except OSError as exc:
            raise CommandError(
                f"Port {settings.ESTEIRA_PORT} on {settings.ESTEIRA_HOST} is taken ({exc.strerror}). "
                f"Stop what uses it, or choose another: set ESTEIRA_PORT={settings.ESTEIRA_PORT + 1}"
            ) from exc
