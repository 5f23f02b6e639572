"""Tells people how their jobs ended, from the events, and which of them have waited long.

A bookmark says up to which event that is done, and moves in the transaction that writes the notifications: whoever
is killed over it has told nobody, and nobody is told twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Count, Max

from orchestration.execution.event_gaps import decided
from orchestration.execution.notifying import tell, tell_once
from orchestration.models import Event, Job, NotificationBookmark
from orchestration.models.bulk import database_now
from orchestration.points import point
from orchestration.states import JOB_FAILED, JOB_FINISHED, EventKind, JobState, NotificationKind, WaitingReason

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models.job import JobQuerySet

BATCH: Final = 2_000
LONG: Final = timedelta(minutes=5)
"""Who waits for a job of less looks at it."""
PATIENCE: Final = timedelta(minutes=10)
ABOUT_OURSELVES: Final = (
    WaitingReason.QUOTA,
    WaitingReason.IMAGE,
    WaitingReason.MISCONFIGURED,
    WaitingReason.PLATFORM,
)
"""What time alone does not mend."""
NAME_LENGTH: Final = 200


def tell_of_jobs() -> int:
    """The number of events that were gone through."""
    if not NotificationBookmark.objects.exists():
        # What has happened by now is nobody's news.
        last = Event.objects.aggregate(last=Max("pk"))["last"] or 0
        NotificationBookmark.objects.bulk_create([NotificationBookmark(event_id=last)], ignore_conflicts=True)
    done = 0
    while more := _take():
        done += more
        if more < BATCH:
            break
    return done


def _take() -> int:
    start = NotificationBookmark.objects.values_list("event_id", flat=True).get()
    ids = list(Event.objects.filter(pk__gt=start).order_by("pk").values_list("pk", flat=True)[:BATCH])
    through = decided(start, ids)
    if through == start:
        return 0
    with transaction.atomic(durable=True):
        if not NotificationBookmark.objects.filter(event_id=start).update(event_id=through):
            return 0  # somebody else is at it
        _tell(start, through)
        point("notices.told")
    return len(ids)


def _tell(start: int, through: int) -> None:
    """All of one kind that one person's jobs of one pipeline brought are one notification."""
    ends = Event.objects.filter(pk__gt=start, pk__lte=through, kind=EventKind.JOB, new__in=JOB_FINISHED)
    rows = list(ends.order_by("pk"))
    jobs: dict[UUID, Job] = _with_names().in_bulk({row.job_id for row in rows})
    heaps: dict[tuple[UUID, UUID, NotificationKind, str, bool], list[Event]] = {}
    for row in rows:
        if row.old != row.new and (job := jobs.get(row.job_id)):
            kind = NotificationKind.JOB_FAILED if row.new in JOB_FAILED else NotificationKind.JOB_ENDED
            pipeline = job.pipeline_version.pipeline.name
            key = (job.created_by_id, job.workspace_id, kind, pipeline, _is_quiet(row, job))
            heaps.setdefault(key, []).append(row)
    # In one order, as in `tell`.
    for (person, workspace, kind, pipeline, is_quiet), heap in sorted(heaps.items()):
        tell(
            kind=kind,
            workspace_id=workspace,
            people=[person],
            group=f"{pipeline}/quiet" if is_quiet else pipeline,
            data=_about(jobs[heap[-1].job_id]) | {"since": heap[0].at.isoformat()},
            count=len(heap),
            is_quiet=is_quiet,
        )


def _with_names() -> JobQuerySet:
    rows: JobQuerySet = Job.objects.select_related("pipeline_version__pipeline").defer(
        "params", "pipeline_version__yaml", "pipeline_version__spec"
    )
    return rows


def _is_quiet(event: Event, job: Job) -> bool:
    """Nobody has to be told in the app that she canceled a job, nor that a short one went well."""
    if event.new in JOB_FAILED:
        return False
    began = job.started_at or job.created_at
    return event.new != JobState.SUCCEEDED or event.at - began < LONG


def _about(job: Job) -> dict[str, Any]:
    pipeline = job.pipeline_version.pipeline.name
    return {"job": str(job.pk), "name": (job.name or pipeline)[:NAME_LENGTH], "pipeline": pipeline}


def tell_of_waiting() -> int:
    """Once a day of each reason; the number of people who were told."""
    now = database_now()
    waiting = Job.objects.filter(
        state__in=[JobState.WAITING, JobState.QUEUED], waiting_reason__in=ABOUT_OURSELVES, created_at__lt=now - PATIENCE
    ).order_by()
    told = 0
    rows = waiting.values_list("workspace", "created_by", "waiting_reason").annotate(n=Count("pk"))
    for workspace, person, reason, n in rows:
        of_these = {"workspace": workspace, "created_by": person, "waiting_reason": reason}
        job = _with_names().filter(**of_these).order_by("-pk").first()
        if job is not None:
            told += tell_once(
                kind=NotificationKind.JOB_WAITS,
                workspace_id=workspace,
                people=[person],
                group=f"{reason}/{now:%Y-%m-%d}",
                data=_about(job) | {"reason": reason, "detail": job.waiting_detail},
                count=n,
            )
    return told
