"""manage.py second_factor --remove NAME: for an administrator who has lost hers, on the machine itself."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.models import User
from orchestration.services.second_factor import remove_second_factors


class Command(BaseCommand):
    help = "Remove all second factors of an account, so that its password is enough once more."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", metavar="NAME", required=True, help="user name of the account")

    def handle(self, *, remove: str, **_: Any) -> None:
        user = User.objects.filter(username=remove).first()
        if user is None:
            raise CommandError(f"There is no account {remove}.")
        # Whoever may run this holds the database.
        removed = remove_second_factors(by=User(is_superuser=True), user=user)
        self.stdout.write(f"{removed} removed from {remove}.")
