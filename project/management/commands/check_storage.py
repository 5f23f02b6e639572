"""manage.py check_storage: try everything that files rest on, and say what is not right and how to mend it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.errors import StorageUnavailable
from orchestration.findings import ERROR, OK, Finding
from orchestration.storage.registry import get_direct
from project.object_storage import IN_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.storage.s3 import S3DirectStorage


class Command(BaseCommand):
    help = "Try what files rest on: versions, checksums, what pages may send. Exits with 1 where it is not safe."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")

    def handle(self, **options: Any) -> None:
        bad = False
        for alias in IN_BUCKETS:
            for finding in look(alias):
                bad = bad or finding.level == ERROR
                self._say(alias, finding, as_json=options["json"])
        if bad:
            raise CommandError("The storage cannot be used as it is; what is wrong is said above.")

    def _say(self, alias: str, finding: Finding, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"storage": alias, **asdict(finding)}))
            return
        line = f"{finding.level:<8} {alias:<8} {finding.name}: {finding.said} ({finding.ms:.0f} ms)"
        self.stdout.write(line if finding.level == OK else self.style.WARNING(line))


def look(alias: str) -> Iterator[Finding]:
    try:
        direct = get_direct(alias)
    except StorageUnavailable as exc:
        yield Finding("credentials", ERROR, str(exc))
        return
    if direct is None:
        yield Finding("local", OK, "in a folder of this machine")
        return
    # Imported where it is used: a laptop without object storage has no need of boto3.
    from orchestration.storage.probe import probe_code, probe_results, probe_uploads  # noqa: PLC0415

    storage = cast("S3DirectStorage", direct)
    match alias:
        case "uploads":
            yield from probe_uploads(storage, settings.PUBLIC_URL)
        case "results":
            yield from probe_results(storage)
        case _:
            yield from probe_code(storage)
