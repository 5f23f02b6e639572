"""The database of the embedded mode: a PostgreSQL server of our own, below `$ESTEIRA_HOME`.

It is started when somebody needs it and then belongs to nobody: it outlives whoever started it, and
the next process finds it again. Any number of processes may ask at once; a lock lets one of them start it.
"""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from project.embedded.address import database_url
from project.embedded.cluster import (
    DATABASE,
    ENVIRONMENT,
    LOGS_KEPT,
    ROLE,
    Cluster,
    new_passwords,
    newest_logs,
)
from project.embedded.errors import EmbeddedPostgresError
from project.embedded.place import Place, find_place, forget_socket_folder, private_file, socket_folder
from project.embedded.postmaster import Postmaster, find_postmaster
from project.embedded.server_files import own_programs, programs_for
from project.embedded.troubles import explain_os_error

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError", "Status"]

StopMode = Literal["smart", "fast", "immediate"]
STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
STOP_LIMIT_S = 60
PORT_TRIES = 3


@dataclass(frozen=True)
class Status:
    state: Literal["stopped", "starting", "running"]
    pid: int | None
    data: Path
    log: Path


class EmbeddedPostgres:
    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] | None = None,
        say: Callable[[str], object] = lambda _sentence: None,
    ) -> None:
        """`home` is `$ESTEIRA_HOME`; `say` gets a sentence now and then that a person may want to read."""
        self.home = home.resolve()
        self._own = self.home / "postgres"
        self._settings = dict(settings or {})
        self._say = say

    def ensure_running(self) -> str:
        """Start the server unless it runs, and return its address. Cheap when it runs: call it any time."""
        try:
            with self._locked() as lock:
                place = find_place(self._own)
                for old in newest_logs(place.log)[LOGS_KEPT:]:
                    old.unlink()
                server = self._started(place, lock=lock)
                url = self._address(server)
                noted = self._own / "url"
                if not noted.exists() or noted.read_text(encoding="utf-8") != url:
                    private_file(noted, url)
                return url
        except OSError as exc:
            raise explain_os_error(exc, place=self._own) from exc

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and wait for its end; nothing happens when it does not run."""
        if not self._own.exists():
            return
        with self._locked():
            place = find_place(self._own)
            if server := find_postmaster(place.data):
                Cluster(place, own_programs()).stop(server.pid, STOP_SIGNALS[mode], wait_s=STOP_LIMIT_S)
                forget_socket_folder(server.socket_folder)

    def status(self) -> Status:
        root = find_place(self._own).root if self._own.exists() else self._own
        server = find_postmaster(root / "data")
        state: Literal["stopped", "starting", "running"] = "stopped"
        if server:
            state = "running" if server.is_ready else "starting"
        return Status(state, server.pid if server else None, data=root / "data", log=root / "log")

    @property
    def url(self) -> str:
        return self._address(self._running())

    def create_database(self, name: str) -> str:
        """Make a database beside the platform's own, unless it is there, and return its address."""
        server = self._running()
        quoted = '"' + name.replace('"', '""') + '"'
        made = subprocess.run(
            [
                own_programs() / "psql", "--no-psqlrc", f"--username={ROLE}", f"--dbname={DATABASE}",
                f"--host={server.socket_folder or '127.0.0.1'}", f"--port={server.port}",
                f"--command=CREATE DATABASE {quoted}",
            ],
            # The password travels in the environment: every user of the machine can read a command line.
            env={**ENVIRONMENT, "PGPASSWORD": self._password(ROLE)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if made.returncode != 0 and "already exists" not in made.stderr:
            raise EmbeddedPostgresError(f"Could not make the database {name}: {made.stderr.strip()}")
        return self._address(server, database=name)

    def _running(self) -> Postmaster:
        server = find_postmaster(find_place(self._own).data) if self._own.exists() else None
        if not server or not server.is_ready:
            raise EmbeddedPostgresError(f"The database in {self._own} is not running. `esteira up` starts it.")
        return server

    def _started(self, place: Place, *, lock: int) -> Postmaster:
        server = find_postmaster(place.data)
        if server and server.is_ready:
            return server
        if server:  # it recovers from a crash, or whoever started it was killed meanwhile
            return Cluster(place, own_programs()).wait_until_ready(server.pid)
        cluster = self._prepared(place, lock=lock)
        if sockets := socket_folder(place):
            return cluster.start(sockets=sockets, port=5432, settings=self._settings, keep_open=lock)
        self._say("No private folder for a socket was to be had: the database listens on 127.0.0.1 instead.")
        for _ in range(PORT_TRIES - 1):
            with contextlib.suppress(EmbeddedPostgresError):  # somebody took the port in between
                return cluster.start(sockets=None, port=_free_port(), settings=self._settings, keep_open=lock)
        return cluster.start(sockets=None, port=_free_port(), settings=self._settings, keep_open=lock)

    def _prepared(self, place: Place, *, lock: int) -> Cluster:
        """Put on disk what a start needs: programs, a cluster of the right version, passwords."""
        if place.root != self._own:
            self._say(
                f"The database lives in {place.root}: PostgreSQL runs as {place.account.name}, and that "
                f"user cannot enter {self._own}."
            )
        place.log.mkdir(exist_ok=True)
        place.account.give(place.log, 0o700)
        cluster = Cluster(place, programs_for(place.account, cache=place.programs_cache))
        is_new = not place.data.exists()
        passwords = new_passwords()
        if not is_new:
            cluster.check_version()
            passwords = {role: new for role, new in passwords.items() if not self._password_file(role).exists()}
        for role, password in passwords.items():
            private_file(self._password_file(role), password)
        if is_new:
            self._say(f"Making an empty database in {place.data}.")
            cluster.create(passwords=passwords, keep_open=lock, sync=self._settings.get("fsync") != "off")
        elif passwords:
            self._say("A password file of the database was missing; it is there again, with a new password.")
            cluster.set_passwords(passwords, keep_open=lock)
        return cluster

    def _address(self, server: Postmaster, *, database: str = DATABASE) -> str:
        return database_url(server, database=database, password=self._password(ROLE))

    def _password(self, role: str) -> str:
        try:
            return self._password_file(role).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self._password_file(role)} is missing while the database runs. Stop Esteira and start it "
                "again: the file is then made anew."
            ) from None

    def _password_file(self, role: str) -> Path:
        return self._own / f"password-{role}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """One process at a time starts or stops this cluster; the system frees the lock of a dead one."""
        if not self._own.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            self._own.mkdir(mode=0o711, exist_ok=True)
        descriptor = os.open(self._own / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._share_with_owner_of_home()
            yield descriptor
        finally:
            os.close(descriptor)

    def _share_with_owner_of_home(self) -> None:
        # `sudo make run` in somebody's clone must not lock that somebody out of the folder afterwards.
        owner = self.home.stat()
        for path in (self._own, self._own / "lock"):
            if os.geteuid() == 0 and path.stat().st_uid != owner.st_uid:
                os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
