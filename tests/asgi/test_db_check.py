"""A pooled connection is looked at before each use, and the server asked only where looking is not enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from project import db_check
from tests.asgi.server import database_url

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def pooled() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url(), autocommit=True) as connection:
        yield connection


def last_asked(admin: psycopg.Connection[Any], connection: psycopg.Connection[Any]) -> object:
    pid = connection.info.backend_pid
    return admin.execute("SELECT state_change FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()


def test_connection_in_use_costs_no_round_trip_and_an_idle_one_does(
    admin: psycopg.Connection[Any], pooled: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    db_check.check(pooled)
    asked = last_asked(admin, pooled)
    db_check.check(pooled)
    assert last_asked(admin, pooled) == asked
    monkeypatch.setattr(db_check, "FRESH_S", -1.0)
    db_check.check(pooled)
    assert last_asked(admin, pooled) != asked


def test_connection_that_the_server_ended_is_noticed_though_it_was_used_just_now(
    admin: psycopg.Connection[Any], pooled: psycopg.Connection[Any]
) -> None:
    db_check.check(pooled)
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pooled.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        db_check.check(pooled)


def test_news_on_a_connection_that_works_are_no_reason_to_drop_it(
    admin: psycopg.Connection[Any], pooled: psycopg.Connection[Any]
) -> None:
    pooled.execute("LISTEN news")
    db_check.check(pooled)
    admin.execute("NOTIFY news")
    db_check.check(pooled)
    assert not pooled.closed
