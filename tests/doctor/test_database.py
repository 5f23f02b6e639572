"""Each way in which the database can be out of reach or not fit, broken for real, is called by its name."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import trustme
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from orchestration.findings import ERROR, OK, WARNING
from project.doctor import address as addresses
from project.doctor import database
from project.doctor.address import Address
from tests.doctor.servers import has_no_tls, is_a_web_server, listening, refuses, says_nothing, tls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.findings import Finding
    from tests.doctor.servers import Manner

type Look = Callable[[str], dict[str, Finding]]
type Change = Callable[..., None]
pytestmark = pytest.mark.django_db
HERE: dict[str, Any] = {"host": "127.0.0.1", "require_auth": None, "sslmode": "disable"}


def the_bad_one(found: dict[str, Finding], level: str = ERROR) -> Finding:
    (bad,) = [finding for finding in found.values() if finding.level != OK]
    assert bad.level == level, found
    return bad


def test_database_that_is_well(address: Change, look: Look) -> None:
    found = look("database")
    assert {finding.level for finding in found.values()} == {OK}, found
    assert [*found] == [
        "name", "port", "sign-in", "encryption", "writing", "latency", "pool", "migrations", "rights", "connections",
        "clock",
    ]  # fmt: skip


def test_wrong_password(address: Change, look: Look) -> None:
    address(password="yesterday's")
    bad = the_bad_one(look("database"))
    assert (bad.name, bad.said) == ("sign-in", "The server refuses the password of user esteira.")
    assert "rotated" in bad.causes[0]


def test_no_such_database(address: Change, look: Look) -> None:
    address(dbname="nowhere")
    assert the_bad_one(look("database")).said == "There is no database nowhere on this server."


def test_no_such_user(address: Change, look: Look) -> None:
    address(user="nobody-of-that-name")
    # The server says the same of a wrong password, so that nobody can find out who there is.
    assert "refuses the password of user nobody-of-that-name" in the_bad_one(look("database")).said


def test_name_that_nobody_knows(address: Change, look: Look) -> None:
    address(host="db.invalid")
    bad = the_bad_one(look("database"))
    assert bad.name == "name"
    assert "The name db.invalid cannot be looked up" in bad.said
    assert bad.command == "getent hosts db.invalid"


@pytest.mark.parametrize("name", ["db..invalid", "d" * 64 + ".invalid"])
def test_name_that_no_name_can_be(address: Change, look: Look, name: str) -> None:
    address(host=name)
    bad = the_bad_one(look("database"))
    assert (bad.name, bad.said) == (
        "name",
        f"The name {name} cannot be looked up: it is no name that can be asked for.",
    )


def test_of_several_servers_the_first_is_looked_at() -> None:
    read = Address.read("postgresql://esteira@one.invalid:5433,two.invalid:5434/esteira")
    assert (read.host, read.port) == ("one.invalid", 5433)


def test_closed_port(address: Change, look: Look) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    address(port=port, **HERE)
    bad = the_bad_one(look("database"))
    assert bad.said == f"127.0.0.1:{port} refuses the connection: Connection refused."


@pytest.fixture
def full_port() -> Iterator[int]:
    """Whose queue is full: further packets are dropped, as a security group drops them."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for one in waiting:
            one.close()


def test_blocked_port(address: Change, look: Look, full_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "TIMEOUT_S", 1)
    address(port=full_port, **HERE)
    bad = the_bad_one(look("database"))
    assert "packets are dropped on the way" in bad.said
    assert "security group" in bad.causes[0]


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        (is_a_web_server, "is no PostgreSQL, or ended the connection"),
        (refuses("28000", 'no pg_hba.conf entry for host "10.0.0.9", user "esteira", no encryption'),
         "lets nobody in from here as esteira, or not without TLS"),
        (refuses("53300", "sorry, too many clients already"), "takes no more connections"),
        (refuses("53300", "remaining connection slots are reserved for roles with SUPERUSER"), "no more connections"),
        (refuses("57P03", "the database system is starting up"), "is starting or stopping just now"),
        (refuses("28P01", 'PAM authentication failed for user "esteira"'), "refuses the password"),
        (refuses("28000", 'role "esteira" does not exist'), "The server knows no user esteira."),
        (refuses("XX000", "something else"), "The server lets nobody in: "),
    ],
    ids=["not-postgresql", "pg-hba", "full", "slots", "starting", "iam", "no-role", "unknown"],
)  # fmt: skip
def test_what_a_server_says_before_it_lets_in(address: Change, look: Look, manner: Manner, said: str) -> None:
    with listening(manner) as port:
        address(port=port, **HERE)
        bad = the_bad_one(look("database"))
    assert bad.name == "sign-in"
    assert said in bad.said


