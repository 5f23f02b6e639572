"""The command `logs`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from api_app.client import completing, lookup
from api_app.client.errors import RequestError
from api_app.client.options import Connection, as_json, connection, examples
from api_app.client.screen.neutral import one_line
from api_app.client.session import Session, session
from api_app.client.states import FINISHED
from api_app.client.tails import Tail, Wanted

if TYPE_CHECKING:
    from api_app.client.contract.shapes import Job

POLL_S, ATTEMPTS_EVERY_S = 0.5, 2.0


@click.command(epilog=examples("esteira logs -f last", "esteira logs 0f3a91c2 --step convert --item 3"))
@click.argument("job", shell_complete=completing.jobs)
@click.option("--follow", "-f", "is_followed", is_flag=True, help="Go on printing until the job ends.")
@click.option("--step", metavar="STEP", help="Only this step.")
@click.option("--item", type=click.IntRange(min=0), metavar="N", help="Only this item of the step.")
@click.option("--attempt", type=click.IntRange(min=1), metavar="N", help="This attempt instead of the newest.")
@as_json
@connection
@click.pass_obj
def logs(
    connected: Connection,
    *,
    job: str,
    is_followed: bool,
    step: str | None,
    item: int | None,
    attempt: int | None,
    is_json: bool,
) -> None:
    """Print what the steps of a JOB wrote: of each item the newest attempt.

    With several items, each line begins with STEP/ITEM. With --json each line is an object: step, item, attempt, text.
    """
    wanted = Wanted(step, item, attempt)
    with session(connected, is_json=is_json) as current:
        found = current.client.job(lookup.job_id(current.client, job))
        _check_step(found, step)
        seen = _follow(current, found, wanted) if is_followed else _print(current, found, wanted)
        if not seen:
            current.screen.note(_nothing(found, wanted))


def _check_step(job: Job, step: str | None) -> None:
    names = [one["name"] for one in job.get("steps", [])]
    if step is not None and step not in names:
        raise RequestError(f"{job['pipeline']} has no step {step}. It has: {', '.join(names)}.")


def _nothing(job: Job, wanted: Wanted) -> str:
    if wanted.item is not None or wanted.number is not None:
        return f"Job {lookup.told(job)} has no such attempt. See what it has: esteira show {job['id']}"
    return f"Job {lookup.told(job)} has written nothing yet. Wait for it with -f."


def _is_marked(job: Job, wanted: Wanted) -> bool:
    steps = [one for one in job.get("steps", []) if wanted.step in {None, one["name"]}]
    return sum(one["items_total"] for one in steps) > 1 and (wanted.item is None or len(steps) > 1)


def _tails(current: Session, job: Job, wanted: Wanted, known: dict[str, Tail]) -> None:
    is_marked = _is_marked(job, wanted)
    for one in wanted.choose(current.client.attempts(job["id"])):
        if one["state"] != "QUEUED" and one["id"] not in known:
            mark = f"{one_line(one['step'])}/{one['item']} | " if is_marked else ""
            about = {"step": one["step"], "item": one["item"], "attempt": one["id"]} if current.screen.is_json else None
            known[one["id"]] = Tail(one["id"], mark, about)


def _print(current: Session, job: Job, wanted: Wanted) -> int:
    tails: dict[str, Tail] = {}
    _tails(current, job, wanted, tails)
    for tail in tails.values():
        _emit(current, tail)
        sys.stdout.write(tail.last_words())
    sys.stdout.flush()
    return len(tails)


def _follow(current: Session, job: Job, wanted: Wanted) -> int:
    tails: dict[str, Tail] = {}
    while True:
        # Asked before the attempts: whatever a finished job wrote is then among them.
        job = current.client.job(job["id"])
        _tails(current, job, wanted, tails)
        until = time.monotonic() + ATTEMPTS_EVERY_S
        while True:
            moved = [_emit(current, tail) for tail in tails.values() if not tail.is_complete]
            sys.stdout.flush()
            if not moved or time.monotonic() >= until or job["state"] in FINISHED:
                break
            time.sleep(POLL_S)
        if job["state"] in FINISHED:
            sys.stdout.write("".join(tail.last_words() for tail in tails.values()))
            sys.stdout.flush()
            return len(tails)
        time.sleep(POLL_S)


def _emit(current: Session, tail: Tail) -> bool:
    """Print all there is now."""
    has_moved = False
    while not tail.is_complete:
        chunk = current.client.log(tail.attempt_id, offset=tail.offset)
        has_moved = has_moved or bool(chunk["data"])
        sys.stdout.write(tail.take(chunk))
        if not chunk["data"]:
            break
    return has_moved
