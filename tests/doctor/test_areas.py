"""Files, work, engine, scanner, mail and settings: what is broken is named, and what to do."""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import socket
import threading
from collections import namedtuple
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.db import connection

from orchestration.findings import ERROR, OK, SKIPPED, WARNING
from orchestration.runner import sandbox
from project.celery import app
from project.doctor import belt
from tests.orchestration.post_office import post_office, use
from tests.scan.clamd import EICAR, running

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.findings import Finding

type Look = Callable[[str], dict[str, Finding]]
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  as shutil's own


def test_files_are_written_and_read_in_every_folder(look: Look) -> None:
    found = look("files")
    assert {finding.level for finding in found.values()} <= {OK, WARNING}, found
    assert {"uploads", "results: room", "logs", "code", "temporary files"} <= set(found)


def test_folder_where_nothing_can_be_kept(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uploads").write_text("in the way")
    monkeypatch.setitem(vars(storages["uploads"]), "location", str(tmp_path / "uploads"))
    found = look("files")
    assert found["uploads"].level == ERROR
    assert "No file can be kept in" in found["uploads"].said
    assert "uploads: room" not in found, "it stands on the folder"
    assert found["results"].level == OK


def test_full_disk(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12 - 10**8, 10**8))
    found = look("files")["uploads: room"]
    assert (found.level, found.said[:22]) == (ERROR, "Only 0.1 GiB are left ")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 2 << 30))
    assert look("files")["uploads: room"].level == WARNING


def queue(settings: Settings) -> None:
    settings.BROKER_URL = "pgmq://"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.create('esteira')")


def send(age: str = "0 s") -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.send('esteira', '{}')")
        cursor.execute(
            "UPDATE pgmq.q_esteira SET vt = vt - %s::interval, enqueued_at = enqueued_at - %s::interval", [age, age]
        )


@pytest.mark.django_db
def test_queue_that_nobody_has_made(look: Look, settings: Settings) -> None:
    settings.BROKER_URL = "pgmq://"
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA pgmq CASCADE")
    bad = look("work")["broker"]
    assert bad.level == ERROR
    assert "The queue cannot be read" in bad.said


@pytest.mark.django_db
def test_messages_that_nobody_takes(look: Look, settings: Settings) -> None:
    queue(settings)
    send("5 minutes")
    bad = look("work")["workers"]
    assert (bad.level, bad.causes[0]) == (ERROR, "no worker runs")
    assert "the oldest has waited for 300 s" in bad.said


@pytest.mark.django_db
def test_message_that_is_being_worked_on_is_not_taken_for_forgotten(look: Look, settings: Settings) -> None:
    queue(settings)
    send("5 minutes")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.read('esteira', 60, 1)")
    assert look("work")["workers"].level == OK


