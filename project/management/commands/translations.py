"""manage.py translations: bring the catalogues up to date with the sources, and list what is still to be translated."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from project.translations import DOMAINS, missing, others, po_file, renew


class Command(BaseCommand):
    help = "Renew the catalogues of translations from the sources, compile them, and list what is missing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only list, write nothing")

    def handle(self, *, check: bool, **_: Any) -> None:
        left = 0
        for language in others():
            for domain in DOMAINS:
                if not check:
                    renew(language, domain)
                found = missing(language, domain)
                left += len(found)
                for line in found:
                    self.stdout.write(f"{language}/{domain}  {line}")
                if found:
                    self.stdout.write(f"Say them in {po_file(language, domain)}, then run this once more.")
        self.stdout.write(f"{left} to be translated." if left else "Everything is translated.")
        if left and check:
            raise SystemExit(1)
