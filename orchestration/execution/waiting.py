"""Why work that an engine has stands in its queue, where the engine says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Exists, OuterRef, Q, Value
from django.db.models.functions import Now

from orchestration.engines.leasing import try_of_holder
from orchestration.models import Attempt, Job
from orchestration.states import AttemptState

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.engines.base import Piece

MOST_DETAIL: Final = 500


def explain(piece: Piece, job_id: UUID, run: int) -> None:
    """On the job, as long as nothing of it runs. What a piece said before it began, or said otherwise, is no news."""
    if not piece.waiting or _has_begun(piece, job_id, run):
        return
    live = Attempt.objects.live().filter(job=OuterRef("pk"))
    untaken = Attempt.objects.filter(job=OuterRef("pk"), run=run, step=piece.step, state=AttemptState.QUEUED)
    at = Value(piece.said_at) if piece.said_at else Now()
    waits = Job.objects.unfinished().filter(~Exists(live), Exists(untaken), pk=job_id, run=run)
    waits.filter(Q(waiting_at=None) | Q(waiting_at__lte=at)).update(
        waiting_reason=piece.waiting,
        waiting_detail=f"Step {piece.step}: {piece.detail}"[:MOST_DETAIL],
        waiting_at=at,
    )


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
