"""The command `run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api_app.client import completing, lookup, params, sending
from api_app.client.exit_codes import ExitCode
from api_app.client.following import follow
from api_app.client.inputs import Found, Input, accepted, collect, require_some
from api_app.client.options import SPAN, Connection, as_json, connection, examples, pair, watch
from api_app.client.options import params as params_option
from api_app.client.screen.neutral import one_line
from api_app.client.screen.words import count
from api_app.client.session import Session, session
from api_app.client.uploads.outgoing import Outgoing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import File, Job

MOST_NAMED = 3


@click.command(
    epilog=examples(
        "esteira run inspect photo.jpg --watch",
        "esteira run tabular-profile sales.csv -p sample_rows=500 --label batch=7",
        "esteira run image-set photos/ --download out --deadline 2h",
    )
)
@click.argument("pipeline", shell_complete=completing.pipelines)
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@params_option
@click.option("--name", help="Name of the job, to find it again.")
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="Mark the job. Repeatable.")
@click.option(
    "--deadline", type=SPAN, metavar="SPAN", help="Stop the job when it has not ended after SPAN: 90s, 30m, 2h, 1d."
)
@click.option("--workspace", metavar="SLUG", help="Workspace to run in, when you are in several.")
@watch
@click.option(
    "--download",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Stay until the end and put the results in DIR.",
)
@as_json
@connection
@click.pass_obj
def run(
    connected: Connection,
    *,
    pipeline: str,
    files: tuple[Path, ...],
    params: tuple[str, ...],
    name: str | None,
    labels: tuple[str, ...],
    deadline: int | None,
    workspace: str | None,
    is_watched: bool,
    folder: Path | None,
    is_json: bool,
) -> int:
    """Upload files and run a pipeline over them: one job for all FILEs.

    Folders are walked, hidden files in them left out. PIPELINE is a name, or NAME@VERSION.

    With --watch the exit code is that of the job: 0 SUCCEEDED, 1 FAILED or TIMED_OUT, 3 CANCELED.
    With --json the last line on stdout is the job.
    """
    given = [pair(one, "--param") for one in params]
    marks = dict(pair(one, "--label") for one in labels)
    found = collect(files)
    require_some(found, files)
    for fault in found.faults:
        raise fault
    with session(connected, is_json=is_json) as current:
        sending.tell_left_out(current.screen, found)
        about = {"name": name, "labels": marks or None, "deadline_s": deadline, "workspace": workspace}
        job = _submit(current, pipeline, found.inputs, given=given, about=about)
        return follow(current, job, is_watched=is_watched, folder=folder)


def _submit(
    current: Session,
    wanted: str,
    inputs: Sequence[Input],
    *,
    given: Sequence[tuple[str, str]],
    about: dict[str, Any],
) -> Job:
    pipeline = lookup.pipeline(current.client, wanted)
    values = params.parse(given, pipeline["params"], pipeline["name"])
    kept, left_out = accepted(inputs, pipeline)
    _tell_left_out(current, left_out, pipeline["name"])
    try:
        uploaded = _upload(current, kept, about["workspace"])
        return current.client.submit(wanted, [file["id"] for file in uploaded], params=values or None, **about)
    except KeyboardInterrupt:
        current.screen.note("Stopped before the job was submitted: nothing runs.")
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def _tell_left_out(current: Session, left_out: Sequence[Input], pipeline: str) -> None:
    if left_out:
        names = ", ".join(one_line(one.path.name) for one in left_out[:MOST_NAMED])
        more = ", …" if len(left_out) > MOST_NAMED else ""
        told = count(len(left_out), "file")
        current.screen.note(f"Left out {told} that {pipeline} does not take: {names}{more}")


def _upload(current: Session, inputs: Sequence[Input], workspace: str | None) -> list[File]:
    outcomes = sending.send(
        current,
        [Outgoing(one.path, path=one.folder) for one in inputs],
        total=sum(one.size for one in inputs),
        workspace=workspace,
        stopped=" before the job was submitted: nothing runs",
    )
    files = [one.file for one in outcomes if one.file]
    fault = next((one.fault for one in outcomes if one.fault), None)
    if fault is not None:
        if len(inputs) > 1:
            sending.tell_failed(current.screen, outcomes, Found())
            current.screen.note("Nothing runs.")
        raise fault
    sending.tell_sent(current.screen, outcomes)
    return files
