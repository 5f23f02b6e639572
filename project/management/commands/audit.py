"""manage.py audit: proves that nothing of the audit log was changed or taken out, and writes it out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from orchestration.errors import OrchestrationError
from orchestration.models import Workspace
from orchestration.services.audit import Wanted, kept_anchors, stream, verify


class Command(BaseCommand):
    help = "Verify the chain of the audit log, or write entries as JSON Lines."

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True)
        proof = does.add_parser("verify", help="says the first place that is broken; exit code 1 where there is one")
        proof.add_argument("--anchor", default="", help="that an earlier look printed: it must lie on the chain")
        proof.add_argument(
            "--but", type=int, nargs="+", default=[], metavar="NUMBER",
            help="anchors in the storage that do not count: of what a restore has taken back",
        )  # fmt: skip
        out = does.add_parser("export", help="to standard output")
        out.add_argument("--workspace", default="")
        out.add_argument("--since", type=_moment, help="a date or a time, in UTC")
        out.add_argument("--until", type=_moment, help="before that date or time, in UTC")
        out.add_argument("--action", default="", help="what the action begins with, such as token.")

    def handle(self, *, does: str, **given: Any) -> None:
        if does == "verify":
            self._verify(given["anchor"], given["but"])
            return
        workspace = None
        if given["workspace"] and (workspace := Workspace.objects.filter(slug=given["workspace"]).first()) is None:
            raise CommandError(f"There is no workspace {given['workspace']}.")
        wanted = Wanted(workspace, given["since"], given["until"], given["action"])
        for line in stream(wanted):
            self.stdout.write(line, ending="")

    def _verify(self, anchor: str, but: list[int]) -> None:
        try:
            kept = kept_anchors(but=but)
            found = verify(anchor=anchor, kept=kept)
        except OrchestrationError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(f"{found.sealed:,} entries are sealed and hold. Keep this elsewhere: {found.anchor}")
        self.stdout.write(f"{len(kept):,} anchors are kept in the storage of results.")
        if found.oldest:
            self.stdout.write(f"{found.unsealed:,} are not sealed yet, the oldest of {found.oldest:%Y-%m-%d %H:%M:%S}.")
        if found.broken:
            raise CommandError(f"The chain is broken: {found.broken}.")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
