"""manage.py migrate, while the platform serves: waits for no lock for long, and tries again.

A statement that waits for an exclusive lock stops everybody who comes after it, readers too. So it gives up soon, what
waited behind it goes on, and a moment later it is tried again: what a migration has begun is undone, or was made to be
begun twice.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections
from psycopg.errors import LockNotAvailable

LOCK_MS: Final = 2_000
TRIES: Final = 30
LONGEST_PAUSE_S: Final = 15.0


class Command(migrate.Command):
    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--lock-timeout-ms", type=int, default=LOCK_MS, help="how long one statement waits for a lock (%(default)s)"
        )
        parser.add_argument("--tries", type=int, default=TRIES, help="how often it is tried (%(default)s)")

    def handle(self, *args: Any, lock_timeout_ms: int = LOCK_MS, tries: int = TRIES, **options: Any) -> None:
        for number in range(1, tries + 1):
            try:
                return self._try(lock_timeout_ms, *args, **options)
            except OperationalError as exc:
                if not isinstance(exc.__cause__, LockNotAvailable):
                    raise
                self.stderr.write(f"A lock was not to be had within {lock_timeout_ms} ms (try {number} of {tries}).")
            if number < tries:
                time.sleep(random.uniform(0.5, 1) * min(LONGEST_PAUSE_S, 0.5 * 2**number))  # noqa: S311  no secret
        raise CommandError(
            "A transaction that lasts holds a table that has to change. Look for it (SELECT pid, state, xact_start,"
            " query FROM pg_stat_activity ORDER BY xact_start), end it (SELECT pg_terminate_backend(pid)), and run this"
            " again."
        )

    def _try(self, lock_timeout_ms: int, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(lock_timeout_ms)])
            # An index over many rows takes its time, and stops nobody.
            cursor.execute("SET statement_timeout = 0")
        try:
            super().handle(*args, **options)
        finally:
            if connection.is_usable():
                with connection.cursor() as cursor:
                    cursor.execute("RESET lock_timeout")
                    cursor.execute("RESET statement_timeout")
