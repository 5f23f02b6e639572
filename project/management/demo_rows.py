"""A job of ten thousand items with failures and interruptions, written as rows: to look at, and to measure its page."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from orchestration.models import Attempt, Event, File, Item, Job, JobInput, StepRun
from orchestration.services.pipelines import Source, publish
from orchestration.spec.parse import parse_pipeline
from orchestration.states import EventKind

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

SURVEY: Final = """\
pipeline: survey
version: 1.0.0
title: {en: Survey of scans}
steps:
  - {name: fetch, title: {en: Fetch the index}, command: [fetch]}
  - name: measure
    title: {en: Measure each scan}
    needs: [fetch]
    command: [measure]
    for_each: input
    tolerate: {failed_items: 5%}
  - {name: weather, title: {en: Weather of these days}, needs: [fetch], command: [weather]}
  - {name: join, title: {en: Join both}, needs: [measure, weather], command: [join]}
  - {name: report, title: {en: Write the report}, needs: [join], command: [report]}
"""
AT_ONCE: Final = 64
BROKEN_EVERY: Final = 263
CUT_OFF, TRIES = 100, 3
"""The item that was interrupted until its last try."""
BROKEN: Final = ("FAILED", "INPUT", "This scan has no calibration.")


def survey(user: User, workspace: Workspace, file: File, items: int = 10_000) -> Job:
    """Failed in its last step but one; of its items some failed, and one was interrupted twice."""
    spec = parse_pipeline(SURVEY, file="pipeline.yaml")
    version = publish(source=Source(text=SURVEY, spec=spec, bundle=b""))[0]
    end = timezone.now() - timedelta(minutes=3)
    begin = end - timedelta(minutes=48)
    job = Job.objects.create(
        workspace=workspace,
        created_by=user,
        pipeline_version=version,
        name="Scans of November",
        state="FAILED",
        failure_kind="USER_CODE",
        failure_detail="join: 12 scans have no day in the weather file.",
        input_count=items,
        queued_at=begin + timedelta(minutes=2),
        started_at=begin + timedelta(minutes=3),
        finished_at=end,
    )
    Job.objects.filter(pk=job.pk).update(created_at=begin)
    JobInput.objects.bulk_create([JobInput(job=job, file=file, position=n) for n in range(items)], batch_size=2000)
    _moves(job, begin, end)
    done = begin + timedelta(minutes=4)
    _step(job, 0, "fetch", begin + timedelta(minutes=3), done)
    _fan_out(job, items, done, end - timedelta(minutes=4))
    _step(job, 2, "weather", done, done + timedelta(minutes=9))
    _step(job, 3, "join", end - timedelta(minutes=4), end, ("FAILED", "USER_CODE", "12 scans have no day."))
    StepRun.objects.create(job=job, name="report", position=4, state="SKIPPED", finished_at=end)
    return job


def _moves(job: Job, begin: datetime, end: datetime) -> None:
    moves = [
        ("", "WAITING", begin), ("WAITING", "QUEUED", begin + timedelta(minutes=2)),
        ("QUEUED", "RUNNING", begin + timedelta(minutes=3)), ("RUNNING", "FAILED", end),
    ]  # fmt: skip
    events = [job.event(EventKind.JOB, old=old, new=new, at=at) for old, new, at in moves]
    # As `Job.move` says it of a job that fails.
    events[-1].data = {"failure_kind": job.failure_kind, "failure_detail": job.failure_detail}
    Event.objects.bulk_create(events)


def _step(
    job: Job,
    position: int,
    name: str,
    begin: datetime,
    end: datetime,
    how: tuple[str, str, str] = ("SUCCEEDED", "", ""),
) -> None:
    state, kind, detail = how
    run = StepRun.objects.create(
        job=job, name=name, position=position, state=state, failure_kind=kind, failure_detail=detail,
        started_at=begin, finished_at=end,
    )  # fmt: skip
    item = Item.objects.create(
        step_run=run, index=0, state=state, failure_kind=kind, failure_detail=detail, finished_at=end
    )
    Attempt.objects.create(
        job=job, item=item, step=name, run=1, number=1, state=state, failure_kind=kind, detail=detail,
        created_at=begin, started_at=begin + (end - begin) * 0.05, finished_at=end,
    )  # fmt: skip


def _fan_out(job: Job, count: int, begin: datetime, end: datetime) -> None:
    run = StepRun.objects.create(
        job=job, name="measure", position=1, state="SUCCEEDED", items_total=count, started_at=begin, finished_at=end
    )
    items, attempts = [], []
    length = (end - begin) * AT_ONCE / (count + AT_ONCE)
    for index in range(count):
        start = begin + (end - begin) * (index // AT_ONCE * AT_ONCE) / count
        state, kind, detail = BROKEN if index % BROKEN_EVERY == 1 else ("SUCCEEDED", "", "")
        items.append(
            Item(step_run=run, index=index, state=state, failure_kind=kind, failure_detail=detail, finished_at=end)
        )
        for number in range(1, 1 + (TRIES if index == CUT_OFF else 1)):
            is_cut_off = index == CUT_OFF and number < TRIES
            attempts.append(
                Attempt(
                    job=job, item=items[-1], step="measure", item_index=index, run=1, number=number,
                    state="FAILED" if is_cut_off else state,
                    failure_kind="INTERRUPTED" if is_cut_off else kind,
                    detail="Host EC2 terminated." if is_cut_off else detail,
                    created_at=begin + number * 9 * length - 9 * length, started_at=start + (number - 1) * 9 * length,
                    finished_at=start + (number - 1) * 9 * length + length * (6 if index == CUT_OFF else 1),
                )
            )  # fmt: skip
    Item.objects.bulk_create(items, batch_size=2000)
    Attempt.objects.bulk_create(attempts, batch_size=2000)
