"""A clock for tests that shifts the database's own time: what the code calls now is what a test says it is.

Django's Now() is STATEMENT_TIMESTAMP(), an unqualified name, so a function of that name in a schema that is searched
before pg_catalog takes its place. It lasts as long as the test's transaction.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from orchestration.models import User

if TYPE_CHECKING:
    from datetime import datetime

_SHIFT = """
CREATE SCHEMA shifted;
CREATE FUNCTION shifted.statement_timestamp() RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('shifted.at', true), '')::timestamptz, pg_catalog.statement_timestamp())
    + coalesce(nullif(current_setting('shifted.by', true), ''), '0')::interval
$$;
SET search_path = shifted, public, pg_catalog;
"""


class Clock:
    def __init__(self) -> None:
        self.ahead = timedelta()
        with connection.cursor() as cursor:
            for statement in _SHIFT.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)

    def set(self, ahead: timedelta) -> None:
        """So much ahead of the real time, or of the time at which it was stopped."""
        self.ahead = ahead
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('shifted.by', %s, false)", [f"{ahead.total_seconds()} seconds"])

    def stop(self) -> None:
        """From here on it goes only as far as it is told."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('shifted.at', pg_catalog.statement_timestamp()::text, false)")

    def sleep(self, seconds: float) -> None:
        """In the place of `time.sleep`: the time passes, and nobody waits."""
        self.set(self.ahead + timedelta(seconds=seconds))

    def now(self) -> datetime:
        """As the code's own queries see it."""
        found: datetime | None = User.objects.annotate(at=Now()).values_list(F("at"), flat=True).first()
        assert found is not None, "the clock is read through the ORM, and needs a row"
        return found


@pytest.fixture
def clock(people: object) -> Clock:
    return Clock()
