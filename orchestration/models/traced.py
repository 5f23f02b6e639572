"""Where jobs and attempts lie in their traces, and what is told of them when they end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from orchestration import tracing
from orchestration.tracing import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.models.attempt import Attempt
    from orchestration.models.job import Job
    from orchestration.models.operation import BulkOperation

type Phase = tuple[str, float, float]
"""Its name, when it began and when it ended, by the clock of the runner's machine."""
COMMAND: Final = "command"


def job_place(job: Job) -> Place | None:
    """None: nothing is kept of it."""
    asked = Place.read(job.traceparent) if job.traceparent and tracing.is_on() else None
    return asked.of(job.pk, job.run) if asked else None


def attempt_place(attempt: Attempt) -> Place | None:
    job = job_place(attempt.job)
    return job.of(attempt.pk, attempt.fence) if job else None


def command_place(attempt: Attempt) -> Place | None:
    """Of the step's own command: what its programs begin lies below it."""
    job = job_place(attempt.job)
    return job.of(attempt.pk, attempt.fence, COMMAND) if job else None


def bulk_place(operation: BulkOperation) -> Place | None:
    """All that it does to jobs lies below it, whichever process does it."""
    asked = Place.read(operation.traceparent) if operation.traceparent and tracing.is_on() else None
    return asked.of(operation.pk) if asked else None


def tell_bulk(operation: BulkOperation) -> None:
    """That it has ended just now."""
    asked, place = Place.read(operation.traceparent), bulk_place(operation)
    if asked is not None and place is not None:
        tracing.past(
            "bulk operation",
            place,
            under=asked,
            began=operation.created_at,
            ended=datetime.now(UTC),
            action=operation.action,
            jobs=operation.total,
        )


def tell_job(job: Job) -> None:
    """That its run has ended just now."""
    asked, place = Place.read(job.traceparent), job_place(job)
    if asked is None or place is None:
        return
    now = datetime.now(UTC)
    began = job.created_at if job.run == 1 else job.queued_at or now
    failure = job.failure_kind or ("" if job.state == "SUCCEEDED" else job.state)
    tracing.past(
        "job",
        place,
        under=asked,
        began=began,
        ended=now,
        failure=failure,
        job_id=str(job.pk),
        run=job.run,
        state=str(job.state),
    )


def tell_attempt(attempt: Attempt, phases: Sequence[Phase]) -> None:
    """That it has ended just now: its wait for a machine, and what its runner said of its own time."""
    job = job_place(attempt.job)
    if job is None:
        return
    now, mine = datetime.now(UTC), job.of(attempt.pk, attempt.fence)
    failure = attempt.failure_kind or ("" if attempt.state == "SUCCEEDED" else attempt.state)
    tracing.past(
        f"attempt {attempt.step}",
        mine,
        under=job,
        began=attempt.created_at,
        ended=now,
        failure=failure,
        job_id=str(attempt.job_id),
        attempt_id=str(attempt.pk),
        step=attempt.step,
        item=attempt.item_index,
        number=attempt.number,
    )
    started = attempt.started_at or now
    tracing.past(
        "wait for a machine",
        job.of(attempt.pk, attempt.fence, "wait"),
        under=mine,
        began=attempt.created_at,
        ended=started,
    )
    for name, began_s, ended_s in phases:
        began, ended = (_within(at, started, now) for at in (began_s, ended_s))
        is_failed = bool(failure) and name == COMMAND
        place = job.of(attempt.pk, attempt.fence, name)
        tracing.past(name, place, under=mine, began=began, ended=ended, failure=failure if is_failed else "")


def _within(at: float, first: datetime, last: datetime) -> datetime:
    """The clock of another machine may be off, and a trace that runs backwards helps nobody."""
    seconds = min(max(at, first.timestamp()), last.timestamp())
    return first + timedelta(seconds=seconds - first.timestamp())
