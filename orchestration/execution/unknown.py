"""Executions that an engine has and no row knows: whoever started one died before it was written down.

Those of a job that waits for its hand-over are taken up as if they had just been started. For all others of our jobs a
row is written, without a job that wants it: what nobody wants is then ended like any other.
"""

from __future__ import annotations

import logging
from itertools import batched
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from orchestration.engines.registry import get_engine
from orchestration.errors import EngineUnavailable
from orchestration.execution.advance import advance
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Execution, Job
from orchestration.models.execution import LOCAL
from orchestration.models.repair import count_repairs
from orchestration.points import point
from orchestration.states import JobState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from orchestration.engines.base import OpenExecution

log = logging.getLogger(__name__)

BATCH: Final = 500


def find_unknown() -> int:
    """How many were taken up or given over to be ended."""
    if settings.ENGINE == LOCAL:
        return 0
    try:
        found = get_engine(settings.ENGINE).open_executions()
    except EngineUnavailable as exc:
        log.warning("engine unavailable", extra={"error": str(exc)})
        return 0
    return sum(_settle(one, job_id, run) for one, job_id, run in _unknown(found))


def _unknown(found: tuple[OpenExecution, ...]) -> Iterator[tuple[OpenExecution, UUID, int]]:
    """Those of jobs of this database. What others run on the same machine is theirs."""
    for group in batched(found, BATCH, strict=False):
        known = set(Execution.objects.filter(name__in=[one.name for one in group]).values_list("name", flat=True))
        named = [(one, Job.run_of(one.name)) for one in group if one.name not in known]
        ids = {name[0] for _, name in named if name}
        ours = set(Job.objects.filter(pk__in=ids).values_list("pk", flat=True))
        for one, name in named:
            if name and name[0] in ours:
                yield one, *name
            else:
                log.warning("execution of nobody we know", extra={"execution": one.name})


def _settle(one: OpenExecution, job_id: UUID, run: int) -> int:
    with one_at_a_time(job_id):
        if _take_up(one, job_id, run):
            point("unknown.taken_up")
            advance(job_id)
            log.warning("execution taken up", extra={"execution": one.name})
            return count_repairs("execution_taken_up")
        if _give_over(one, job_id, run):
            log.warning("execution to be ended", extra={"execution": one.name})
            return count_repairs("execution_unwanted")
    return 0


def _take_up(one: OpenExecution, job_id: UUID, run: int) -> bool:
    """As the dispatcher would have written it down; it may do so at this very moment."""
    with transaction.atomic():
        waiting = Job.objects.select_for_update(no_key=True).filter(
            pk=job_id, run=run, state=JobState.QUEUED, execution=None, cancel_requested_at=None
        )
        if not waiting.exists():
            return False
        return bool(Job.objects.filter(pk=job_id).hand_to(_row(one)))


def _give_over(one: OpenExecution, job_id: UUID, run: int) -> bool:
    """A job of this run that is not admitted yet is left alone: its hand-over finds the execution by its name."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or (job.run == run and not job.is_finished):
        return False
    Execution.objects.bulk_create([_row(one)], ignore_conflicts=True)
    return True


def _row(one: OpenExecution) -> Execution:
    return Execution(name=one.name, engine=settings.ENGINE, external_ref=one.ref)
