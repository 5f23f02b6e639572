"""files: list, show, download, keep longer, hold, delete and bring back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api_app.client import by_path, completing, lookup
from api_app.client.commands.moves import confirm
from api_app.client.errors import EsteiraError
from api_app.client.exit_codes import ExitCode
from api_app.client.following import fetch_all
from api_app.client.options import Connection, Listing, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import ago, count, short, size
from api_app.client.session import Session, session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from api_app.client.by_path import Json

several = click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=completing.files)


@click.group(cls=Listing)
def files() -> None:
    """List files, show and download them, change how long they are kept.

    FILE is its id, the first or last 6 or more characters of it, or its name.
    """


@files.command("list", epilog=examples("esteira files", "esteira files --deleted", "esteira files -n 500 --json"))
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@click.option("--deleted", "is_deleted", is_flag=True, help="Instead those that can still be brought back.")
@as_json
@connection
@click.pass_obj
def list_files(connected: Connection, *, limit: int, is_deleted: bool, is_json: bool) -> None:
    """List files, newest first."""
    with session(connected, is_json=is_json) as current:
        found = list(by_path.pages(current.client, "files", limit=limit, deleted="true" if is_deleted else None))
        if is_json:
            current.screen.json(found)
        elif found:
            _list(current, found)
        else:
            current.screen.say("There are no files yet." if not is_deleted else "No deleted file can be brought back.")


def _list(current: Session, found: Sequence[Json]) -> None:
    whole = not current.screen.out.is_terminal
    current.screen.table(
        ("FILE", "SIZE", "KIND", "TYPE", "CREATED", "NAME"),
        [
            (
                one["id"] if whole else short(one["id"]),
                size(one["size"]),
                one["kind"],
                one["media_type"],
                ago(one["created_at"]),
                one["name"],
            )
            for one in found
        ],
        right=("SIZE",),
    )


@files.command("show", epilog=examples("esteira files show sales.csv"))
@click.argument("file", shell_complete=completing.files)
@as_json
@connection
@click.pass_obj
def show_file(connected: Connection, *, file: str, is_json: bool) -> None:
    """Show one FILE: size, digest, type, how long it is kept, and the job that made it."""
    with session(connected, is_json=is_json) as current:
        one = by_path.get(current.client, by_path.path("files", lookup.file_id(current.client, file)))
        if is_json:
            current.screen.json(one)
            return
        for label, value in _facts(one).items():
            if value:
                current.screen.say(f"{label:<12}{one_line(value)}")


def _facts(one: Json) -> dict[str, str]:
    return {
        "File": one["id"],
        "Name": "/".join(part for part in (one["path"], one["name"]) if part),
        "Size": f"{size(one['size'])} ({one['size']:,} bytes)",
        "Type": one["media_type"],
        "SHA-256": one["sha256"],
        "Kind": one["kind"],
        "Scan": one["scan_state"],
        "Created": ago(one["created_at"]),
        "Kept until": f"{_day(one['expires_at'])}{', and on hold' if one['hold'] else ''}",
        "Made by": f"job {one['job']}, step {one['step']}" if one["job"] else "",
    }


def _day(moment: str) -> str:
    return moment[:10]


@files.command(epilog=examples("esteira files download sales.csv notes.txt -o here"))
@several
@click.option("--output", "-o", "folder", metavar="DIR", default=".", type=click.Path(file_okay=False, path_type=Path),
              help="Where to put them. Without it, here.")  # fmt: skip
@as_json
@connection
@click.pass_obj
def download(connected: Connection, *, files: tuple[str, ...], folder: Path, is_json: bool) -> None:
    """Fetch FILEs. What is there already is not fetched again."""
    with session(connected, is_json=is_json) as current:
        client = current.client
        rows: list[Any] = [by_path.get(client, by_path.path("files", lookup.file_id(client, one))) for one in files]
        paths = fetch_all(current, rows, folder)
        if is_json:
            current.screen.json([str(path) for path in paths])


@files.command(
    epilog=examples("esteira files extend sales.csv --days 730", "esteira files extend a.csv --until 2030-12-31")
)
@several
@click.option("--days", type=click.IntRange(1, 36_600), metavar="N", help="So many days from now.")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="To the end of this day (UTC).")
@as_json
@connection
@click.pass_obj
def extend(
    connected: Connection, *, files: tuple[str, ...], days: int | None, until: datetime | None, is_json: bool
) -> int:
    """Keep FILEs longer. A date can only be moved away."""
    if (days is None) == (until is None):
        raise click.UsageError("Say either --days N or --until DATE.")
    body = {"days": days, "until": f"{until:%Y-%m-%d}" if until else None}
    return _each(
        connected, files, "extend", body, lambda one: f"is kept until {_day(one['expires_at'])}", is_json=is_json
    )


@files.command(epilog=examples('esteira files hold sales.csv --reason "audit of 2026"'))
@several
@click.option("--reason", required=True, help="Why; it is written down.")
@as_json
@connection
@click.pass_obj
def hold(connected: Connection, *, files: tuple[str, ...], reason: str, is_json: bool) -> int:
    """Nobody and no date deletes FILEs until they are released. For managers."""
    return _each(connected, files, "hold", {"reason": reason}, lambda _: "is on hold", is_json=is_json)


@files.command(epilog=examples("esteira files unhold sales.csv"))
@several
@click.option("--reason", help="Why; it is written down.")
@as_json
@connection
@click.pass_obj
def unhold(connected: Connection, *, files: tuple[str, ...], reason: str | None, is_json: bool) -> int:
    """Release FILEs from hold: their own date counts again. For managers."""
    told: Callable[[Json], str] = lambda one: f"is kept until {_day(one['expires_at'])}"  # noqa: E731 - as its neighbours
    return _each(connected, files, "unhold", {"reason": reason}, told, is_json=is_json)


@files.command(epilog=examples("esteira files undelete sales.csv"))
@several
@as_json
@connection
@click.pass_obj
def undelete(connected: Connection, *, files: tuple[str, ...], is_json: bool) -> int:
    """Bring deleted FILEs back. `esteira files --deleted` lists what can be."""
    return _each(connected, files, "undelete", None, lambda _: "is back", is_json=is_json)


@files.command(epilog=examples("esteira files delete old.csv --yes"))
@several
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask.")
@as_json
@connection
@click.pass_obj
def delete(connected: Connection, *, files: tuple[str, ...], is_sure: bool, is_json: bool) -> int:
    """Delete FILEs. For 30 days they can be brought back: esteira files undelete."""
    if not is_sure:
        confirm(f"Delete {count(len(files), 'file')}?")
    return _each(connected, files, "delete", None, lambda _: "is deleted", is_json=is_json)


def _each(
    connected: Connection,
    files: Sequence[str],
    verb: str,
    body: Json | None,
    told: Callable[[Json], str],
    *,
    is_json: bool,
) -> int:
    """One that is refused does not stop the others."""
    done: list[Json] = []
    faults: list[EsteiraError] = []
    with session(connected, is_json=is_json) as current:
        for text in dict.fromkeys(files):
            try:
                one = _do(current, text, verb, body)
            except EsteiraError as fault:
                current.screen.fault(fault, one_line(text), file=text)
                faults.append(fault)
                continue
            done.append(one)
            current.screen.say(f"{one_line(one.get('name') or text)} {told(one)}.")
        if is_json:
            current.screen.json(done)
    return max((fault.exit_code for fault in faults), default=ExitCode.DONE)


def _do(current: Session, text: str, verb: str, body: Json | None) -> Json:
    found = lookup.file_id(current.client, text, is_deleted=verb == "undelete")
    if verb == "delete":
        by_path.delete(current.client, by_path.path("files", found))
        return {"id": found, "name": text}
    answer: Json = by_path.send(current.client, "POST", by_path.path("files", found, verb), body)
    return answer
