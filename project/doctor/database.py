"""PostgreSQL: reachable, the right one, with all that the platform needs of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.conf import settings
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor
from psycopg_pool import PoolTimeout

from orchestration.findings import ERROR, OK, WARNING, Fault, tried
from project.app_role import TABLES, rights_on
from project.doctor import sign_in
from project.doctor.address import TIMEOUT_S, Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.findings import Check, Finding

SLOW_MS: Final = 20.0
"""A page asks ten questions; a database in the same region answers in one or two milliseconds."""
CLOCK_S: Final = 2.0
CLOCK_ERROR_S: Final = 240.0
"""Signed addresses, and AWS's own signatures, are refused when they are five minutes off."""
SIGN_IN: Final = "sign-in"


class Database:
    def __init__(self) -> None:
        self._address = Address.read(settings.DATABASE_URL)
        self._open: psycopg.Connection[Any] | None = None

    def examine(self) -> Iterator[Finding]:
        """What stands on the sign-in is tried one by one: those do not stand on each other."""
        a = self._address
        try:
            for finding in tried((("name", a.look_up), ("port", a.reach), (SIGN_IN, self._sign_in))):
                yield finding
                if finding.name == SIGN_IN and finding.level == OK:
                    yield from self._within()
        finally:
            if self._open is not None:
                self._open.close()

    def _within(self) -> Iterator[Finding]:
        yield from tried([("encryption", self._encrypted)])
        yield from tried([("writing", self._writable)])
        yield from tried([("latency", self._latency)])
        yield from tried([*READY, ("rights", self._rights)])
        yield from tried([("connections", self._connections)])
        yield from tried([("clock", self._clock)])

    def _sign_in(self) -> str:
        try:
            self._open = psycopg.connect(settings.DATABASE_URL, connect_timeout=TIMEOUT_S, autocommit=True)
        except psycopg.OperationalError as exc:
            raise sign_in.read(str(exc), self._address) from exc
        info = self._open.info
        version = f"{info.server_version // 10_000}.{info.server_version % 10_000}"
        return f"as {self._address.user or info.user} into {info.dbname}, PostgreSQL {version}"

    def _row(self, statement: str, *values: Any) -> tuple[Any, ...]:
        if self._open is None:
            raise Fault("The connection is gone.")
        try:
            row: tuple[Any, ...] | None = self._open.execute(statement, values).fetchone()
        except psycopg.OperationalError as exc:
            raise sign_in.read(str(exc), self._address) from exc
        return row or ()

    def _encrypted(self) -> str:
        (is_encrypted,) = self._row("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        if is_encrypted:
            return "TLS"
        if self._address.is_near:
            return "not needed on this machine"
        raise Fault(
            f"What is sent to {self._address.host} is not encrypted, passwords and data alike.",
            WARNING,
            causes=("DATABASE_URL has no sslmode",),
            command="add ?sslmode=verify-full&sslrootcert=/path/of/the/authority.pem to DATABASE_URL",
        )

    def _writable(self) -> str:
        (is_replica, is_read_only) = self._row(
            "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
        )
        if not is_replica and not is_read_only:
            return "allowed"
        raise Fault(
            "This server takes no writes: " + ("it is a replica." if is_replica else "it was set to read only."),
            causes=(
                "DATABASE_URL names the reader's endpoint",
                "a failover made another server the writer, and the name still leads to the old one",
                "an administrator, or a full disk, set default_transaction_read_only",
            ),
            command="aws rds describe-db-clusters --query 'DBClusters[].[Endpoint,ReaderEndpoint,Status]'",
        )

    def _latency(self) -> str:
        took: list[float] = []
        for _ in range(5):
            began = time.perf_counter()
            self._row("SELECT 1")
            took.append((time.perf_counter() - began) * 1_000)
        if (ms := median(took)) > SLOW_MS:
            raise Fault(
                f"A question takes {ms:.0f} ms; every page asks several.",
                WARNING,
                causes=("the database is in another zone or region", "it is at its load's end: CPU, I/O, locks"),
                command="SELECT wait_event_type, wait_event, count(*) FROM pg_stat_activity GROUP BY 1, 2;",
            )
        return f"{ms:.1f} ms a question"

    def _rights(self) -> str:
        """Of the tables as migrations made them, mostly under another role."""
        user = self._address.user or "NAME"
        if lacking := self._lacking():
            first = ", ".join(lacking[:3]) + (" …" if lacking[3:] else "")
            raise Fault(
                f"User {user} may not do what is needed with {len(lacking)} tables: {first}.",
                causes=("they were made by a migration, which runs as another role, and not granted afterwards",),
                command=f"python manage.py grant_role {user}, as the role that migrates",
            )
        (is_super, is_owner) = self._row(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user), pg_has_role(relowner, 'MEMBER')"
            " FROM pg_class WHERE oid = 'orchestration_job'::regclass"
        )
        if is_super and not self._address.is_near:
            raise Fault(
                f"User {user} is a superuser. Whoever takes over a web process has the whole server.",
                WARNING,
                command="python manage.py grant_role esteira_app --password-file FILE; then have DATABASE_URL name it",
            )
        if is_owner and not self._address.is_near:
            raise Fault(
                f"User {user} owns the tables. Whoever takes over a web process can change them, and the audit log.",
                WARNING,
                causes=("DATABASE_URL names the role that migrates",),
                command="python manage.py grant_role esteira_app --password-file FILE; then have DATABASE_URL name it",
            )
        return "read and write, and change no table" if not is_owner else "read and write"

    def _lacking(self) -> list[str]:
        """Tables of which this user has not all the rights that it needs. One that is not there lacks nothing."""
        if self._open is None:
            raise Fault("The connection is gone.")
        with self._open.cursor() as cursor:
            cursor.execute(TABLES)
            tables = [name for (name,) in cursor.fetchall()]
            wanted = [(table, right) for table in tables for right in rights_on(table)]
            cursor.execute(
                "SELECT DISTINCT one FROM unnest(%s::text[], %s::text[]) AS wanted (one, its) "
                "WHERE NOT has_table_privilege('public.' || quote_ident(one), its) ORDER BY 1",
                [[table for table, _ in wanted], [right for _, right in wanted]],
            )
            return [name for (name,) in cursor.fetchall()]

    def _connections(self) -> str:
        (most, kept, used, ours) = self._row(
            "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,"
            " count(*) FILTER (WHERE backend_type = 'client backend'),"
            " count(*) FILTER (WHERE datname = current_database()) FROM pg_stat_activity"
        )
        left, said = most - kept - used, f"{used} of {most - kept} are open, {ours} of them here"
        if left < settings.DB_POOL_SIZE:
            raise Fault(
                f"{said[0].upper()}{said[1:]}: one more process, with its {settings.DB_POOL_SIZE}, may find none.",
                WARNING,
                causes=("too many processes", "a pool larger than a process needs", "sessions left open by hand"),
                command="SELECT application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC;",
            )
        return said

    def _clock(self) -> str:
        began = time.time()
        (theirs,) = self._row("SELECT extract(epoch FROM clock_timestamp())::float8")
        ended = time.time()
        off_s = abs(theirs - (began + ended) / 2) - (ended - began) / 2
        if off_s < CLOCK_S:
            return "this machine and the database agree"
        raise Fault(
            f"This machine's clock and the database's are {off_s:.0f} s apart.",
            WARNING if off_s < CLOCK_ERROR_S else ERROR,
            causes=("this machine keeps no time: chrony or systemd-timesyncd does not run", "a suspended laptop or VM"),
            command="timedatectl status",
        )


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as exc:
        raise Fault(
            f"None of the {settings.DB_POOL_SIZE} connections of this process came free.",
            causes=(
                "questions that take long hold all of them",
                "the pool is too small for what this process is asked",
            ),
            command="SELECT pid, now() - query_start, left(query, 60) FROM pg_stat_activity WHERE state <> 'idle';",
        ) from exc
    except OperationalError as exc:
        raise Fault(
            f"The database does not answer this process: {' '.join(str(exc).split())}",
            causes=("it was restarted, or failed over, a moment ago", "it does not run, or cannot be reached"),
            command="python manage.py doctor database",
        ) from exc


