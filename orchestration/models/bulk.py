"""Many rows at once. Plain values go to PostgreSQL as arrays; one expression among them, and every row costs more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db import models


def database_now() -> datetime:
    """The clock that Now() reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def fill_defaults(rows: Sequence[models.Model], now: datetime) -> None:
    """What the database would fill in itself."""
    for row in rows:
        for field in row._meta.concrete_fields:  # noqa: SLF001  the documented way to a model's fields
            if isinstance(getattr(row, field.attname), DatabaseDefault):
                setattr(row, field.attname, now if isinstance(field.db_default, Now) else field.db_default)
