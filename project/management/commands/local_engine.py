"""manage.py local_engine: run attempts on this machine until told to stop."""

from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandParser

from orchestration.engines.local.supervisor import Platform, Supervisor
from orchestration.execution.record import record
from orchestration.execution.sweep import advance_stalled
from orchestration.runner.build import build
from orchestration.services.runner import issue_token


class Command(BaseCommand):
    help = "Run the local engine: lease attempts, start runners, re-adopt what an earlier engine left running."
    # The others are about pages, and would load them all.
    requires_system_checks = (Tags.files,)

    def add_arguments(self, parser: CommandParser) -> None:
        # "All addresses" is none that a server answers to.
        host = "127.0.0.1" if settings.ESTEIRA_HOST in {"0.0.0.0", "::", "[::]"} else settings.ESTEIRA_HOST  # noqa: S104
        here = f"http://{host}:{settings.ESTEIRA_PORT}"
        parser.add_argument("--server", default=here, help="where runners reach the platform (default: %(default)s)")

    def handle(self, *, server: str, **_: Any) -> None:
        platform = Platform(
            record=record,
            advance_stalled=advance_stalled,
            issue_token=issue_token,
            database_url=settings.DATABASE_URL,
            server=server,
            runner=build(settings.ESTEIRA_HOME / "runner.pyz"),
            home=settings.ESTEIRA_HOME,
        )
        Supervisor(platform).run()