def test_server_that_hangs(address: Change, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "TIMEOUT_S", 2)  # libpq knows no less
    with listening(says_nothing) as port:
        address(port=port, **HERE)
        assert the_bad_one(look("database")).said == "The port is open, and then nothing is said."


def test_server_without_tls(address: Change, look: Look) -> None:
    with listening(has_no_tls) as port:
        address(port=port, **(HERE | {"sslmode": "require"}))
        assert the_bad_one(look("database")).said == "DATABASE_URL asks for TLS, and the server has none."


def test_certificate_of_an_authority_that_nobody_trusts(address: Change, look: Look, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    trusted = tmp_path / "authority.pem"
    trustme.CA().cert_pem.write_to_path(str(trusted))
    with listening(tls(context)) as port:
        address(port=port, **(HERE | {"sslmode": "verify-full", "sslrootcert": str(trusted)}))
        bad = the_bad_one(look("database"))
    assert "certificate is not trusted" in bad.said
    assert "rotation" in bad.causes[0]


def test_missing_authority(address: Change, look: Look, tmp_path: Path) -> None:
    with listening(tls(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))) as port:
        address(port=port, **(HERE | {"sslmode": "verify-full", "sslrootcert": str(tmp_path / "none.pem")}))
        assert "certificate is not trusted" in the_bad_one(look("database")).said


def test_server_that_only_reads(address: Change, look: Look) -> None:
    address(options="-c default_transaction_read_only=on")
    bad = the_bad_one(look("database"))
    assert (bad.name, bad.said) == ("writing", "This server takes no writes: it was set to read only.")


@pytest.fixture
def empty(address: Change) -> Iterator[psycopg.Connection[Any]]:
    """Another database of the same server, with nothing in it but a table that nobody may use."""
    name = f"{connection.settings_dict['NAME']}_doctor"
    params = connection.get_connection_params()
    base = {key: params[key] for key in ("user", "password", "host", "port") if params.get(key)}
    with psycopg.connect(**base, dbname="postgres", autocommit=True) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            with psycopg.connect(**base, dbname=name, autocommit=True) as opened:
                opened.execute("CREATE TABLE orchestration_job (); REVOKE ALL ON orchestration_job FROM CURRENT_USER")
                address(dbname=name)
                yield opened
        finally:
            server.execute(f'DROP DATABASE "{name}"')


def test_tables_of_another_role(empty: psycopg.Connection[Any], look: Look) -> None:
    bad = the_bad_one(look("database"))
    assert (bad.name, bad.said) == (
        "rights",
        "User esteira may not do what is needed with 1 tables: orchestration_job.",
    )
    assert bad.command == "python manage.py grant_role esteira, as the role that migrates"


def test_migration_that_was_not_applied(address: Change, look: Look) -> None:
    last = MigrationRecorder.Migration.objects.filter(app="orchestration").order_by("-id")[0]
    last.delete()
    bad = the_bad_one(look("database"))
    assert bad.said == f"1 migrations are to be applied: orchestration.{last.name}."
    assert bad.command == "python manage.py migrate"


def test_database_that_is_newer_than_the_release(address: Change, look: Look) -> None:
    MigrationRecorder.Migration.objects.create(app="orchestration", name="9999_of_next_year")
    bad = the_bad_one(look("database"), WARNING)
    assert "knows orchestration.9999_of_next_year, which this release does not" in bad.said


def test_empty_database(address: Change, look: Look) -> None:
    MigrationRecorder.Migration.objects.all().delete()
    assert the_bad_one(look("database")).command == "python manage.py prepare"


def test_pool_that_is_larger_than_what_is_left(address: Change, look: Look, settings: Settings) -> None:
    settings.DB_POOL_SIZE = 10_000
    bad = the_bad_one(look("database"), WARNING)
    assert "one more process, with its 10000, may find none" in bad.said


@pytest.mark.parametrize(("off_s", "level"), [(60, WARNING), (3_600, ERROR)])
def test_clock_that_goes_wrong(
    address: Change, look: Look, monkeypatch: pytest.MonkeyPatch, off_s: float, level: str
) -> None:
    right = time.time
    monkeypatch.setattr(database.time, "time", lambda: right() + off_s)  # type: ignore[attr-defined]
    bad = the_bad_one(look("database"), level)
    assert bad.said == f"This machine's clock and the database's are {off_s} s apart."


def test_far_database_without_tls(address: Change, monkeypatch: pytest.MonkeyPatch, look: Look) -> None:
    monkeypatch.setattr(Address, "is_near", property(lambda _: False))
    warned = [finding for finding in look("database").values() if finding.level == WARNING]
    assert [one.name for one in warned] == ["encryption", "rights"]
    assert "passwords and data alike" in warned[0].said
    assert "User esteira owns the tables." in warned[1].said
