"""From WAITING to an engine: admission, then hand-over. Claim, commit, call, record."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.registry import get_engine
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.execution.advance import advance, finish_job
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.unfit import end_unfit, held_for_checks, suspicious, unscanned, why_unfit
from orchestration.models import Execution, Job, Workspace
from orchestration.points import point
from orchestration.states import FailureKind, JobState, WaitingReason

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

BATCH: Final = 100
ADMISSION: Final = 0x61646D69
CLAIM_LASTS: Final = timedelta(seconds=15)


def dispatch() -> int:
    """Admit and hand over whatever can be; the number of jobs handed over."""
    handed = 0
    while True:
        admitted = _admit()
        claimed = _claim()
        for job_id in claimed:
            with one_at_a_time(job_id):
                _hand_over(job_id)
        handed += len(claimed)
        if admitted < BATCH and len(claimed) < BATCH:
            return handed


@transaction.atomic
def _admit() -> int:
    """Move jobs from WAITING to QUEUED while their workspace and the platform have slots.

    One dispatcher at a time: two that count and then admit would together admit too many.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADMISSION])
        if not cursor.fetchone()[0]:
            return 0
    active = dict(
        Job.objects.active().order_by().values_list("workspace").annotate(n=Count("pk")).values_list("workspace", "n")
    )
    room = settings.MAX_ACTIVE_JOBS - sum(active.values())
    waiting = Workspace.objects.filter(Exists(Job.objects.filter(workspace=OuterRef("pk"), state=JobState.WAITING)))
    admitted = 0
    for workspace in waiting:
        slots = max(0, min(room, workspace.max_active_jobs - active.get(workspace.pk, 0)))
        moved = _admit_from(workspace, min(slots, BATCH)) if slots else 0
        admitted += moved
        room -= moved
        if moved == slots:
            _explain(workspace)
    return admitted


def _admit_from(workspace: Workspace, free: int) -> int:
    ready = _waiting(workspace).filter(~Exists(unscanned())).annotate(is_suspicious=Exists(suspicious()))[:free]
    moved = 0
    for job in ready:
        if job.is_suspicious and (why := why_unfit(job)):
            end_unfit(job, why)
        else:
            moved += job.move(JobState.QUEUED, queued_at=Now())
    for held, sentence in held_for_checks(_waiting(workspace), BATCH):
        if (held.waiting_reason, held.waiting_detail) != (WaitingReason.SCAN, sentence):
            _wait(held, WaitingReason.SCAN, sentence)
    return moved


def _waiting(workspace: Workspace) -> models.QuerySet[Job]:
    return (
        Job.objects.filter(workspace=workspace, state=JobState.WAITING, cancel_requested_at__isnull=True)
        .order_by("-priority", "id")
        .select_for_update(skip_locked=True, no_key=True, of=("self",))
    )


def _explain(workspace: Workspace) -> None:
    """Tell the jobs at the head of the line why they wait; the rest learn it when they get there."""
    sentence = f"The workspace already has {workspace.max_active_jobs} active jobs, its limit."
    for job in _waiting(workspace).filter(waiting_reason="")[:BATCH]:
        _wait(job, WaitingReason.CONCURRENCY, sentence)


def _wait(job: Job, reason: WaitingReason, detail: str) -> None:
    Job.objects.filter(pk=job.pk, state=job.state).update(waiting_reason=reason, waiting_detail=detail)


@transaction.atomic
def _claim() -> list[UUID]:
    """Take QUEUED jobs that no dispatcher has in hand, or whose dispatcher died."""
    due = (
        Job.objects.filter(state=JobState.QUEUED, execution__isnull=True)
        .filter(Q(claimed_at__isnull=True) | Q(claimed_at__lt=Now() - CLAIM_LASTS))
        .order_by("-priority", "id")
        .select_for_update(skip_locked=True, no_key=True)
        .values_list("pk", flat=True)[:BATCH]
    )
    claimed = list(due)
    Job.objects.filter(pk__in=claimed).update(claimed_at=Now())
    return claimed


def _hand_over(job_id: UUID) -> None:
    """Start the job's execution by name. A repeat adopts what an earlier try has started."""
    point("dispatch.claimed")
    job = Job.objects.get(pk=job_id)
    if job.state != JobState.QUEUED or job.execution_id or job.cancel_requested_at:
        return
    spec = ExecutionSpec(name=job.execution_name, job_id=job.pk, run=job.run)
    try:
        external_ref = get_engine(settings.ENGINE).start(spec)
    except EngineUnavailable as exc:
        log.warning("engine unavailable", extra={"job_id": str(job_id), "error": str(exc)})
        _wait(job, WaitingReason.PLATFORM, str(exc)[:500])
        return
    except EngineRejected as exc:
        finish_job(job, JobState.FAILED, kind=FailureKind.PLATFORM, detail=str(exc))
        return
    point("dispatch.started")
    with transaction.atomic():
        execution = Execution(name=spec.name, engine=settings.ENGINE, external_ref=external_ref)
        Execution.objects.bulk_create([execution], ignore_conflicts=True)
        Job.objects.filter(pk=job_id, run=job.run, execution__isnull=True).update(
            execution=Subquery(Execution.objects.filter(name=spec.name).values("pk")),
            waiting_reason=WaitingReason.CAPACITY,
            waiting_detail="Waiting for room on the engine.",
        )
    point("dispatch.recorded")
    advance(job_id)
