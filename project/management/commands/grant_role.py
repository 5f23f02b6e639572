"""manage.py grant_role: the rights of the platform's role in the database, no more and no less."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from project.app_role import ADDED_TO, RoleRefused, grant


class Command(BaseCommand):
    help = (
        "Give a role of PostgreSQL exactly what the platform needs. Run as the role that migrates, after each migrate."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", metavar="NAME")
        password = parser.add_mutually_exclusive_group()
        password.add_argument(
            "--password-file",
            metavar="FILE",
            help="sets its password to what is in FILE, - for standard input, and makes the role unless it is there",
        )
        password.add_argument(
            "--first-password-file", metavar="FILE", help="the same, but a role that is there keeps its password"
        )

    def handle(self, *, role: str, password_file: str | None, first_password_file: str | None, **_: Any) -> None:
        file = password_file or first_password_file
        try:
            tables = grant(role, _read(file) if file else None, only_if_new=password_file is None)
        except RoleRefused as exc:
            raise CommandError(str(exc)) from exc
        except DatabaseError as exc:
            raise CommandError(f"PostgreSQL refuses: {' '.join(str(exc).split())}") from exc
        added = len(ADDED_TO.intersection(tables))
        self.stdout.write(f"{role} reads and writes {len(tables)} tables, of which it only adds to {added}.")


def _read(file: str) -> str:
    try:
        said = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"{file} cannot be read: {exc.strerror}.") from exc
    if not (password := said.rstrip("\n")):
        raise CommandError("The password is empty.")
    return password
