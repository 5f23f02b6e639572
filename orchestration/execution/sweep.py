"""What beat does so that the system heals by itself: every gap a lost message or a kill can leave."""

from __future__ import annotations

import logging
import random
from itertools import batched
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db.models import Exists, OuterRef

from orchestration import going
from orchestration.engines.base import ExecutionSpec
from orchestration.engines.registry import get_engine
from orchestration.errors import EngineUnavailable
from orchestration.execution.advance import advance
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.record import record
from orchestration.execution.stopping import held_pieces
from orchestration.execution.witness import settle, witness
from orchestration.models import Attempt, Event, Item, Job, StepRun
from orchestration.models.repair import count_repairs
from orchestration.states import EventKind, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from orchestration.engines.base import AttemptReport

log = logging.getLogger(__name__)

BATCH: Final = 100
LOOKS: Final = 25
"""Executions that are looked at one by one in a round of half a minute; AWS grants two a second in small Regions."""


def reconcile() -> int:
    """Ask the engine about every job it has, record what was missed, advance what stands still."""
    try:
        repairs = _ask_engine()
    except EngineUnavailable as exc:
        log.warning("engine unavailable", extra={"error": str(exc)})
        repairs = 0
    return repairs + advance_stalled()


def _ask_engine() -> int:
    jobs = list(Job.objects.unfinished().filter(execution__isnull=False).only("pk", "run"))
    random.shuffle(jobs)  # looks are scarce: in time it is everybody's turn
    repairs, looks = 0, LOOKS
    for group in going.while_not_told(batched(jobs, BATCH, strict=False)):
        pieces = held_pieces([job.pk for job in group])
        specs = [
            ExecutionSpec(name=job.execution_name, job_id=job.pk, run=job.run, pieces=pieces[job.pk]) for job in group
        ]
        found = get_engine(settings.ENGINE).report(specs, looks=looks)
        looks -= len(found.executions)
        repairs += count_repairs("attempt_lost", _record_all(found.attempts))
        repairs += count_repairs("container_ended", sum(witness(piece) for piece in found.pieces))
        repairs += count_repairs("execution_over", sum(settle(one) for one in found.executions))
    return repairs


def _record_all(reports: Iterable[AttemptReport]) -> int:
    recorded = 0
    for report in going.while_not_told(reports):
        with one_at_a_time(report.attempt_id):
            recorded += record(report)
    return recorded


def advance_stalled() -> int:
    """Jobs that could go on and that nobody moves: the kill came after a commit and before what follows it."""
    open_attempts = Attempt.objects.unfinished().filter(job=OuterRef("pk"))
    settled = StepRun.objects.filter(job=OuterRef("pk"), state=WorkState.RUNNING).filter(
        ~Exists(Item.objects.unfinished().filter(step_run=OuterRef("pk")))
    )
    handed_over = Job.objects.unfinished().filter(execution__isnull=False)
    standing = handed_over.filter(~Exists(open_attempts) | Exists(settled))
    canceling = Job.objects.unfinished().filter(cancel_requested_at__isnull=False)
    found = standing.values_list("pk").union(canceling.values_list("pk"))
    job_ids = [row[0] for row in found[:1_000]]
    moved = count_repairs("job_stalled", sum(_advance(job_id) for job_id in going.while_not_told(job_ids)))
    if moved:
        log.info("advanced stalled jobs", extra={"count": moved})
    return moved


def _advance(job_id: UUID) -> bool:
    """Whether there was anything to do: a job that is canceling may just wait for its engine."""
    events = Event.objects.filter(job_id=job_id).exclude(kind=EventKind.PROGRESS)
    before = events.count()
    with one_at_a_time(job_id):
        advance(job_id, wait=False)
    return events.count() > before
