"""A job while it runs: a moving picture on a terminal, one line for each change elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen, styled
from api_app.client.screen.words import count, duration, localized, short, state, waiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from api_app.client.contract.shapes import Job, Step

BAR_WIDTH, TITLE_WIDTH = 20, 32


def follow(screen: Screen, jobs: Iterable[Job]) -> Job:
    return _picture(screen, jobs) if screen.is_live else _lines(screen, jobs)


def _picture(screen: Screen, jobs: Iterable[Job]) -> Job:
    began = time.monotonic()
    shown: RenderableType = Text("…")
    # Transient, because the summary that follows says the same and stays.
    with Live(get_renderable=lambda: shown, console=screen.err, refresh_per_second=8, transient=True) as live:
        for job in jobs:
            last = job
            shown = picture(job, began)
            live.refresh()
    return last


def picture(job: Job, began: float) -> RenderableType:
    head = Text.assemble(
        (one_line(job["name"] or localized(job["pipeline_title"])), "bold"),
        f" · {one_line(job['pipeline'])} {one_line(job['pipeline_version'])} · {short(job['id'])} · ",
        styled(state(job)),
        (f" · {duration(time.monotonic() - began)}", "dim"),
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    titles = [len(_title(step)) for step in job.get("steps", [])]
    # Only the last column gives way to a narrow terminal.
    grid.add_column(no_wrap=True, overflow="ellipsis", width=min(TITLE_WIDTH, max(titles, default=0)))
    grid.add_column(no_wrap=True, width=BAR_WIDTH)
    grid.add_column(no_wrap=True, justify="right", min_width=4)
    grid.add_column(style="dim")
    for step in job.get("steps", []):
        grid.add_row(*_row(step))
    sentence = waiting(job)
    return Group(head, grid, *([Text(one_line(sentence), style="yellow")] if sentence else []))


def _row(step: Step) -> tuple[RenderableType, ...]:
    done = _done(step)
    bar = ProgressBar(
        total=1,
        completed=done,
        width=BAR_WIDTH,
        finished_style="red" if step["state"] in {"FAILED", "TIMED_OUT"} else "green",
    )
    return Text(_title(step)), bar, f"{done:.0%}", Text(_details(step), no_wrap=True, overflow="ellipsis")


def _title(step: Step) -> str:
    return "  " + one_line(localized(step["title"]) or step["name"])


def _done(step: Step) -> float:
    if step["state"] in {"SUCCEEDED", "FAILED", "TIMED_OUT"}:
        return 1.0
    return min(1.0, max(0.0, step["progress"] or 0.0))


def _details(step: Step) -> str:
    told = [step["state"].lower().replace("_", " ")] if step["state"] != "RUNNING" else []
    if step["items_total"] > 1:
        ended = step["items_succeeded"] + step["items_failed"]
        told.append(f"{ended:,} of {step['items_total']:,} items")
    if step["items_failed"]:
        told.append(f"{step['items_failed']:,} failed")
    if step["state"] == "RUNNING" and step["message"]:
        told.append(one_line(step["message"]))
    return " · ".join(told)


def _lines(screen: Screen, jobs: Iterable[Job]) -> Job:
    before: Job | None = None
    for job in jobs:
        for sentence in changes(before, job):
            screen.note(sentence)
        before = job
    if before is None:
        raise AssertionError("a watched job is seen at least once")
    return before


def changes(before: Job | None, job: Job) -> Iterator[str]:
    if before is None or state(before) != state(job):
        yield f"Job {short(job['id'])}: {state(job)}"
    sentence = waiting(job)
    if sentence and (before is None or sentence != waiting(before)):
        yield f"  {one_line(sentence)}"
    old = {step["name"]: step["state"] for step in before.get("steps", [])} if before else {}
    for step in job.get("steps", []):
        if old.get(step["name"], "WAITING") != step["state"]:
            items = f", {count(step['items_total'], 'item')}" if step["items_total"] > 1 else ""
            failed = f", {step['items_failed']} failed" if step["items_failed"] else ""
            yield f"  {one_line(step['name'])}: {step['state']}{items}{failed}"
