"""cancel, retry, resubmit, rerun-items."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from api_app.client import completing, lookup, params
from api_app.client.errors import EsteiraError, RequestError
from api_app.client.exit_codes import ExitCode
from api_app.client.following import follow
from api_app.client.options import Connection, as_json, connection, examples, pair, watch
from api_app.client.options import params as params_option
from api_app.client.screen.words import count
from api_app.client.session import Session, session
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job


@click.command(epilog=examples("esteira cancel last", "esteira cancel 0f3a91c2 77b0c1de --yes"))
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, shell_complete=completing.jobs)
@click.option("--yes", "-y", "is_sure", is_flag=True, help="Do not ask, even for several jobs.")
@as_json
@connection
@click.pass_obj
def cancel(connected: Connection, *, jobs: tuple[str, ...], is_sure: bool, is_json: bool) -> int:
    """Cancel JOBs. Nothing of them runs ten seconds later."""
    with session(connected, is_json=is_json) as current:
        found = list(dict.fromkeys(lookup.job_id(current.client, job) for job in jobs))
        if len(found) > 1 and not is_sure:
            confirm(f"Cancel {count(len(found), 'job')}?")
        answers, faults = _cancel_all(current, found)
        if is_json:
            current.screen.json(answers)
    return max((fault.exit_code for fault in faults), default=ExitCode.DONE)


def confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise RequestError(f"{question} Nobody is there to answer; add --yes if you mean it.")
    click.confirm(question, abort=True, err=True)


def _cancel_all(current: Session, jobs: list[str]) -> tuple[list[Job], list[EsteiraError]]:
    answers: list[Job] = []
    faults: list[EsteiraError] = []
    for job_id in jobs:
        try:
            job = current.client.cancel(job_id)
        except EsteiraError as fault:
            # One that has ended already must not keep the others alive.
            current.screen.fault(fault, job_id, job=job_id)
            faults.append(fault)
            continue
        answers.append(job)
        done = "is canceled" if job["state"] in FINISHED else "is being canceled"
        current.screen.say(f"Job {lookup.told(job)} {done}.")
    return answers, faults


@click.command(epilog=examples("esteira retry last --watch"))
@click.argument("job", shell_complete=completing.jobs)
@watch
@as_json
@connection
@click.pass_obj
def retry(connected: Connection, *, job: str, is_watched: bool, is_json: bool) -> int:
    """Try a failed JOB again from its failed steps; good outputs are kept."""
    with session(connected, is_json=is_json) as current:
        again = current.client.retry(lookup.job_id(current.client, job))
        return follow(current, again, is_watched=is_watched)


@click.command(
    epilog=examples(
        "esteira resubmit last -p sample_rows=1000", "esteira resubmit 0f3a91c2 --pipeline tabular-profile@1.1.0"
    )
)
@click.argument("job", shell_complete=completing.jobs)
@params_option
@click.option(
    "--pipeline", shell_complete=completing.pipelines, metavar="NAME[@VERSION]", help="Another pipeline or version."
)
@watch
@as_json
@connection
@click.pass_obj
def resubmit(
    connected: Connection,
    *,
    job: str,
    params: tuple[str, ...],
    pipeline: str | None,
    is_watched: bool,
    is_json: bool,
) -> int:
    """Start a new job like JOB, over the same files, with changes.

    A parameter that is not given stays as it was.
    """
    given = [pair(one, "--param") for one in params]
    with session(connected, is_json=is_json) as current:
        old = current.client.job(lookup.job_id(current.client, job))
        new = current.client.resubmit(old["id"], params=_changed(current, old, given, pipeline), pipeline=pipeline)
        return follow(current, new, is_watched=is_watched)


def _changed(
    current: Session, old: Job, given: list[tuple[str, str]], pipeline: str | None
) -> dict[str, object] | None:
    if not given:
        return None
    wanted = lookup.pipeline(current.client, pipeline or f"{old['pipeline']}@{old['pipeline_version']}")
    known = wanted["params"].get("properties") or {}
    # Another pipeline may not know a parameter of the old one.
    kept = {key: value for key, value in old["params"].items() if key in known}
    return kept | params.parse(given, wanted["params"], wanted["name"])


@click.command(
    "rerun-items",
    epilog=examples("esteira rerun-items last", "esteira rerun-items last --step convert --item 3 --item 8"),
)
@click.argument("job", shell_complete=completing.jobs)
@click.option("--step", metavar="STEP", help="Only items of this step.")
@click.option("--item", "items", type=int, multiple=True, metavar="N", help="Only this item. Repeatable.")
@watch
@as_json
@connection
@click.pass_obj
def rerun_items(
    connected: Connection,
    *,
    job: str,
    step: str | None,
    items: tuple[int, ...],
    is_watched: bool,
    is_json: bool,
) -> int:
    """Run only the failed items of a JOB again: all of them, or those named."""
    if items and step is None:
        raise click.UsageError("--item needs --step: which step's items?")
    with session(connected, is_json=is_json) as current:
        again = current.client.rerun_items(lookup.job_id(current.client, job), step=step, items=items or None)
        return follow(current, again, is_watched=is_watched)
