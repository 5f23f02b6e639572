"""Many rows at once. What the ORM does for each column of each row costs more than PostgreSQL does for the row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection
from django.db.models.expressions import DatabaseDefault
from django.db.models.functions import Now
from psycopg import sql

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


def insert(rows: Sequence[models.Model]) -> None:
    """New rows of one table by COPY, with plain values of the columns' own types in all of their fields.

    Raises IntegrityError as `bulk_create` does, which takes five times as long.
    """
    if not rows:
        return
    about = rows[0]._meta  # noqa: SLF001  the documented way to a model's fields
    names = [field.attname for field in about.concrete_fields]
    columns = [sql.Identifier(str(field.column)) for field in about.concrete_fields]
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(about.db_table), sql.SQL(", ").join(columns))
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copy) as lines:
        for row in rows:
            lines.write_row([getattr(row, name) for name in names])
            row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001  as bulk_create leaves it
