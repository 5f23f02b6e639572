"""manage.py pipelines check|publish PATH."""

from pathlib import Path
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.errors import OrchestrationError
from orchestration.services.pipelines import Source, load, publish


class Command(BaseCommand):
    help = "Check or publish pipelines. PATH is a pipeline.yaml or the folder that holds it."
    # The others are about pages, and would load them all.
    requires_system_checks = (Tags.files,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("verb", choices=["check", "publish"])
        parser.add_argument("path", nargs="+", type=Path)

    def handle(self, *, verb: str, path: list[Path], **_: Any) -> None:
        """All are checked before any is published."""
        sources, problems = [], []
        for one in path:
            try:
                sources.append(load(one))
            except OrchestrationError as exc:
                problems.append(str(exc))
        if problems:
            raise CommandError("\n".join(problems))
        for source in sources:
            self.stdout.write(_checked(source) if verb == "check" else _published(source))


def _checked(source: Source) -> str:
    spec = source.spec
    steps = ", ".join(step.name for step in spec.steps)
    number = "1 step" if len(spec.steps) == 1 else f"{len(spec.steps)} steps"
    return f"{spec.name} {spec.version} is fine: {number} ({steps}), {len(source.bundle):,} bytes of code."


def _published(source: Source) -> str:
    try:
        version, is_new = publish(source=source)
    except OrchestrationError as exc:
        raise CommandError(str(exc)) from exc
    what = "published" if is_new else "was published before, and is the same"
    return f"{version} {what} (digest {version.digest[:12]})."
