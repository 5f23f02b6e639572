"""What the platform's processes may do in the database: read and write rows, and change no table.

Migrations run as another role, which owns the tables. Whoever takes over a web process then cannot take the rules of
the audit log away, nor make a trigger of his own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import connection, transaction
from psycopg import sql

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper

SCHEMAS: Final = ("public", "pgmq")
ADDED_TO: Final = frozenset({"orchestration_auditentry", "orchestration_auditseal"})
"""Tables of which no row is ever changed."""
READ: Final = frozenset({"django_migrations"})
QUEUE: Final = (
    # Where messages are; nothing of ours uses the archive or topics.
    "GRANT SELECT, INSERT, UPDATE, DELETE ON pgmq.q_esteira TO {role}",
    "GRANT SELECT ON pgmq.meta TO {role}",
    "GRANT SELECT, INSERT, UPDATE ON pgmq.notify_insert_throttle TO {role}",
    # Read where the queue says how many messages there ever were.
    "GRANT SELECT ON pgmq.q_esteira_msg_id_seq TO {role}",
)
TABLES: Final = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
)
_STRONGER: Final = """
SELECT rolsuper, EXISTS (
  SELECT FROM pg_class WHERE relnamespace::regnamespace::text = ANY(%s) AND relkind IN ('r', 'p')
    AND pg_has_role(pg_roles.oid, relowner, 'MEMBER'))
FROM pg_roles WHERE rolname = %s"""


class RoleRefused(Exception):
    """Says why."""


def rights_on(table: str) -> tuple[str, ...]:
    if table in READ:
        return ("SELECT",)
    return ("SELECT", "INSERT") if table in ADDED_TO else ("SELECT", "INSERT", "UPDATE", "DELETE")


@transaction.atomic
def grant(role: str, password: str | None, *, only_if_new: bool = False) -> list[str]:
    """What was given before goes; the tables are returned. Any number of calls, after each migration, do no harm.

    `only_if_new`: a role that is there keeps its password.
    """
    with connection.cursor() as cursor:
        _make(cursor, role, password, only_if_new=only_if_new)
        _refuse_stronger(cursor, role)
        cursor.execute(TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        name = sql.Identifier(role)
        for schema in map(sql.Identifier, SCHEMAS):
            for kind in ("TABLES", "SEQUENCES"):
                _run(cursor, f"REVOKE ALL ON ALL {kind} IN SCHEMA {{schema}} FROM {{role}}", role=name, schema=schema)
            _run(cursor, "REVOKE ALL ON SCHEMA {schema} FROM {role}", role=name, schema=schema)
            _run(cursor, "GRANT USAGE ON SCHEMA {schema} TO {role}", role=name, schema=schema)
        # Everybody's right in databases that were made by PostgreSQL 14 or older.
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for table in tables:
            rights = ", ".join(rights_on(table))
            _run(cursor, f"GRANT {rights} ON {{table}} TO {{role}}", role=name, table=sql.Identifier("public", table))
        _run(cursor, "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}", role=name)
        for statement in QUEUE:
            _run(cursor, statement, role=name)
    return tables


def _run(cursor: CursorWrapper, statement: str, **names: sql.Composable) -> None:
    cursor.execute(sql.SQL(statement).format(**names))


def _make(cursor: CursorWrapper, role: str, password: str | None, *, only_if_new: bool) -> None:
    cursor.execute("SELECT current_user, EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", [role])
    us, is_there = cursor.fetchone()
    if us == role:
        raise RoleRefused(f"{role} is the role that you sign in as, and it owns the tables. Name another.")
    name = sql.Identifier(role)
    if not is_there:
        if password is None:
            raise RoleRefused(f"There is no role {role}. It is made where a password is given.")
        _run(cursor, "CREATE ROLE {role} LOGIN", role=name)
    if password is not None and not (is_there and only_if_new):
        # Only the verifier travels: a log of statements would keep a password.
        verifier = cursor.connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        _run(cursor, "ALTER ROLE {role} PASSWORD {verifier}", role=name, verifier=sql.Literal(verifier.decode()))


def _refuse_stronger(cursor: CursorWrapper, role: str) -> None:
    cursor.execute(_STRONGER, [list(SCHEMAS), role])
    is_superuser, is_owner = cursor.fetchone()
    if is_superuser:
        raise RoleRefused(f"{role} is a superuser: nothing can be taken from it.")
    if is_owner:
        raise RoleRefused(f"{role} owns tables, or is a member of the role that does: it could give itself any right.")
