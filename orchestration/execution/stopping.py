"""Executions that nobody wants any more are ended, and count as over only when the engine has said so.

Asked again until it does; whoever is killed over it has left the row as it was, and the next round goes on.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce, Now

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.leasing import piece_of_holder
from orchestration.engines.registry import get_engine
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.execution.advance import advance
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Attempt, Execution, Job
from orchestration.models.execution import LOCAL
from orchestration.points import point
from orchestration.states import JobState, WaitingReason

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet

log = logging.getLogger(__name__)

STOPS: Final = 50
SETTLES: Final = timedelta(seconds=10)
"""So soon after it has heard of the stop, an engine may not show all that it had begun just before."""
AGAIN: Final = timedelta(seconds=4)
OVERDUE: Final = timedelta(minutes=15)
"""From here on an operator is told. The job stays what it is: nobody knows that nothing of it runs."""


def stop_unwanted() -> int:
    """Of jobs that are canceling or have ended, whatever their executions still run or have in a queue."""
    stopped = 0
    for execution in _due():
        with one_at_a_time(execution.pk):
            tried_at = _take(execution)
            stopped += tried_at is not None and _stop(execution, tried_at)
    return stopped


def _due() -> list[Execution]:
    """Those that were asked longest ago come first: one that cannot be ended keeps no other from its turn."""
    of_it = Job.objects.filter(execution=OuterRef("pk"))
    wanted = of_it.unfinished().filter(cancel_requested_at__isnull=True)
    unwanted = Execution.objects.filter(~Exists(wanted), settled_at__isnull=True).exclude(engine=LOCAL)
    # What ended well has nothing left, and an execution of an earlier run has no job any more.
    ended_well = Exists(of_it.filter(state=JobState.SUCCEEDED)) & ~Exists(of_it.unfinished())
    unwanted.filter(ended_well).update(settled_at=Now())
    due = unwanted.filter(Q(stop_tried_at__isnull=True) | Q(stop_tried_at__lt=Now() - AGAIN))
    return list(due.order_by(F("stop_tried_at").asc(nulls_first=True), "id")[:STOPS])


def _take(execution: Execution) -> datetime | None:
    """When it is asked; two workers do not ask at once."""
    same = Execution.objects.filter(pk=execution.pk, settled_at=None, stop_tried_at=execution.stop_tried_at)
    if not same.update(stop_tried_at=Now(), stop_asked_at=Coalesce("stop_asked_at", Now())):
        return None
    return Execution.objects.values_list("stop_tried_at", flat=True).get(pk=execution.pk)


def _stop(execution: Execution, tried_at: datetime) -> bool:
    spec = _spec(execution)
    if spec is None:
        return False
    point("stop.taken")
    try:
        is_over = get_engine(execution.engine).stop(spec, reason="The job is canceled or over.")
    except (EngineUnavailable, EngineRejected) as exc:
        log.warning("execution not stopped", extra={"execution": execution.name, "error": str(exc)})
        _tell_of_delay(execution, str(exc))
        return False
    point("stop.answered")
    first = Execution.objects.filter(pk=execution.pk, stop_heard_at=None, stop_asked_at__lte=tried_at)
    first.update(stop_heard_at=Now())
    if not is_over:
        _tell_of_delay(execution, "It still runs something.")
        return False
    return _settle_execution(execution, tried_at)


def _settle_execution(execution: Execution, tried_at: datetime) -> bool:
    """The engine was asked at `tried_at` and runs nothing of it. Too soon after it heard of it that is not believed."""
    sure = Execution.objects.filter(pk=execution.pk, settled_at=None, stop_heard_at__lte=tried_at - SETTLES)
    if not sure.update(settled_at=Now()):
        return False
    point("stop.settled")
    for job_id in _canceling(execution).values_list("pk", flat=True):
        advance(job_id)
    return True


def _spec(execution: Execution) -> ExecutionSpec | None:
    """By its name: a retry has taken the job to its next run, and the execution of the last one still ends."""
    found = Job.run_of(execution.name)
    if found is None:
        return None
    job_id, run = found
    return ExecutionSpec(name=execution.name, job_id=job_id, run=run, pieces=held_pieces([job_id], run=run)[job_id])


def held_pieces(job_ids: Iterable[UUID], *, run: int | None = None) -> dict[UUID, tuple[str, ...]]:
    """Of an engine that runs pieces by itself: those that hold attempts of these jobs."""
    found: dict[UUID, dict[str, None]] = {job_id: {} for job_id in job_ids}
    held = Attempt.objects.live().filter(job__in=found).exclude(leased_by="")
    held = held if run is None else held.filter(run=run)
    for job_id, holder in held.values_list("job", "leased_by"):
        if ref := piece_of_holder(holder):
            found[job_id][ref] = None
    return {job_id: tuple(refs) for job_id, refs in found.items()}


def _canceling(execution: Execution) -> QuerySet[Job]:
    jobs: QuerySet[Job] = Job.objects.unfinished().filter(execution=execution, cancel_requested_at__isnull=False)
    return jobs


def _tell_of_delay(execution: Execution, why: str) -> None:
    """Once, when it has taken too long: in the log for the operator, with the job for whoever waits for it."""
    late = Execution.objects.filter(pk=execution.pk, stop_asked_at__lt=Now() - OVERDUE)
    untold = _canceling(execution).exclude(waiting_reason=WaitingReason.PLATFORM)
    if not late.exists():
        return
    minutes = int(OVERDUE.total_seconds() // 60)
    sentence = (
        f"For {minutes} minutes it could not be confirmed that nothing runs any more. The operator is told. {why}"
    )
    if untold.update(waiting_reason=WaitingReason.PLATFORM, waiting_detail=sentence[:500]):
        log.error("cancel is not confirmed", extra={"execution": execution.name, "error": why})
