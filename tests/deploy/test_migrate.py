"""`manage.py migrate` on a platform that is at work: it waits for no lock for long, and tries again."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.core.management.commands import migrate as django_migrate
from django.db import OperationalError, connection

from tests.asgi.server import database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def holder() -> Iterator[psycopg.Connection]:
    """A transaction that has read the table of jobs and lasts."""
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT 1 FROM orchestration_job LIMIT 1")
        yield holder


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What was in force at each try of a migration that needs the table to itself."""
    seen: list[dict[str, str]] = []

    def handle(_: Any, *_args: Any, **_options: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
            lock, statement = cursor.fetchone()
            seen.append({"lock": lock, "statement": statement})
            cursor.execute("LOCK TABLE orchestration_job IN ACCESS EXCLUSIVE MODE")

    def in_transaction(*args: Any, **options: Any) -> None:
        from django.db import transaction

        with transaction.atomic():
            handle(*args, **options)

    monkeypatch.setattr(django_migrate.Command, "handle", in_transaction)
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return seen


def test_lock_is_tried_for_again_until_it_is_to_be_had(
    holder: psycopg.Connection, tries: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def let_go_after_two(_: float) -> None:
        if len(tries) == 2:
            holder.rollback()

    monkeypatch.setattr(time, "sleep", let_go_after_two)
    said = io.StringIO()
    call_command("migrate", lock_timeout_ms=200, stderr=said)
    assert tries == [{"lock": "200ms", "statement": "0"}] * 3
    assert said.getvalue().count("A lock was not to be had within 200 ms") == 2


def test_in_the_end_it_says_what_to_look_for(holder: psycopg.Connection, tries: list[dict[str, str]]) -> None:
    with pytest.raises(CommandError, match="pg_stat_activity"):
        call_command("migrate", lock_timeout_ms=50, tries=3, stderr=io.StringIO())
    assert len(tries) == 3
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        assert cursor.fetchone() == ("10s",), "it is as it was"


def test_who_comes_after_it_waits_no_longer_than_it_does(
    holder: psycopg.Connection, tries: list[dict[str, str]]
) -> None:
    """Whoever wants to read stands in line behind who wants the table alone."""
    migrating = threading.Thread(target=lambda: _quietly(lock_timeout_ms=500, tries=1))
    migrating.start()
    with psycopg.connect(database_url(), autocommit=True) as reader:
        while not reader.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            pass
        reader.execute("SET statement_timeout = '30s'; SELECT 1 FROM orchestration_job LIMIT 1")
    migrating.join()
    assert len(tries) == 1


def _quietly(**options: Any) -> None:
    try:
        call_command("migrate", stderr=io.StringIO(), **options)
    except CommandError:
        pass
    finally:
        connection.close()


def test_other_trouble_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []

    def handle(*_: Any, **__: Any) -> None:
        tried.append(1)
        raise OperationalError("the disk is full")

    monkeypatch.setattr(django_migrate.Command, "handle", handle)
    with pytest.raises(OperationalError):
        call_command("migrate")
    assert len(tried) == 1
