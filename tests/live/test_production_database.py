"""The database as in production: TLS that is verified, and a role that reads and writes rows and changes no table."""

from __future__ import annotations

import json
import re
from contextlib import nullcontext
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import trustme
from kombu import Connection

from orchestration.findings import ERROR, OK
from project.doctor.rounds import examine
from tests.live.conftest import KEPT
from tests.live.manager import Manager
from tests.live.platform import running
from tests.live.tls_postgres import APP, MIGRATES, PASSWORD, TlsPostgres, tls_postgres

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.findings import Finding
    from tests.live.platform import Platform

pytestmark = [pytest.mark.xdist_group("production database"), pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def server() -> TlsPostgres:
    return KEPT.one("tls", tls_postgres)


@pytest.fixture
def platform(server: TlsPostgres) -> Platform:
    """Its tables were made by another role than its own, which was then granted what it needs."""

    def prepare(env: dict[str, str]) -> None:
        password = server.home / "new"
        password.write_text(PASSWORD.format(APP))
        with Manager(env | {"DATABASE_URL": server.address(MIGRATES)}) as manager:
            manager("prepare", "--grant", APP, "--first-password-file", str(password))

    return KEPT.one("on tls", lambda: running(server=nullcontext(server), prepare=prepare))


def look(settings: Settings, address: str) -> dict[str, Finding]:
    settings.DATABASE_URL = address
    return {finding.name: finding for _, finding in examine(["database"])}


def test_job_finishes(platform: Platform) -> None:
    file = platform.upload("rows.csv", b"a,b\n1,2\n")
    job = platform.submit("inspect", [file["id"]], key=str(uuid4()))
    assert platform.wait(job["id"])["state"] == "SUCCEEDED"
    users = platform.sql(
        "SELECT DISTINCT usename, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)"
        " WHERE datname = current_database() AND backend_type = 'client backend'"
    )
    assert users == [(APP, True)]
    said = platform.manage("doctor", "database", "work")
    assert "TLS" in said
    assert "read and write, and change no table" in said
    assert said.endswith("All is well.\n")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine ()",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE orchestration_job ADD COLUMN mine int",
        "ALTER TABLE orchestration_auditentry DISABLE TRIGGER ALL",
        "DROP TABLE orchestration_job",
        "TRUNCATE orchestration_job CASCADE",
        "SELECT pgmq.create('mine')",
        "SELECT pgmq.drop_queue('esteira')",
        "DELETE FROM django_migrations",
        "UPDATE orchestration_auditentry SET action = ''",
        "UPDATE orchestration_auditseal SET digest = ''",
        "DELETE FROM orchestration_auditentry",
        "DELETE FROM orchestration_auditseal",
    ],
)
def test_role_may_not(platform: Platform, statement: str) -> None:
    with (
        psycopg.connect(platform.database_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be owner"),
    ):
        connection.execute(statement.encode())


def test_what_is_granted_twice_is_the_same_and_what_was_too_much_goes(platform: Platform, server: TlsPostgres) -> None:
    rights = "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = %s"
    with psycopg.connect(server.address(MIGRATES), autocommit=True) as owner:
        before = set(owner.execute(rights, [APP]).fetchall())
        owner.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APP}".encode())
        with Manager(platform.children.env | {"DATABASE_URL": server.address(MIGRATES)}) as manager:
            said = manager("grant_role", APP)
        assert re.fullmatch(rf"{APP} reads and writes \d+ tables, of which it only adds to 2.\n", said)
        assert set(owner.execute(rights, [APP]).fetchall()) == before


def test_release_gives_the_role_what_it_needs_and_leaves_its_password(
    platform: Platform, server: TlsPostgres, tmp_path: Path
) -> None:
    another = tmp_path / "another"
    another.write_text("of whoever has the turn")
    with psycopg.connect(server.address(MIGRATES), autocommit=True) as owner:
        owner.execute(f"REVOKE ALL ON orchestration_job FROM {APP}".encode())
        owner.execute(f"GRANT UPDATE ON orchestration_auditseal TO {APP}".encode())
    with Manager(platform.children.env | {"DATABASE_URL": server.address(MIGRATES)}) as manager:
        said = manager("prepare", "--no-accounts", "--grant", APP, "--first-password-file", str(another))
    assert json.loads(said) == {}, "what it says of the role is on the other stream"
    with psycopg.connect(platform.database_url) as connection:
        connection.execute("SELECT FROM orchestration_job LIMIT 1")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("UPDATE orchestration_auditseal SET digest = ''")


def test_password_is_in_no_log(platform: Platform, server: TlsPostgres) -> None:
    assert f'ALTER ROLE "{APP}" PASSWORD \'SCRAM-SHA-256$' in server.log
    assert PASSWORD.format(APP) not in server.log


def refused(settings: Settings, address: str) -> Finding:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    found = look(settings, address)
    assert [finding.level for finding in found.values()] == [OK, OK, ERROR]
    return found["sign-in"]


def test_server_under_another_name_is_refused(server: TlsPostgres, settings: Settings) -> None:
    bad = refused(settings, server.address(MIGRATES, host="127.0.0.1"))
    assert "certificate is not trusted" in bad.said
    assert "another name than its certificate" in " ".join(bad.causes)


def test_server_of_another_authority_is_refused(server: TlsPostgres, settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    bad = refused(settings, server.address(MIGRATES, sslrootcert=str(other)))
    assert "certificate is not trusted" in bad.said
    assert "authority's last rotation" in bad.causes[0]


def test_nobody_gets_in_without_tls(server: TlsPostgres, settings: Settings) -> None:
    bad = refused(settings, server.address(MIGRATES, sslmode="disable", sslrootcert=None))
    assert "not without TLS" in bad.said


@pytest.mark.parametrize(("host", "is_trusted"), [("localhost", True), ("127.0.0.1", False)])
def test_queue_verifies_the_server_too(server: TlsPostgres, platform: Platform, host: str, is_trusted: bool) -> None:  # noqa: FBT001  a parameter
    options = {
        "pool_size": 1,
        "visibility_timeout": 60,
        "pool_timeout": 5,
        "conn_string": server.address(APP, host=host),
    }
    with Connection("pgmq://", transport="project.broker:Transport", transport_options=options) as connection:
        assert connection.transport.verify_connection(None) is is_trusted


def test_wrong_password(server: TlsPostgres, settings: Settings) -> None:
    assert "refuses the password" in refused(settings, server.address(MIGRATES, password="yesterday's")).said
