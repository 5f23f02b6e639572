"""Many rows at once. What the ORM does for each column of each row costs more than PostgreSQL does for the row.

`__any`, of a thousand values: one parameter instead of the thousand of `__in`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Field, Lookup
from django.db.models.functions import Now
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from django.db import models
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


@Field.register_lookup
class AnyOf(Lookup):
    """`column = ANY(array)`. The values are plain ones of the column's own type."""

    lookup_name = "any"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        return f"{column} = ANY(%s)", (*params, list(self.rhs))


def database_now() -> datetime:
    """The clock that Now() reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found


def database_defaults(model: type[models.Model], now: datetime) -> dict[str, Any]:
    """What the database would fill in itself, by field: for rows that are written by `insert`."""
    fields = [field for field in model._meta.concrete_fields if field.has_db_default()]  # noqa: SLF001
    return {field.attname: now if isinstance(field.db_default, Now) else field.db_default for field in fields}


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