@pytest.mark.django_db
def test_clock_that_stands_still(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(belt, "TICK_S", 0.3)
    queue(settings)
    bad = look("work")["beat"]
    assert (bad.level, bad.causes[0]) == (ERROR, "celery beat does not run")


@pytest.mark.django_db
def test_clock_that_ticks(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    queue(settings)
    monkeypatch.setattr(belt.time, "sleep", lambda _: send())  # type: ignore[attr-defined]
    assert look("work")["beat"].level == OK


def test_broker_elsewhere_that_is_away(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings.BROKER_URL = f"amqp://guest@127.0.0.1:{port}//"
    monkeypatch.setattr(app.conf, "broker_url", settings.BROKER_URL)
    monkeypatch.setattr(app.conf, "broker_read_url", settings.BROKER_URL)
    assert "The broker does not answer" in look("work")["broker"].said


@pytest.mark.usefixtures("own_home")
def test_engine_that_does_not_run(look: Look) -> None:
    bad = look("engine")["supervisor"]
    assert (bad.level, bad.said[:33]) == (ERROR, "No local engine runs on this mach")


def test_engine_that_runs(look: Look, own_home: Path) -> None:
    with (own_home / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert look("engine")["supervisor"].level == OK


@pytest.fixture
def own_home(settings: Settings, tmp_path: Path) -> Path:
    settings.ESTEIRA_HOME = tmp_path
    return tmp_path


@pytest.mark.parametrize(
    ("there", "isolation", "level", "said"),
    [
        (None, "auto", WARNING, "bubblewrap is not installed"),
        ("/usr/bin/bwrap", "auto", WARNING, "this kernel does not let bubblewrap"),
        (None, "bubblewrap", ERROR, "bubblewrap is not installed"),
        (None, "none", OK, "off"),
    ],
)
def test_steps_without_walls(
    look: Look,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    there: str | None,
    isolation: str,
    level: str,
    said: str,
) -> None:
    settings.STEP_ISOLATION = isolation
    monkeypatch.setattr(sandbox, "find", lambda: there)
    monkeypatch.setattr(sandbox, "works", lambda *_: False)
    found = look("engine")["walls"]
    assert found.level == level
    assert said in found.said


def test_scanner_that_finds_the_test_file(look: Look, settings: Settings) -> None:
    settings.SCANNER = "clamd"
    with running() as address:
        settings.CLAMD = address
        found = look("scanner")["scanner"]
    assert (found.level, found.said) == (OK, "finds the test file (Esteira.Test.Eicar.UNOFFICIAL)")


def test_scanner_that_does_not_run(look: Look, settings: Settings, tmp_path: Path) -> None:
    settings.SCANNER, settings.CLAMD = "clamd", f"unix:{tmp_path}/s"
    bad = look("scanner")["scanner"]
    assert bad.level == ERROR
    assert "does not answer" in bad.said


def test_scanner_without_signatures(look: Look, settings: Settings, answering: Callable[[bytes], str]) -> None:
    settings.SCANNER, settings.CLAMD = "clamd", answering(b"stream: OK\0")
    bad = look("scanner")["scanner"]
    assert (bad.said[:20], bad.command) == ("The scanner lets the", "freshclam")


@pytest.fixture
def answering() -> Any:
    """A clamd that says this of every file."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def begin(answer: bytes) -> str:
            def serve() -> None:
                line, _ = server.accept()
                with line:
                    heard = b""
                    while EICAR not in heard or not heard.endswith(bytes(4)):
                        heard += line.recv(4096)
                    line.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            return f"tcp:127.0.0.1:{server.getsockname()[1]}"

        yield begin


def test_nobody_is_asked_who_is_not_set_up(look: Look) -> None:
    assert look("scanner")["scanner"].level == SKIPPED
    assert look("mail")["mail"].level == SKIPPED


def test_mail_server_that_takes_us(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office() as office:
        use(office.url, settings, monkeypatch)
        assert look("mail")["mail"].level == OK


def test_mail_server_that_refuses_the_password(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with post_office() as office:
        office.refuses["AUTH"] = "535 no"
        use(office.url.replace("smtp://", "smtp://ana:secret@"), settings, monkeypatch)
        bad = look("mail")["mail"]
    assert bad.level == ERROR
    assert "refuses ana's password" in bad.said
    assert "secret" not in str(bad)


def test_mail_server_that_is_away(look: Look, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    use(f"smtp://127.0.0.1:{port}/?security=none", settings, monkeypatch)
    assert f"[Errno {errno.ECONNREFUSED}]" in look("mail")["mail"].said


def test_settings_that_do_not_agree(look: Look, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://files.example.org"
    bad = look("settings")["public address"]
    assert (bad.level, bad.command) == (
        ERROR,
        "set ESTEIRA_ALLOWED_HOSTS=localhost,127.0.0.1,[::1],testserver,files.example.org",
    )
    settings.ALLOWED_HOSTS = ["files.example.org"]
    assert look("settings")["public address"].level == OK
    settings.PUBLIC_URL = "http://files.example.org"
    assert look("settings")["public address"].level == WARNING
    settings.DEBUG = True
    assert look("settings")["debug"].level == WARNING


def test_command_says_where_to_begin(settings: Settings, own_home: Path) -> None:
    out = StringIO()
    with pytest.raises(CommandError, match=r"One thing is wrong. Begin with engine, supervisor: No local engine runs"):
        call_command("doctor", "engine", "scanner", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "engine"
    assert lines[1].startswith("  ERROR   supervisor            No local engine")
    assert "perhaps  it was not started" in lines[2]
    assert any(line.strip().startswith("try ") for line in lines)


def test_command_for_programs(own_home: Path) -> None:
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("doctor", "engine", "--json", stdout=out)
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert (said[0]["area"], said[0]["name"], said[0]["level"]) == ("engine", "supervisor", "error")
    assert said[0]["causes"]


def test_command_knows_its_areas() -> None:
    with pytest.raises(CommandError, match=r"There is no area databse. There are settings, database,"):
        call_command("doctor", "databse")


def test_what_stands_on_the_database_waits_for_it(settings: Settings) -> None:
    settings.DATABASE_URL = "postgresql://esteira@db.invalid/esteira"
    out = StringIO()
    with pytest.raises(CommandError, match="Begin with database, name"):
        call_command("doctor", "database", "work", stdout=out)
    assert "Not tried: it stands on the database." in out.getvalue()
