"""The scripts of deploy/compose that make and restore backups, on a real PostgreSQL and a prepared platform."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from project.embedded.server_files import own_programs
from project.embedded.throwaway import throwaway
from tests.deploy.composed import FOLDER, ROOT, services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("compose-backup"), pytest.mark.slow]

DAY_S: Final = 86_400


@dataclass
class Box:
    """What the containers of backups see: a database, the platform's data, a folder for backups."""

    top: Path
    url: str
    app_url: str
    keep_days: str = "14"

    @property
    def storage(self) -> Path:
        return self.top / "data" / "storage"

    @property
    def backups(self) -> Path:
        return self.top / "backups"

    def run(self, script: str, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        known = conninfo_to_dict(self.url)
        env = {
            "PATH": f"{own_programs()}:/usr/bin:/bin",
            "PGHOST": str(known["host"]),
            "PGPORT": str(known.get("port", 5432)),
            "PGUSER": "esteira",
            "PGDATABASE": "esteira",
            "PASSWORD_FILE": str(self.top / "owner_password"),
            "DATA": str(self.top / "data"),
            "BACKUPS": str(self.backups),
            "KEEP_DAYS": self.keep_days,
            **extra,
        }
        command = ["bash", str(FOLDER / "inside" / script), *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)

    def backup(self) -> str:
        done = self.run("backup.sh", "now")
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[1].rstrip(":")

    def sql(self, query: str, url: str = "") -> list[tuple[Any, ...]]:
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            done = connection.execute(query)
            return done.fetchall() if done.description else []

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": os.environ["PATH"],
            "ESTEIRA_HOME": str(self.top / "data"),
            "DATABASE_URL": self.url,
            "ESTEIRA_SECRET_KEY": "only-for-tests-" + "1" * 32,
        }
        command = [sys.executable, "-P", "-m", "project", *words]
        return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)

    def prepare(self) -> None:
        done = self.manage(*services()["prepare"]["command"])
        assert done.returncode == 0, done.stderr

    def dumps(self) -> set[str]:
        return {path.stem for path in (self.backups / "dumps").iterdir()}

    def copies(self) -> dict[str, bytes]:
        return tree(self.backups / "files")


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """As the first start leaves it: role.sh has made the role and the database, and prepare has filled them."""
    top = tmp_path_factory.mktemp("box")
    (top / "owner_password").write_text("it's a password\n")
    (top / "app_password").write_text("it's another\n")
    with throwaway() as server:
        known: dict[str, Any] = dict(conninfo_to_dict(server.url))
        known |= {"user": "postgres", "password": server._password("postgres")}
        with psycopg.connect(make_conninfo(**known | {"dbname": "postgres"}), autocommit=True) as master:
            master.execute("ALTER DATABASE esteira RENAME TO others")
            master.execute("ALTER ROLE esteira RENAME TO others")
        # The port is that of the socket's name.
        env = {"PATH": f"{own_programs()}:/usr/bin:/bin", "PGHOST": known["host"], "PGPASSWORD": known["password"]}
        env |= {"PGPORT": str(known.get("port", 5432)), "SECRETS": str(top)}
        subprocess.run(["bash", str(FOLDER / "inside/role.sh")], env=env, check=True)
        known["dbname"] = "esteira"
        box = Box(
            top,
            make_conninfo(**known | {"user": "esteira", "password": "it's a password"}),
            make_conninfo(**known | {"user": "esteira_app", "password": "it's another"}),
        )
        box.prepare()
        yield box


@pytest.fixture
def box(first: Box) -> Iterator[Box]:
    kept = first.top / "kept"
    shutil.copytree(first.storage, kept)
    first.backups.mkdir()
    yield first
    shutil.rmtree(first.backups)
    shutil.rmtree(first.storage)
    kept.rename(first.storage)


