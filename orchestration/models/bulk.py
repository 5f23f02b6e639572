"""Many rows at once. What the ORM does for each column of each row costs more than PostgreSQL does for the row.

`__any`, of a thousand values: one parameter instead of the thousand of `__in`.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Field, JSONField, Lookup
from django.db.models.base import ModelState
from django.db.models.functions import Now
from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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


def blank(model: type[models.Model], now: datetime) -> dict[str, Any]:
    """What nobody asked for, of rows that are made by `unsaved`, by column; not what each row has of its own."""
    fields = [f for f in model._meta.concrete_fields if not (f.has_default() and callable(f.default))]  # noqa: SLF001
    return {field.attname: _default(field, now) for field in fields}


def _default(field: Field[Any, Any], now: datetime) -> Any:
    if not field.has_db_default():
        return field.get_default()
    return now if isinstance(field.db_default, Now) else field.db_default


def unsaved[M: models.Model](model: type[M], values: dict[str, Any]) -> M:
    """`model(**values)` for `insert`, with a value for each column: its own `__init__` takes ten times as long."""
    row = model.__new__(model)
    row._state = ModelState()  # noqa: SLF001  all that `__init__` does besides
    row.__dict__.update(values)
    return row


def insert(rows: Sequence[models.Model]) -> None:
    """New rows of one table by COPY, with plain values of the columns' own types in all of their fields.

    A number that the table gives is not read back.

    Raises IntegrityError as `bulk_create` does, which takes five times as long.
    """
    if not rows:
        return
    about = rows[0]._meta  # noqa: SLF001  the documented way to a model's fields
    # What counts by itself is left to the table.
    fields = [field for field in about.concrete_fields if field is not about.auto_field]
    columns = [sql.Identifier(str(field.column)) for field in fields]
    readers = [_json(field.attname) if isinstance(field, JSONField) else attrgetter(field.attname) for field in fields]
    copy = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(about.db_table), sql.SQL(", ").join(columns))
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(copy) as lines:
        for row in rows:
            lines.write_row([read(row) for read in readers])
            row._state.adding, row._state.db = False, connection.alias  # noqa: SLF001  as bulk_create leaves it


def _json(name: str) -> Callable[[Any], Jsonb]:
    return lambda row: Jsonb(getattr(row, name))
