"""manage.py prepare: bring database and first accounts to where the platform can start. Repeats do no harm."""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from orchestration.models import ApiToken, Job, Membership, User, Workspace
from orchestration.services.pipelines import STORAGE as CODE
from orchestration.services.pipelines import bring_bundles, publish_built_ins
from orchestration.services.tokens import MAX_DAYS, authenticate, issue
from orchestration.states import Role

LOCK = 0x65737465  # "este": replicas that start together prepare one after the other


class Command(BaseCommand):
    help = "Migrate the database, publish the built-in pipelines and make the first administrator."
    # The others are about pages and would load them all, while somebody waits for the first one.
    requires_system_checks = (Tags.files,)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--no-accounts", action="store_true", help="no first administrator, whose password would stand in a log"
        )
        parser.add_argument(
            "--grant", metavar="ROLE", help="after the migrations, as grant_role: for the platform that runs as ROLE"
        )
        parser.add_argument(
            "--first-password-file",
            metavar="FILE",
            help="makes ROLE with the password in FILE; one that is there keeps its own",
        )

    def handle(
        self, *, no_accounts: bool = False, grant: str | None, first_password_file: str | None, **_: Any
    ) -> None:
        if first_password_file and not grant:
            raise CommandError("--first-password-file says whose password it is with --grant ROLE.")
        with connection.cursor() as cursor:
            # A second replica waits for as long as the first one needs, and a migration may take its time.
            cursor.execute("SET lock_timeout = 0; SET statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [str(settings.DB_LOCK_TIMEOUT_MS)])
            try:
                call_command("migrate", interactive=False, verbosity=0)
                if grant:
                    # What it says is for people; standard output is read by `up`.
                    call_command("grant_role", grant, first_password_file=first_password_file, stdout=sys.stderr)
                publish_built_ins()
                bring_bundles(settings.ESTEIRA_HOME / "storage" / CODE)
                said = {} if no_accounts else self._accounts()
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        self.stdout.write(json.dumps(said))

    def _accounts(self) -> dict[str, Any]:
        admin, password = _first_admin()
        _write_cli_credentials(admin)
        return {"user": admin.username, "password": password, "is_first": not Job.objects.exists()}


def _first_admin() -> tuple[User, str | None]:
    """The administrator, and the password only when it was made just now."""
    admin = User.objects.filter(is_superuser=True, is_active=True).order_by("date_joined").first()
    if admin is not None:
        return admin, None
    password = secrets.token_urlsafe(12)
    admin = User.objects.create_superuser("admin", password=password)
    workspace, _ = Workspace.objects.get_or_create(slug="main", defaults={"name": "Main"})
    Membership.objects.get_or_create(workspace=workspace, user=admin, defaults={"role": Role.MANAGER})
    return admin, password


def _write_cli_credentials(admin: User) -> None:
    """So that `esteira` needs no login on the machine that runs the platform."""
    file: Path = settings.ESTEIRA_HOME / "cli.json"
    kept = _kept_token(file)
    if kept is None:
        ApiToken.objects.filter(user=admin, name="this machine", revoked_at__isnull=True).delete()
        _, kept = issue(user=admin, name="this machine", scopes=("read", "upload", "run", "admin"), days=MAX_DAYS)
    url = f"http://{settings.ESTEIRA_HOST}:{settings.ESTEIRA_PORT}"
    part = file.with_suffix(".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as out:
        json.dump({"url": url, "token": kept}, out)
    part.replace(file)


def _kept_token(file: Path) -> str | None:
    try:
        token = json.loads(file.read_bytes())["token"]
    except (OSError, ValueError, KeyError):
        return None
    return token if authenticate(token=token) else None
