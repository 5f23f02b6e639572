"""PostgreSQL as in production: over TLS with a private authority or not at all, and each role with its own password."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
import trustme
from psycopg.conninfo import make_conninfo

from project.embedded.account import choose_account
from project.embedded.debian import POSTGRES
from project.embedded.postgres import Status
from project.embedded.throwaway import temporary_root
from tests.live.platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMINISTRATOR, MIGRATES, APP = "administrator", "esteira_migrate", "esteira_app"
PASSWORD: Final = "p%2F of {}"
"""With what an address would have to escape."""
HBA: Final = "hostssl all all 127.0.0.1/32 scram-sha-256\nhostssl all all ::1/128 scram-sha-256\n"
# As Aurora, which takes no other.
SETTINGS: Final = {
    "ssl": "on",
    "ssl_min_protocol_version": "TLSv1.2",
    "listen_addresses": "localhost",
    "unix_socket_directories": "",
    "fsync": "off",
    "log_statement": "ddl",
}


@dataclass(frozen=True)
class TlsPostgres:
    home: Path
    port: int
    pid: int

    def address(self, user: str, **parts: Any) -> str:
        known = {
            "host": "localhost",
            "port": self.port,
            "dbname": "esteira",
            "user": user,
            "password": PASSWORD.format(user),
            "sslmode": "verify-full",
            "sslrootcert": str(self.home / "authority.pem"),
        }
        return make_conninfo("", **{**known, **parts})

    @property
    def url(self) -> str:
        return self.address(APP)

    def status(self) -> Status:
        return Status("running", self.pid, self.home / "data", self.home / "log")

    def ensure_running(self) -> str:
        return self.url

    @property
    def log(self) -> str:
        return (self.home / "log").read_text(errors="replace")


@contextlib.contextmanager
def tls_postgres() -> Iterator[TlsPostgres]:
    """With an empty database, and the role that makes its tables. Skips where this machine has no such server."""
    program = POSTGRES.path()
    if program is None:
        pytest.skip(f"this machine has no {POSTGRES.title}; {POSTGRES.how_to_get()}")
    account, port = choose_account(owners=[]), free_port()
    home = Path(tempfile.mkdtemp(prefix="esteira-tls-", dir=temporary_root()))
    home.chmod(0o711)
    data = home / "data"
    data.mkdir()
    account.give(data, 0o700)
    (home / "password").write_text(PASSWORD.format(ADMINISTRATOR))
    account.give(home / "password", 0o600)
    words = ["--username", ADMINISTRATOR, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [Path(program).with_name("initdb"), "-D", data, "--pwfile", home / "password", *words],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **account.child_identity(),
    )
    assert made.returncode == 0, made.stderr
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(home / "authority.pem"))
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(data / "server.key"))
    certificate.cert_chain_pems[0].write_to_path(str(data / "server.crt"))
    (data / "pg_hba.conf").write_text(HBA)
    for name in ("server.key", "server.crt", "pg_hba.conf"):
        account.give(data / name, 0o600)
    options = [word for name, value in {**SETTINGS, "port": str(port)}.items() for word in ("-c", f"{name}={value}")]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-D", str(data), *options], cwd="/", stdout=log, stderr=log, **account.child_identity()
        )
    server = TlsPostgres(home, port, process.pid)
    try:
        with _connected(server) as opened:
            for statement in (
                f"CREATE ROLE {MIGRATES} LOGIN CREATEROLE PASSWORD '{PASSWORD.format(MIGRATES)}'",
                f"CREATE DATABASE esteira OWNER {MIGRATES}",
            ):
                opened.execute(statement.encode())
        yield server
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(3)
        process.kill()
        process.wait()
        shutil.rmtree(home, ignore_errors=True)


def _connected(server: TlsPostgres) -> psycopg.Connection[Any]:
    deadline = time.monotonic() + 30
    while True:
        try:
            return psycopg.connect(server.address(ADMINISTRATOR, dbname="postgres"), autocommit=True)
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, server.log
            time.sleep(0.05)
