"""jobs, show, watch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from api_app.client import completing, lookup
from api_app.client.following import failed_attempts, follow
from api_app.client.options import Connection, OneOf, as_json, connection, examples
from api_app.client.screen import summary
from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen, styled
from api_app.client.screen.words import STYLES, ago, between, count, due, localized, short, size, state, waiting
from api_app.client.session import session
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from api_app.client.contract.shapes import File, Job, JobListed, JobState

MOST_INPUTS = 10
JOB_STATES = [one for one in STYLES if one != "SKIPPED"]


@click.command(
    epilog=examples(
        "esteira jobs",
        "esteira jobs state:failed 'created:>-7d' label:batch=7",
        "esteira jobs -- -state:succeeded owner:me",
    )
)
@click.argument("filter_", metavar="[FILTER]...", nargs=-1)
@click.option("--state", "-s", type=OneOf(JOB_STATES, case_sensitive=False), help="Only jobs in this state.")
@click.option("--pipeline", shell_complete=completing.pipelines, help="Only jobs of this pipeline.")
@click.option(
    "--limit", "-n", type=click.IntRange(min=1), metavar="N", default=20, show_default=True, help="How many at most."
)
@as_json
@connection
@click.pass_obj
def jobs(
    connected: Connection,
    *,
    filter_: tuple[str, ...],
    state: JobState | None,
    pipeline: str | None,
    limit: int,
    is_json: bool,
) -> None:
    """List jobs, newest first.

    FILTER is as on the page of jobs: state:failed owner:me label:batch=7 created:>-7d words of the name. A term with
    a - before it turns round; write -- before the first: esteira jobs -- -state:succeeded.
    """
    with session(connected, is_json=is_json) as current:
        q = " ".join(filter_) or None
        found = list(current.client.jobs(state=state, pipeline=pipeline, q=q, limit=limit))
        if is_json:
            current.screen.json(found)
        elif found:
            _list(current.screen, found)
        else:
            _tell_none(current.screen, is_filtered=bool(state or pipeline or q))


def _tell_none(screen: Screen, *, is_filtered: bool) -> None:
    if is_filtered:
        screen.say("No job fits. Leave out the filter to see the others.")
    else:
        screen.say("There are no jobs yet. Start one: esteira run PIPELINE FILE --watch")


def _list(screen: Screen, found: list[JobListed]) -> None:
    # A script wants the id itself; a person wants the name to have room.
    whole = not screen.out.is_terminal
    screen.table(
        ("JOB", "STATE", "DONE", "PIPELINE", "CREATED", "BY", "NAME"),
        [
            (
                job["id"] if whole else short(job["id"]),
                state(job),
                "" if job["state"] in FINISHED else f"{job['progress'] or 0:.0%}",
                job["pipeline"],
                ago(job["created_at"]),
                job["created_by"],
                job["name"],
            )
            for job in found
        ],
        right=("DONE",),
    )


@click.command(epilog=examples("esteira show last", "esteira show 0f3a91c2 --json"))
@click.argument("job", shell_complete=completing.jobs)
@as_json
@connection
@click.pass_obj
def show(connected: Connection, *, job: str, is_json: bool) -> None:
    """Show one JOB: steps, failures, results."""
    with session(connected, is_json=is_json) as current:
        found = current.client.job(lookup.job_id(current.client, job))
        if is_json:
            current.screen.json(found)
            return
        _show_facts(current.screen, found)
        _show_inputs(current.screen, found.get("inputs", []))
        _show_steps(current.screen, found)
        current.screen.say()
        if found["state"] in FINISHED:
            summary.ended(current.screen, found, failed_attempts(current, found), current.base_url)
        else:
            summary.submitted(current.screen, found, current.base_url)


@click.command(epilog=examples("esteira watch last"))
@click.argument("job", shell_complete=completing.jobs)
@as_json
@connection
@click.pass_obj
def watch(connected: Connection, *, job: str, is_json: bool) -> int:
    """Follow a JOB until it ends.

    The exit code is that of the job: 0 SUCCEEDED, 1 FAILED or TIMED_OUT, 3 CANCELED.
    """
    with session(connected, is_json=is_json) as current:
        found = current.client.job(lookup.job_id(current.client, job))
        return follow(current, found, is_watched=True)


def _show_facts(screen: Screen, job: Job) -> None:
    facts = {
        "Job": job["id"],
        "Name": job["name"],
        "State": state(job),
        "Pipeline": f"{job['pipeline']} {job['pipeline_version']} · {localized(job['pipeline_title'])}",
        "Workspace": job["workspace"],
        "Created": f"{ago(job['created_at'])} by {job['created_by']}",
        "Deadline": due(job.get("deadline")),
        "Ran": between(job["started_at"], job["finished_at"]),
        "Run": f"{job['run']} (retried)" if job["run"] > 1 else "",
        "Labels": ", ".join(f"{key}={value}" for key, value in job["labels"].items()),
        "Parameters": ", ".join(f"{key}={_plain(value)}" for key, value in job["params"].items()),
        "Like": job["resubmitted_from"],
        "Why": waiting(job),
    }
    for label, value in facts.items():
        if value:
            line = styled(f"{label:<12}")
            line.append_text(styled(value))
            screen.say(line)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _show_inputs(screen: Screen, inputs: list[File]) -> None:
    if not inputs:
        return
    screen.say()
    rows = [(f"  {one['name']}", size(one["size"]), one["media_type"]) for one in inputs[:MOST_INPUTS]]
    screen.table(("  INPUT", "SIZE", "TYPE"), rows, right=("SIZE",))
    if len(inputs) > MOST_INPUTS:
        screen.say(f"  … and {count(len(inputs) - MOST_INPUTS, 'more file')}")


def _show_steps(screen: Screen, job: Job) -> None:
    screen.say()
    screen.table(
        ("  STEP", "STATE", "ITEMS", "FAILED", "TOOK", "MESSAGE"),
        [
            (
                f"  {one_line(step['name'])}",
                step["state"],
                f"{step['items_succeeded'] + step['items_failed']:,}/{step['items_total']:,}",
                step["items_failed"] or "",
                between(step["started_at"], step["finished_at"]),
                step["message"] if step["state"] == "RUNNING" else "",
            )
            for step in job.get("steps", [])
        ],
        right=("ITEMS", "FAILED"),
    )
