"""Telling jobs that a pause holds that it does, and that it does no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from orchestration.models import Job, Pause
from orchestration.states import JobState, WaitingReason

if TYPE_CHECKING:
    from orchestration.models.job import JobQuerySet

BATCH: Final = 1_000
_UNBEGUN: Final = Q(state=JobState.WAITING) | Q(state=JobState.QUEUED, execution__isnull=True)


def explain_pauses() -> int:
    """The widest pause has the word, for it is the one that has to end first."""
    pauses = Pause.objects.select_related("workspace", "pipeline")
    return sum(_tell(pause) for pause in sorted(pauses, key=lambda pause: len(pause.covers())))


def forget(pause: Pause) -> int:
    """After its end: what they wait for now, the next round says."""
    forgotten = 0
    held = _unbegun(pause).filter(waiting_reason=WaitingReason.PAUSED)
    while more := _some(held, reason="", detail=""):
        forgotten += more
    return forgotten


def _tell(pause: Pause) -> int:
    detail = pause.sentence[:500]
    untold = _unbegun(pause).exclude(waiting_reason=WaitingReason.PAUSED, waiting_detail=detail)
    if pause.covers():
        # Those that a wider one holds have been told of that one, or are about to be.
        untold = untold.exclude(waiting_reason=WaitingReason.PAUSED)
    return _some(untold, reason=WaitingReason.PAUSED, detail=detail)


def _unbegun(pause: Pause) -> JobQuerySet:
    jobs: JobQuerySet = Job.objects.filter(_UNBEGUN, cancel_requested_at__isnull=True, **pause.covers())
    return jobs


@transaction.atomic
def _some(jobs: JobQuerySet, *, reason: str, detail: str) -> int:
    # In one order and past those that somebody has in hand: a dispatcher locks them too.
    rows = jobs.order_by("id").select_for_update(skip_locked=True, no_key=True, of=("self",))
    chosen = list(rows.values_list("pk", flat=True)[:BATCH])
    return int(Job.objects.filter(pk__any=chosen).update(waiting_reason=reason, waiting_detail=detail))
