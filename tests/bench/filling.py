"""Millions of rows in minutes: indexes and foreign keys are taken away, and made at the end for all rows at once."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

# What stands for a constraint stays: without it the rows would not be held to it.
INDEXES: Final = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = %s::regclass AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)"""
KEYS: Final = """
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'"""


@contextlib.contextmanager
def filling(connection: psycopg.Connection[Any], name: str) -> Iterator[None]:
    """Afterwards the table is as autovacuum would have left it by the time there are so many rows."""
    table = sql.Identifier(name)
    connection.execute("SET statement_timeout = 0")
    connection.execute("SET maintenance_work_mem = '256MB'")
    keys = connection.execute(KEYS, [name]).fetchall()
    for key, _ in keys:
        connection.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(table, sql.Identifier(key)))
    indexes = connection.execute(INDEXES, [name]).fetchall()
    for index, _ in indexes:
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(index)))
    yield
    for _, made in indexes:
        connection.execute(made)
    for key, made in keys:
        add = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}")
        connection.execute(add.format(table, sql.Identifier(key), sql.SQL(made)))
    connection.execute(sql.SQL("VACUUM ANALYZE {}").format(table))
