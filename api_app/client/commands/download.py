"""The command `download`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api_app.client import completing, lookup
from api_app.client.exit_codes import ExitCode
from api_app.client.following import fetch_all
from api_app.client.names import safe_parts
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.screen.transfers import Transfers
from api_app.client.screen.words import short, size
from api_app.client.session import Session, session
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job


@click.command(
    epilog=examples(
        "esteira download last", "esteira download 0f3a91c2 -o out", "esteira download 0f3a91c2 --zip results.zip"
    )
)
@click.argument("job", shell_complete=completing.jobs)
@click.option(
    "--output",
    "-o",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to put them. Without it, a new folder PIPELINE-ID here.",
)
@click.option(
    "--zip",
    "archive",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="All of them in this ZIP instead; no file is written over.",
)
@as_json
@connection
@click.pass_obj
def download(connected: Connection, *, job: str, folder: Path | None, archive: Path | None, is_json: bool) -> int:
    """Fetch the results of a JOB. What is there already is not fetched again."""
    if folder and archive:
        raise click.UsageError("Choose one of --output and --zip.")
    with session(connected, is_json=is_json) as current:
        found = current.client.job(lookup.job_id(current.client, job))
        if archive:
            return _zipped(current, found, archive)
        results = current.client.results(found["id"])
        folder = folder or Path(f"{safe_parts(found['pipeline'])[-1]}-{short(found['id'])}")
        if not results:
            not_yet = " yet; it still runs" if found["state"] not in FINISHED else ""
            current.screen.note(f"Job {lookup.told(found)} has no results{not_yet}.")
        paths = fetch_all(current, results, folder) if results else []
        if is_json:
            current.screen.json([str(path) for path in paths])
    return ExitCode.DONE


def _zipped(current: Session, job: Job, target: Path) -> int:
    transfers = Transfers(current.screen, "Downloading", 0, is_counted=lambda _phase: True)
    with transfers, transfers.bar(target.name) as bar:
        current.client.download_archive(job["id"], target, progress=bar)
    current.screen.note(f"Downloaded {one_line(target)} ({size(target.stat().st_size)}).")
    if current.screen.is_json:
        current.screen.json([str(target)])
    return ExitCode.DONE
