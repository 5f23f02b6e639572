"""Readiness: only where this release can work with this database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from project import health

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db
APPLIED = MigrationRecorder.Migration.objects


@pytest.fixture(autouse=True)
def just_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "readiness", health.Readiness())


def test_ready(client: Client) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "database": "ok"})


def test_not_before_the_migrations_are_applied(client: Client) -> None:
    last = APPLIED.filter(app="orchestration").order_by("-id")[0]
    last.delete()
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "database": "not migrated"})
    assert client.get("/health/live").status_code == 200
    last.save()
    assert client.get("/health/ready").status_code == 200


def test_not_with_a_database_whose_migrations_it_may_not_read(client: Client) -> None:
    """The tables belong to another role: `permission denied`."""
    with connection.cursor() as cursor:
        cursor.execute("REVOKE ALL ON django_migrations FROM CURRENT_USER")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable", "database": "not migrated"})


def test_older_release_goes_on_with_a_newer_database(client: Client) -> None:
    APPLIED.create(app="orchestration", name="9999_of_next_year")
    assert client.get("/health/ready").status_code == 200


def test_migrations_are_looked_at_until_they_are_there_and_not_again(client: Client) -> None:
    assert client.get("/health/ready").status_code == 200
    APPLIED.filter(app="orchestration").delete()
    assert client.get("/health/ready").status_code == 200
