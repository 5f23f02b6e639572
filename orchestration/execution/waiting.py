"""Why work that an engine has stands in its queue, where the engine says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Now

from orchestration.engines.leasing import try_of_holder
from orchestration.models import Attempt, Job
from orchestration.models.moves import write_events
from orchestration.states import AttemptState, EventKind

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.engines.base import Piece

MOST_DETAIL: Final = 500


def explain(piece: Piece, job_id: UUID, run: int) -> None:
    """On the job, as long as nothing of it runs, and as an event, which is how an open page hears of it.

    What a piece said before it began, or said otherwise, is no news.
    """
    if not piece.waiting or _has_begun(piece, job_id, run):
        return
    live = Attempt.objects.live().filter(job=OuterRef("pk"))
    untaken = Attempt.objects.filter(job=OuterRef("pk"), run=run, step=piece.step, state=AttemptState.QUEUED)
    at = Value(piece.said_at) if piece.said_at else Now()
    waits = Job.objects.unfinished().filter(~Exists(live), Exists(untaken), pk=job_id, run=run)
    detail = f"Step {piece.step}: {piece.detail}"[:MOST_DETAIL]
    with transaction.atomic():
        of_it = waits.filter(Q(waiting_at=None) | Q(waiting_at__lte=at)).select_for_update(no_key=True)
        job = of_it.first()
        if job is None:
            return
        Job.objects.filter(pk=job_id).update(waiting_reason=piece.waiting, waiting_detail=detail, waiting_at=at)
        if (job.waiting_reason, job.waiting_detail) != (piece.waiting, detail):
            told = {"old": job.state, "new": job.state, "reason": detail, "data": {"waiting_reason": piece.waiting}}
            write_events([job.event(EventKind.JOB, **told)])


def begun(job_id: UUID) -> None:
    """Part of it runs: whatever it waited for has come."""
    Job.objects.filter(pk=job_id).exclude(waiting_reason="").update(waiting_reason="", waiting_detail="")


def _has_begun(piece: Piece, job_id: UUID, run: int) -> bool:
    """Whether a later try than those it has told of, or any of an array's children, was seen at work."""
    of_step = Attempt.objects.filter(job=job_id, run=run, step=piece.step)
    holders = of_step.filter(leased_by__contains=piece.ref).values_list("leased_by", flat=True)
    tries = [found for holder in holders if (found := try_of_holder(holder))]
    ended = max((one.number for one in piece.tries), default=0)
    return any(ref.startswith(f"{piece.ref}:") or (ref == piece.ref and number > ended) for ref, number in tries)
