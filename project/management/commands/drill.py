"""manage.py drill: restore a backup to a new server and hold it against storage and engine; says RPO and RTO."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from psycopg.conninfo import make_conninfo

from project.drill.look import look, rows
from project.drill.restore import DrillError, dump, made_at, restore
from project.embedded.throwaway import temporary_root, throwaway

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOM: Final = 3
"""Times the database's size: its restored copy, the log of writing it, and the dump."""


class Command(BaseCommand):
    help = "Restore the database to a new server and say what would be lost. Changes nothing here."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dump", type=Path, metavar="FILE", help="a dump of pg_dump -Fc; one is made without it")
        parser.add_argument(
            "--into", metavar="URL", help="an empty database of another server; a server is made without it"
        )
        parser.add_argument(
            "--restored", metavar="NAME", help="a database on the same server that a backup was restored to already"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
        parser.add_argument(
            "--look", action="store_true", help="only hold the database of DATABASE_URL against the rest"
        )

    def handle(self, **options: Any) -> None:
        if options["look"]:
            self.stdout.write(json.dumps(look(), cls=DjangoJSONEncoder))
            return
        try:
            told = _held(options["restored"]) if options["restored"] else _drill(options["dump"], options["into"])
        except DrillError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(json.dumps(told, cls=DjangoJSONEncoder) if options["json"] else _sentences(told))
        if told["wrong"]:
            raise CommandError("The backup does not hold; what is wrong is said above.")


def _drill(source: Path | None, into: str | None) -> dict[str, Any]:
    began = datetime.now(UTC)
    told: dict[str, Any] = {"began": began}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esteira-drill-")))
        if not into:
            _check_room()
            into = stack.enter_context(throwaway()).create_database("restored")
        clock = time.monotonic()
        if source is None:
            source = folder / "esteira.dump"
            dump(settings.DATABASE_URL, source)
        told |= {"dump_s": time.monotonic() - clock, "dump_bytes": source.stat().st_size}
        # A dump that was made just now may be a second younger than the drill.
        told["rpo_s"] = max(0.0, (began - made_at(source)).total_seconds())
        clock = time.monotonic()
        restore(source, into)
        told["restore_s"] = time.monotonic() - clock
        told |= _looked(into)
        told["rto_s"] = time.monotonic() - clock
    return _judged(told)


def _held(name: str) -> dict[str, Any]:
    """What somebody else has restored, by the programs of another image say."""
    return _judged({"began": datetime.now(UTC), **_looked(make_conninfo(settings.DATABASE_URL, dbname=name))})


def _judged(told: dict[str, Any]) -> dict[str, Any]:
    told["since"] = _since(told["rows"])
    told["wrong"] = bool(told["files"]["wrong"] or told["violations"] or told["migrations_missing"])
    return told


def _check_room() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (size,) = cursor.fetchone()
    root = temporary_root()
    if shutil.disk_usage(root).free < ROOM * size:
        raise DrillError(
            f"{root} has not the {ROOM * size >> 20} MiB of room that it takes. Name an empty database: --into URL."
        )


def _looked(url: str) -> dict[str, Any]:
    """By a process of its own, whose database is the restored one and whose files and engine are ours."""
    command = [sys.executable, "-P", "-m", "project", "drill", "--look"]
    environment = os.environ | {"DATABASE_URL": url}
    environment.pop("DATABASE_URL_FILE", None)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DrillError(f"What was restored cannot be read. {done.stderr.strip()[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _since(restored: Mapping[str, int]) -> dict[str, int]:
    """By how many rows each table here has more, or fewer, than the restored one."""
    here = rows()
    both = {table: here.get(table, 0) - restored.get(table, 0) for table in here.keys() | restored.keys()}
    return {table: number for table, number in sorted(both.items()) if number}


def _sentences(told: Mapping[str, Any]) -> str:
    files, engine = told["files"], told["engine"]
    tables = f"{len(told['rows'])} tables, {sum(told['rows'].values())} rows"
    timed = "restore_s" in told
    lines = [
        *([("dump", f"{told['dump_s']:.1f} s, {told['dump_bytes'] / (1 << 20):.1f} MiB")] if timed else []),
        ("restore", f"{told['restore_s']:.1f} s, {tables}" if timed else tables),
        ("files", f"{files['looked_at'] - files['wrong']} of {files['looked_at']} are in the storage, whole"),
        *(("", said) for said in files["named"]),
        ("objects", f"{told['unknown_objects']} in the storage that no restored row knows"),
        ("work", f"{told['jobs_unfinished']} jobs unfinished, {told['attempts_open']} attempts would be tried again"),
        ("engine", ", ".join(f"{name} {value}" for name, value in engine.items() if name != "name") or engine["name"]),
        ("invariants", f"{told['violations']} violated"),
        ("migrations", f"{told['migrations_missing']} missing"),
        ("since", ", ".join(f"{table} {number:+}" for table, number in told["since"].items()) or "nothing has changed"),
    ]
    if timed:
        lines += [
            ("RPO", f"{told['rpo_s']:.0f} s: so old was the dump; what came since is above"),
            ("RTO", f"{told['rto_s']:.0f} s: restored and looked through"),
        ]
    return "\n".join(f"{name:<11} {said}" for name, said in lines)
