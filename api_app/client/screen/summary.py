"""How a job ended, and what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen, styled
from api_app.client.screen.words import WHOSE_FAULT, between, cost, count, localized, short, size, state, waiting
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract.shapes import Attempt, File, Job

MOST_FAILURES, MOST_FILES = 5, 10


def submitted(screen: Screen, job: Job, base_url: str) -> None:
    name = one_line(job["name"] or localized(job["pipeline_title"]))
    screen.say(Text.assemble("Job ", (short(job["id"]), "bold"), f" · {name} · ", styled(state(job))))
    if waiting(job):
        screen.say(f"  {waiting(job)}")
    if said := cost(job):
        screen.say(f"  {said.capitalize()}")
    screen.say(f"  See it:   {base_url}{one_line(job['url'])}")
    if job["state"] not in FINISHED:
        screen.say(f"  Watch it: esteira watch {short(job['id'])}")


def ended(screen: Screen, job: Job, attempts: Sequence[Attempt], base_url: str) -> None:
    took = between(job["created_at"], job["finished_at"])
    headline = Text.assemble(styled(job["state"]), f" after {took}" if took else "")
    if job["failure_kind"]:
        headline.append(f": {WHOSE_FAULT.get(job['failure_kind'], job['failure_kind'])}")
    failed = sum(step["items_failed"] for step in job.get("steps", []))
    if failed and job["state"] == "SUCCEEDED":
        headline.append(f"; {count(failed, 'item')} failed")
    if said := cost(job):
        headline.append(f" · {said}")
    screen.say(headline)
    if job["failure_detail"]:
        screen.say(f"  {one_line(job['failure_detail'])}")
    failures(screen, attempts)
    results(screen, job.get("results", []), job.get("result_count"))
    _next(screen, job, attempts, base_url)


def last_failures(attempts: Sequence[Attempt]) -> list[Attempt]:
    """Items whose newest attempt failed."""
    newest: dict[tuple[str, int], Attempt] = {}
    for attempt in sorted(attempts, key=lambda one: (one["run"], one["number"])):
        newest[attempt["step"], attempt["item"]] = attempt
    return [attempt for attempt in newest.values() if attempt["state"] in {"FAILED", "TIMED_OUT"}]


def failures(screen: Screen, attempts: Sequence[Attempt]) -> None:
    failed = last_failures(attempts)
    for attempt in failed[:MOST_FAILURES]:
        where = one_line(attempt["source"] or f"item {attempt['item']}")
        kind = WHOSE_FAULT.get(attempt["failure_kind"] or "", attempt["state"].lower())
        screen.say(f"  {one_line(attempt['step'])} · {where}: {one_line(attempt['detail'] or kind)}")
    if len(failed) > MOST_FAILURES:
        screen.say(f"  … and {count(len(failed) - MOST_FAILURES, 'more failed item')}")


def results(screen: Screen, files: Sequence[File], total: int | None = None) -> None:
    """`files` may be only the first of `total`."""
    shown = [(f"  {one_line(file['name'])}", size(file["size"])) for file in files[:MOST_FILES]]
    if shown:
        screen.table(("  RESULT", "SIZE"), shown, right=("SIZE",))
    more = (len(files) if total is None else total) - len(shown)
    if more > 0:
        screen.say(f"  … and {more:,} more")


def _next(screen: Screen, job: Job, attempts: Sequence[Attempt], base_url: str) -> None:
    me = short(job["id"])
    steps = {"See it:": f"{base_url}{one_line(job['url'])}"}
    if job.get("results"):
        steps["Download:"] = f"esteira download {me}"
    failed = last_failures(attempts)
    if failed:
        first = failed[0]
        steps["Read the log:"] = f"esteira logs {me} --step {one_line(first['step'])} --item {first['item']}"
    if failed and job["state"] == "SUCCEEDED":
        steps["Rerun failed:"] = f"esteira rerun-items {me}"
    elif job["state"] in {"FAILED", "TIMED_OUT", "CANCELED"}:
        steps["Try again:"] = f"esteira retry {me}"
    for label, step in steps.items():
        screen.say(f"{label:<14}{step}")
