"""Makes a cluster, starts its server and stops it: everything that runs one of PostgreSQL's programs."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from project.embedded.errors import EmbeddedPostgresError
from project.embedded.place import Place
from project.embedded.postmaster import PID_FILE, Postmaster, find_postmaster, is_gone, is_postmaster
from project.embedded.server_files import server_major
from project.embedded.troubles import explain

ROLE = DATABASE = "esteira"
POLL_S = 0.005
START_LIMIT_S = 300
# Nothing of the caller's environment: PGDATA, PGOPTIONS or LD_LIBRARY_PATH would change what runs.
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "128MB",
    # Safe through a power cut; a test's throwaway cluster turns these off.
    "fsync": "on",
    "full_page_writes": "on",
    # The default and what Aurora has; `minimal` would save little and rule out a base backup.
    "wal_level": "replica",
    # Short queries by id gain nothing from compiled plans, and the first one pays for the compiler.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "logging_collector": "on",
    # A new file every 10 MB; `ensure_running` keeps the newest few.
    "log_filename": "server-%Y%m%d-%H%M%S.log",
    "log_rotation_size": "10MB",
    "log_rotation_age": "0",
}
LOGS_KEPT = 5

# The server becomes nobody's child: no zombie, and a session of its own keeps it alive when ours is killed
# or its terminal closed. The shell has the lock as its input and stays until the server has noted its pid:
# were we killed in between, the next starter could otherwise not see that server and start a second one.
START_SCRIPT = """
log="$1"; pid_file="$2"; shift 2
"$@" </dev/null >"$log" 2>&1 &
echo $!
while kill -0 $! 2>/dev/null && ! [ -s "$pid_file" ]; do sleep 0.01; done
"""


@dataclass(frozen=True)
class Cluster:
    place: Place
    programs: Path

    def create(self, *, passwords: Mapping[str, str], keep_open: int, sync: bool) -> None:
        """Make the cluster in a folder of another name and rename it: it is complete or absent.

        `keep_open` is the lock's descriptor. The children hold it too, so that the lock outlives us if
        we are killed while they still write.
        """
        for leftover in self.place.root.glob("data.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix="data.new-", dir=self.place.root))
        self.place.account.give(fresh, 0o700)
        password_file = self.place.root / ".initdb-password"
        password_file.unlink(missing_ok=True)
        password_file.touch(mode=0o600)
        password_file.write_text(passwords["postgres"], encoding="utf-8")
        self.place.account.give(password_file, 0o600)
        try:
            self._run(
                "initdb", "--pgdata", str(fresh), "--username=postgres", f"--pwfile={password_file}",
                "--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--no-locale",
                "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums",
                *([] if sync else ["--no-sync"]),
                keep_open=keep_open,
            )  # fmt: skip
            # The platform's own role is no superuser, as on Aurora. It may make the databases of tests.
            self._sql_offline(
                fresh,
                f"CREATE ROLE {ROLE} LOGIN CREATEDB PASSWORD '{passwords[ROLE]}'",
                f"CREATE DATABASE {DATABASE} OWNER {ROLE}",
                keep_open=keep_open,
            )
            fresh.rename(self.place.data)
        finally:
            password_file.unlink()
            shutil.rmtree(fresh, ignore_errors=True)  # gives a full disk its space back

    def set_passwords(self, passwords: Mapping[str, str], *, keep_open: int) -> None:
        changes = [f"ALTER ROLE {role} PASSWORD '{password}'" for role, password in passwords.items()]
        self._sql_offline(self.place.data, *changes, keep_open=keep_open)

    def check_version(self) -> None:
        try:
            found = (self.place.data / "PG_VERSION").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise EmbeddedPostgresError(
                f"{self.place.data} is there but holds no database (no PG_VERSION in it). Put its content "
                "back or move the folder away to start with an empty database."
            ) from None
        ours = server_major()
        if found != str(ours):
            raise EmbeddedPostgresError(
                f"The database in {self.place.data} was made by PostgreSQL {found}, and this is PostgreSQL "
                f"{ours}. Go back to the Esteira that made it and write it out with `pg_dump`; then move "
                "that folder away, start this Esteira and read the dump in. Nothing was changed."
            )

    def start(self, *, sockets: Path | None, port: int, settings: Mapping[str, str], keep_open: int) -> Postmaster:
        self._write_settings({**SETTINGS, **settings})
        self._clear_after_crash(sockets)
        listen = (
            [f"unix_socket_directories={sockets}", "listen_addresses="]
            if sockets
            else ["unix_socket_directories=", "listen_addresses=127.0.0.1"]
        )
        pid_file = self.place.data / PID_FILE
        server = [
            str(self.programs / "postgres"), "-D", str(self.place.data),
            f"--config-file={self.place.settings}",
            *(word for setting in [*listen, f"port={port}"] for word in ("-c", setting)),
        ]  # fmt: skip
        started = self._program(
            ["/bin/sh", "-c", START_SCRIPT, "sh", str(self.place.start_log), str(pid_file), *server],
            stdin=keep_open,
            keep_open=keep_open,
            session=True,
        )
        return self.wait_until_ready(int(started))

    def wait_until_ready(self, pid: int) -> Postmaster:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            found = find_postmaster(self.place.data)
            if found and found.is_ready:  # ours, or that of somebody who was killed while starting it
                return found
            if not found and is_gone(pid):
                raise self._why_it_ended()
            time.sleep(POLL_S)
        raise EmbeddedPostgresError(
            f"The database in {self.place.data} is not ready after {START_LIMIT_S} s. It may still be "
            f"recovering from a crash: its log is in {self.place.log}. Run the command again "
            "to go on waiting."
        )

    def _why_it_ended(self) -> EmbeddedPostgresError:
        texts = [self.place.start_log, *newest_logs(self.place.log)[:1]]
        words = "\n".join(path.read_text(errors="replace") for path in texts if path.exists())
        return explain(words, place=self.place.data, doing="starting the server")

    def _clear_after_crash(self, sockets: Path | None) -> None:
        # Called under the lock and only when no server of this folder lives. The server itself believes
        # any living process of the same user that carries a number noted here, and refuses to start.
        (self.place.data / PID_FILE).unlink(missing_ok=True)
        for left in sockets.glob(".s.PGSQL.*") if sockets else ():
            left.unlink()

    def _write_settings(self, settings: Mapping[str, str]) -> None:
        # Outside the data folder: root never writes where the server's account could plant a link.
        log = str(self.place.log).replace("'", "''")
        made_by_initdb = str(self.place.data / "postgresql.conf").replace("'", "''")
        lines = [
            f"include_if_exists = '{made_by_initdb}'",  # what initdb found to work on this machine
            *(f"{name} = '{value}'" for name, value in settings.items()),
            f"log_directory = '{log}'",
        ]
        head = "# Written at every start. To change a setting for good use ALTER SYSTEM as role postgres."
        fresh = self.place.settings.with_suffix(".new")
        fresh.write_text("\n".join([head, *lines, ""]), encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(self.place.settings)

    def stop(self, pid: int, stop_signal: signal.Signals, *, wait_s: float) -> None:
        os.kill(pid, stop_signal)
        deadline = time.monotonic() + wait_s
        while is_postmaster(pid, self.place.data):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The database server (process {pid}) did not stop within {wait_s:.0f} s. "
                    f"Its log is in {self.place.log}."
                )
            time.sleep(POLL_S)

    def _sql_offline(self, data: Path, *statements: str, keep_open: int) -> None:
        # Single-user mode needs no server, socket or password, and reads one statement a line.
        sql = "\n".join(statements) + "\n"
        said = self._run("postgres", "--single", "-D", str(data), "postgres", sql=sql, keep_open=keep_open)
        if "ERROR:" in said or "FATAL:" in said:
            raise explain(said, place=self.place.root, doing="preparing the database")

    def _run(self, program: str, *words: str, sql: str = "", keep_open: int) -> str:
        with tempfile.TemporaryFile("w+") as statements:
            statements.write(sql)
            statements.seek(0)
            return self._program([str(self.programs / program), *words], stdin=statements.fileno(), keep_open=keep_open)

    def _program(self, words: list[str], *, stdin: int, keep_open: int, session: bool = False) -> str:
        done = subprocess.run(
            words,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",  # ours may be a folder that the account cannot enter
            env=ENVIRONMENT,
            pass_fds=[] if stdin == keep_open else [keep_open],
            start_new_session=session,
            umask=0o077,
            check=False,
            **self.place.account.child_identity(),
        )
        if done.returncode != 0:
            raise explain(done.stdout, place=self.place.root, doing=f"running {Path(words[0]).name}")
        return done.stdout


def new_passwords() -> dict[str, str]:
    return {role: secrets.token_urlsafe(24) for role in ("postgres", ROLE)}


def newest_logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("server-*.log"), reverse=True)