def put(box: Box, name: str, data: bytes) -> Path:
    path = box.storage / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def age(box: Box, name: str, days: float) -> None:
    then = time.time() - days * DAY_S
    os.utime(box.backups / "dumps" / f"{name}.dump", (then, then))


def renamed(box: Box, name: str, new: str) -> str:
    """Names tell seconds: two backups of one second would be one."""
    for folder, suffix in (("dumps", "dump"), ("lists", "list")):
        (box.backups / folder / f"{name}.{suffix}").rename(box.backups / folder / f"{new}.{suffix}")
    return new


def test_owner_of_the_database_is_no_superuser(box: Box) -> None:
    assert box.sql("SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user") == [
        (False, False, True)
    ]
    assert box.sql(
        "SELECT pg_get_userbyid(datdba), datlocprovider, datlocale FROM pg_database WHERE datname = 'esteira'"
    ) == [("esteira", "b", "C.UTF-8")]


def test_platform_reads_and_writes_rows_and_changes_no_table(box: Box) -> None:
    rights = "SELECT rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert box.sql(rights, box.app_url) == [(False, False, False)]
    assert box.sql("UPDATE orchestration_workspace SET name = name RETURNING 1", box.app_url)
    for act in (
        "CREATE TABLE mine (a int)",
        "DROP TABLE orchestration_auditentry",
        "DELETE FROM orchestration_auditentry",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            box.sql(act, box.app_url)


def test_backup_has_each_file_once_and_nothing_that_is_still_coming(box: Box) -> None:
    put(box, "uploads/ab/one", b"one")
    put(box, "uploads/incoming/half", b"ha")
    name = box.backup()
    assert box.copies() == {key: value for key, value in tree(box.storage).items() if "/incoming/" not in key}
    inode = (box.backups / "files/uploads/ab/one").stat().st_ino

    put(box, "uploads/ab/two", b"two")
    log = put(box, "logs/a/0", b"begun")
    renamed(box, name, "2020-01-01T000000Z")
    box.backup()
    log.write_bytes(b"begun and ended")
    renamed(box, max(box.dumps()), "2020-01-02T000000Z")
    box.backup()

    assert (box.backups / "files/uploads/ab/one").stat().st_ino == inode, "what is there is not copied again"
    assert box.copies()["logs/a/0"] == b"begun and ended"
    assert box.copies()["uploads/ab/two"] == b"two"
    assert box.run("backup.sh", "check").returncode == 0
    assert len(box.run("backup.sh", "list").stdout.splitlines()) == 3
    assert not (box.backups / "coming").exists()


def test_old_backups_go_with_the_files_that_only_they_had_but_never_the_last(box: Box) -> None:
    gone = put(box, "results/gone", b"gone")
    old = renamed(box, box.backup(), "2020-01-01T000000Z")
    gone.unlink()
    age(box, old, 13)
    newer = renamed(box, box.backup(), "2020-01-02T000000Z")
    assert "results/gone" in box.copies(), "a kept backup has it"

    age(box, old, 15)
    age(box, newer, 15)
    last = box.backup()

    assert box.dumps() == {last}
    assert {path.stem for path in (box.backups / "lists").iterdir()} == {last}
    assert "results/gone" not in box.copies()
    renamed(box, last, "2020-01-03T000000Z")
    box.backup()
    age(box, "2020-01-03T000000Z", 3)
    assert box.run("backup.sh", "forget", KEEP_DAYS="2").returncode == 0, "room is to be had without another backup"
    (last,) = box.dumps()
    age(box, last, 400)
    assert box.run("backup.sh", "forget").returncode == 0
    assert box.dumps() == {last}
    assert box.run("backup.sh", "check").returncode == 1
    assert box.run("backup.sh", "now", KEEP_DAYS="0").returncode != 0


def test_one_backup_at_a_time_and_none_is_forgotten_while_one_is_made(box: Box) -> None:
    box.backup()
    with (box.backups / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for word in ("now", "forget"):
            refused = box.run("backup.sh", word)
            assert (refused.returncode, "already" in refused.stderr) == (1, True)


def test_backup_that_fails_counts_for_nothing(box: Box) -> None:
    before = box.backup()
    renamed(box, before, "2020-01-01T000000Z")
    # As a database that is away, and a disk that is full.
    assert box.run("backup.sh", "now", PGHOST="/nowhere").returncode != 0
    put(box, "uploads/new", b"new")
    tar = box.top / "bin" / "tar"
    tar.parent.mkdir()
    tar.write_text('#!/bin/sh\ncase "$*" in *--extract*) cat >/dev/null; exit 2 ;; esac\nexec /usr/bin/tar "$@"\n')
    tar.chmod(0o755)
    failed = box.run("backup.sh", "now", PATH=f"{tar.parent}:{own_programs()}:/usr/bin:/bin")
    assert failed.returncode == 1
    assert "Is there room?" in failed.stderr
    assert box.dumps() == {"2020-01-01T000000Z"}
    assert "uploads/new" not in box.copies()

    assert box.backup() in box.dumps(), "what a failed one left behind does no harm"
    assert "uploads/new" in box.copies()


def test_restored_backup_holds_in_the_platforms_own_drill(box: Box) -> None:
    box.backup()
    done = box.run("restore.sh", "into", "latest", "esteira_drill")
    assert done.returncode == 0, done.stderr

    held = box.manage("drill", "--restored", "esteira_drill", "--json")

    assert held.returncode == 0, held.stdout + held.stderr
    told = json.loads(held.stdout)
    assert told["since"] == {}
    assert told["rows"]["orchestration_pipelineversion"] >= 4
    assert box.sql("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'esteira_drill'") == [
        ("b", "C.UTF-8")
    ]
    assert box.run("restore.sh", "drop", "esteira_drill").returncode == 0
    assert box.run("restore.sh", "drop", "esteira").returncode == 1
    assert box.run("restore.sh", "into", "latest", "esteira").returncode == 1, "never over the one that is used"
    assert box.run("restore.sh", "into", "2019-01-01T000000Z", "esteira_drill").returncode == 1


def test_whole_restore_brings_rows_and_files_back_and_keeps_what_was_there(box: Box) -> None:
    kept = put(box, "results/kept", b"kept")
    log = put(box, "logs/a/0", b"begun")
    box.backup()
    (name,) = box.sql("SELECT slug FROM orchestration_workspace")[0]
    box.sql("UPDATE orchestration_workspace SET slug = 'broken'")
    kept.unlink()
    log.write_bytes(b"begun and ended")

    with psycopg.connect(box.app_url) as forgotten:
        done = box.run("restore.sh", "whole", "latest")
        with pytest.raises(psycopg.OperationalError):
            forgotten.execute("SELECT 1")

    assert done.returncode == 0, done.stderr
    box.prepare()
    assert box.sql("SELECT slug FROM orchestration_workspace", box.app_url) == [(name,)]
    assert kept.read_bytes() == b"kept"
    assert log.read_bytes() == b"begun and ended", "a log that has grown since is not cut"
    (before,) = box.sql("SELECT datname FROM pg_database WHERE datname LIKE 'esteira_before_%'")[0]
    assert before in done.stdout
    assert box.run("restore.sh", "drop", before).returncode == 0


def test_backup_that_has_lost_a_file_changes_nothing(box: Box) -> None:
    put(box, "results/lost", b"lost").touch()
    box.backup()
    (box.backups / "files/results/lost").unlink()
    (box.storage / "results/lost").unlink()
    box.sql("UPDATE orchestration_workspace SET name = 'As it is now'")

    done = box.run("restore.sh", "whole", "latest")

    assert done.returncode == 1
    assert "has lost results/lost" in done.stderr
    assert box.sql("SELECT name FROM orchestration_workspace") == [("As it is now",)]
    assert box.sql("SELECT count(*) FROM pg_database WHERE datname LIKE 'esteira_before_%'") == [(0,)]
