"""manage.py doctor: look at everything that the platform stands on, and say how to mend what is wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.findings import ERROR, OK, SKIPPED, WARNING
from project.doctor.rounds import AREAS, examine

if TYPE_CHECKING:
    from orchestration.findings import Finding

MARKS: Final = {OK: "ok", WARNING: "WARNING", ERROR: "ERROR", SKIPPED: "-"}


class Command(BaseCommand):
    help = "Look at database, files, queue, engine, scanner and mail; say what is wrong and how to mend it."
    # Nothing may stand in the way of who looks for what is wrong.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("areas", nargs="*", metavar="AREA", help=f"some of them: {', '.join(AREAS)}; else all")
        parser.add_argument("--json", action="store_true", help="one JSON object a line, for programs")

    def handle(self, **options: Any) -> None:
        if unknown := sorted(set(options["areas"]) - set(AREAS)):
            raise CommandError(f"There is no area {unknown[0]}. There are {', '.join(AREAS)}.")
        bad: list[tuple[str, Finding]] = []
        warned = 0
        before = ""
        for area, finding in examine(options["areas"] or tuple(AREAS)):
            bad += [(area, finding)] * (finding.level == ERROR)
            warned += finding.level == WARNING
            if options["json"]:
                self.stdout.write(json.dumps({"area": area, **asdict(finding)}))
                continue
            if area != before:
                self.stdout.write(self.style.MIGRATE_HEADING(area))
            before = area
            self._say(finding)
        if bad:
            area, finding = bad[0]
            said = "One thing is" if len(bad) == 1 else f"{len(bad)} things are"
            raise CommandError(f"{said} wrong. Begin with {area}, {finding.name}: {finding.said}")
        if not options["json"]:
            self.stdout.write("All is well." if not warned else f"It works, with {warned} warnings.")

    def _say(self, finding: Finding) -> None:
        took = f" ({finding.ms:.0f} ms)" if finding.level != SKIPPED else ""
        style = {ERROR: self.style.ERROR, WARNING: self.style.WARNING}.get(finding.level, str)
        self.stdout.write(style(f"  {MARKS[finding.level]:<8}{finding.name:<22}{finding.said}{took}"))
        for number, cause in enumerate(finding.causes):
            self.stdout.write(f"{'':10}{'perhaps' if not number else '':<9}{cause}")
        if finding.command:
            self.stdout.write(f"{'':10}{'try':<9}{finding.command}")
