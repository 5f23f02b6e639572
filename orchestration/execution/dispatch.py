"""From WAITING to an engine: admission, then hand-over. Claim, commit, call, record."""

from __future__ import annotations

import logging
import random
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F
from django.db.models.functions import Now

from orchestration import tracing
from orchestration.engines.base import ExecutionSpec
from orchestration.engines.registry import get_engine
from orchestration.errors import EngineBusy, EngineRejected, EngineUnavailable
from orchestration.execution.admission import BATCH, admit
from orchestration.execution.advance import advance, finish_job
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.leave import refuse, with_leave
from orchestration.execution.pacing import Answer, Outcome, hand_over_at_pace
from orchestration.models import Execution, Job
from orchestration.models.job import CLAIM_LASTS
from orchestration.models.traced import job_place
from orchestration.points import point
from orchestration.states import FailureKind, JobState, WaitingReason

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

__all__ = ["CLAIM_LASTS", "dispatch"]

log = logging.getLogger(__name__)

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0


def dispatch(**options: Callable[[float], None]) -> bool:
    """Admit and hand over whatever can be. True: it stopped for the time, and there is more to do at once."""
    pace = get_engine(settings.ENGINE).pace
    if pace.allowances:
        return hand_over_at_pace(pace, _hand_over, **options)
    while True:
        admitted = admit()
        claimed = _claim()
        for job_id in claimed:
            _hand_over(job_id)
        if admitted < BATCH and len(claimed) < BATCH:
            return False


@transaction.atomic
def _claim() -> list[UUID]:
    due = Job.objects.to_hand_over().order_by("-priority", "id").select_for_update(skip_locked=True, no_key=True)
    claimed = list(due.values_list("pk", flat=True)[:BATCH])
    Job.objects.filter(pk__in=claimed).update(claimed_at=Now())
    return claimed


def _hand_over(job_id: UUID) -> Outcome:
    outcomes = [Outcome(Answer.LATER)]
    with one_at_a_time(job_id):
        outcomes.append(_start(job_id))
    return outcomes[-1]


def _start(job_id: UUID) -> Outcome:
    """Start the job's execution by name. A repeat adopts what an earlier try has started."""
    point("dispatch.claimed")
    job = Job.objects.annotate(has_leave=Exists(with_leave())).get(pk=job_id)
    if job.state != JobState.QUEUED or job.execution_id or job.cancel_requested_at:
        return Outcome(Answer.SETTLED)
    if not job.__dict__["has_leave"]:
        _refuse(job)
        return Outcome(Answer.SETTLED)
    place = job_place(job)
    with tracing.span("hand over", under=place, job_id=str(job_id)) if place else nullcontext():
        return _begin(job)


def _begin(job: Job) -> Outcome:
    job_id = job.pk
    spec = ExecutionSpec(name=job.execution_name, job_id=job_id, run=job.run)
    try:
        with tracing.span("start of the engine", engine=settings.ENGINE):
            external_ref = get_engine(settings.ENGINE).start(spec)
    except EngineUnavailable as exc:
        log.warning("engine unavailable", extra={"job_id": str(job_id), "error": str(exc)})
        detail = str(exc)[:500]
        _later(job, detail)
        return Outcome(Answer.BUSY if isinstance(exc, EngineBusy) else Answer.LATER, detail)
    except EngineRejected as exc:
        _never(job, str(exc))
        return Outcome(Answer.SETTLED)
    point("dispatch.started")
    with transaction.atomic():
        execution = Execution(name=spec.name, engine=settings.ENGINE, external_ref=external_ref)
        Job.objects.filter(pk=job_id, run=job.run, execution__isnull=True).hand_to(execution)
    point("dispatch.recorded")
    advance(job_id)
    return Outcome(Answer.SETTLED)


def _later(job: Job, detail: str) -> None:
    """Another try, after a pause that is longer each time and anything between nothing and that: not all at once."""
    most_s = min(LONGEST_S, FIRST_S * 2 ** min(job.hand_over_tries, 16))
    pause = timedelta(seconds=most_s * random.random())  # noqa: S311  spreads tries, guards nothing
    Job.objects.not_handed_over().filter(pk=job.pk, run=job.run).update(
        claimed_at=None,
        hand_over_tries=F("hand_over_tries") + 1,
        next_try_at=Now() + pause,
        waiting_reason=WaitingReason.PLATFORM,
        waiting_detail=detail,
    )


@transaction.atomic
def _refuse(job: Job) -> None:
    if mine := _asked_for(job):
        refuse(mine)


@transaction.atomic
def _never(job: Job, detail: str) -> None:
    if mine := _asked_for(job):
        finish_job(mine, JobState.FAILED, kind=FailureKind.PLATFORM, detail=detail)


def _asked_for(job: Job) -> Job | None:
    """Locked, and of the run that was asked for: whoever was away for long may find that it has gone on without him."""
    same: Job | None = (
        Job.objects.not_handed_over().filter(pk=job.pk, run=job.run).select_for_update(no_key=True).first()
    )
    return same
