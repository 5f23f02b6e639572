"""The commands `upload` and `uploads`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api_app.client import lookup, sending
from api_app.client.errors import RequestError
from api_app.client.exit_codes import ExitCode
from api_app.client.inputs import Found, collect, require_some
from api_app.client.options import Connection, Listing, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import ago, short, size, until
from api_app.client.session import Session, session
from api_app.client.uploads.outgoing import Outcome, Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import Upload

STDIN = Path("-")
MOST_SHOWN = 20


@click.command(
    epilog=examples(
        "esteira upload big.tif photos/ '*.csv'",
        "esteira upload photos/ --workspace lab --path 2026/nov",
        "pg_dump shop | esteira upload - --name shop.sql",
    )
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--workspace", metavar="SLUG", help="Workspace to upload to, when you are in several.")
@click.option("--path", "folder", metavar="FOLDER", default="", help="Folder to put them in there, like photos/2026.")
@click.option("--name", metavar="NAME", help="Name it gets there; for one file or `-`.")
@click.option(
    "--jobs",
    "-j",
    type=click.IntRange(min=1),
    metavar="N",
    help="Connections at once, at most and by default what the platform allows.",
)
@click.option("--hidden", "is_hidden", is_flag=True, help="Take hidden files of folders along.")
@click.option("--again", "is_again", is_flag=True, help="Send once more what you uploaded within the last day.")
@as_json
@connection
@click.pass_obj
def upload(
    connected: Connection,
    *,
    paths: tuple[Path, ...],
    workspace: str | None,
    folder: str,
    name: str | None,
    jobs: int | None,
    is_hidden: bool,
    is_again: bool,
    is_json: bool,
) -> int:
    """Upload files and folders. What was cut off goes on where it stopped: run the same command again.

    PATH is a file, a folder (its structure is kept; links out of it are not followed), a pattern in quotes, or `-` for
    standard input, which needs --name and starts again from nothing.

    One file that fails does not stop the others; the exit code is then 1.
    """
    items, found = _items(paths, folder, name, is_hidden=is_hidden)
    total = None if STDIN in paths else sum(one.size for one in found.inputs)
    with session(connected, is_json=is_json) as current:
        sending.tell_left_out(current.screen, found)
        outcomes = (
            sending.send(current, items, total=total, workspace=workspace, jobs=jobs, again=is_again) if items else []
        )
        return _tell(current, outcomes, found)


def _items(paths: Sequence[Path], folder: str, name: str | None, *, is_hidden: bool) -> tuple[list[Outgoing], Found]:
    found = collect([path for path in paths if path != STDIN], hidden=is_hidden)
    if STDIN not in paths:
        require_some(found, paths)
    items = [Outgoing(one.path, path=_below(folder, one.folder)) for one in found.inputs]
    if STDIN in paths:
        if not name:
            raise RequestError("Standard input has no name. Give it one: --name table.csv", code="no_name")
        items.append(Outgoing(sys.stdin.buffer, name, folder))
    elif name:
        if len(items) != 1:
            raise RequestError(f"--name is for one file, and these are {len(items):,}.")
        items = [Outgoing(items[0].source, name, items[0].path)]
    return items, found


def _below(folder: str, own: str) -> str:
    return "/".join(part for part in (folder.strip("/"), own) if part)


def _tell(current: Session, outcomes: Sequence[Outcome], found: Found) -> int:
    files = [one.file for one in outcomes if one.file]
    if current.screen.is_json:
        current.screen.json(_answer(outcomes, found))
    elif files and len(files) <= MOST_SHOWN:
        sending.table(current.screen, files)
    sending.tell_sent(current.screen, outcomes)
    return ExitCode.FAILED if sending.tell_failed(current.screen, outcomes, found) else ExitCode.DONE


def _answer(outcomes: Sequence[Outcome], found: Found) -> dict[str, Any]:
    failed = [(one.item.label, one.fault) for one in outcomes if one.fault] + [("", fault) for fault in found.faults]
    return {
        "files": [one.file for one in outcomes if one.file],
        "failed": [{"source": source, "code": fault.code, "reason": str(fault)} for source, fault in failed],
        "left_out": [{"source": str(path), "reason": why} for path, why in found.left_out],
    }


@click.group(cls=Listing)
def uploads() -> None:
    """List uploads that are unfinished, or abort them."""


@uploads.command("list", epilog=examples("esteira uploads", "esteira uploads list --json"))
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@as_json
@connection
@click.pass_obj
def list_uploads(connected: Connection, *, limit: int, is_json: bool) -> None:
    """List your unfinished uploads, newest first."""
    with session(connected, is_json=is_json) as current:
        found = [_fresh(current, one) for one in current.client.uploads(limit=limit)]
        if is_json:
            current.screen.json(found)
        elif found:
            _list(current, found)
        else:
            current.screen.say("There are no unfinished uploads.")


def _fresh(current: Session, upload: Upload) -> Upload:
    """A list does not ask object storage what has arrived."""
    return upload if upload["received_bytes"] is not None else current.client.show_upload(upload["id"])


def _list(current: Session, found: Sequence[Upload]) -> None:
    whole = not current.screen.out.is_terminal
    current.screen.table(
        ("UPLOAD", "SIZE", "RECEIVED", "BEGUN", "EXPIRES", "NAME"),
        [
            (
                one["id"] if whole else short(one["id"]),
                "" if one["size"] is None else size(one["size"]),
                size(one["received_bytes"] or 0),
                ago(one["created_at"]),
                until(one["expires_at"]),
                f"{one['path']}/{one['name']}".lstrip("/"),
            )
            for one in found
        ],
        right=("SIZE", "RECEIVED"),
    )
    current.screen.say("\nGo on with one: run the same command again. Give one up: esteira uploads abort UPLOAD")


@uploads.command(epilog=examples("esteira uploads abort 0f3a91c2", "esteira uploads abort --all"))
@click.argument("uploads", metavar="UPLOAD...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="All of your unfinished uploads.")
@as_json
@connection
@click.pass_obj
def abort(connected: Connection, *, uploads: tuple[str, ...], is_all: bool, is_json: bool) -> None:
    """Give up UPLOADs: what has arrived of them is deleted."""
    if bool(uploads) == is_all:
        raise click.UsageError("Name the uploads, or say --all.")
    with session(connected, is_json=is_json) as current:
        mine = list(current.client.uploads())
        chosen = mine if is_all else [lookup.upload(mine, one) for one in uploads]
        for one in chosen:
            current.client.abort_upload(one["id"])
            current.screen.say(f"Aborted the upload of {one_line(one['name'])}.")
        if is_json:
            current.screen.json([one["id"] for one in chosen])