def answers() -> str:
    """Through the pool, as every page and every call asks."""
    with _heard(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "answers"


def migrated() -> str:
    """Through Django's own connection, as its executor wants one."""
    try:
        with _heard():
            executor = MigrationExecutor(connection)
    except ProgrammingError as exc:
        raise Fault(
            "Which migrations are applied cannot be read.",
            causes=("they ran under another role, which did not grant the tables",),
            command="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO …;",
        ) from exc
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    applied = set(executor.loader.applied_migrations)
    if not applied:
        raise Fault(
            "The database is empty.",
            causes=("it is new", "DATABASE_URL names another database than before"),
            command="python manage.py prepare",
        )
    if plan:
        names = ", ".join(f"{one.app_label}.{one.name}" for one, _ in plan[:3])
        raise Fault(
            f"{len(plan)} migrations are to be applied: {names}{', …' if len(plan) > 3 else ''}.",  # noqa: PLR2004
            causes=("this release is newer than the database", "the job that migrates failed or has not run"),
            command="python manage.py migrate",
        )
    if newer := sorted(applied - set(executor.loader.disk_migrations)):
        known = {app for app, _ in executor.loader.disk_migrations}
        if ours := [f"{app}.{name}" for app, name in newer if app in known]:
            raise Fault(
                f"The database knows {ours[-1]}, which this release does not: it is older than the database.",
                WARNING,
                causes=("a release was rolled back after its migrations", "an old process was left running"),
                command="python manage.py showmigrations orchestration",
            )
    return f"all {len(applied)} applied"


READY: Final[tuple[Check, ...]] = (("pool", answers), ("migrations", migrated))
"""Of all checks those that are fast, and without which a process can serve nobody: what `/health/ready` asks."""
