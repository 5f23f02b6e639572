"""What every engine does with an attempt it takes: a lease under the next fence, and news for the job."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models.functions import Now

from orchestration.engines.base import AttemptReport
from orchestration.models.moves import swap_state, write_events
from orchestration.points import point
from orchestration.states import ATTEMPT_MOVES, AttemptState, FailureKind, JobState

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.models import Attempt

LEASE: Final = timedelta(seconds=30)
# What a lease that ran out is still granted where its holder may be alive and only cut off from us.
GRACE: Final = timedelta(seconds=60)


def lease(attempt: Attempt, holder: str, *, on_spot: bool | None = None) -> bool:
    """QUEUED → STARTING, part of the caller's transaction. False: somebody else moved it first."""
    moved = swap_state(
        attempt,
        AttemptState.STARTING,
        moves=ATTEMPT_MOVES,
        where={"fence": attempt.fence},
        fence=attempt.fence + 1,
        leased_by=holder,
        on_spot=on_spot,
        lease_until=Now() + LEASE,
        pid=None,
        pid_started="",
    )
    if moved:
        write_events([attempt.event(AttemptState.STARTING, old=AttemptState.QUEUED)])
        point("lease.taken")
    return moved


def tell_job(attempt: Attempt) -> None:
    """The job is STARTING with its first attempt.

    In a transaction after the lease: whoever locks both a job and its attempts takes the job first, and a lease
    takes the attempt first. Killed in between, the job learns it when its runner begins.
    """
    if attempt.job.state == JobState.QUEUED:
        attempt.job.move(JobState.STARTING)


def lost_report(attempt_id: UUID, fence: int, *, detail: str = "", only_if_expired: bool = False) -> AttemptReport:
    """Nobody works on this attempt any more."""
    return AttemptReport(
        attempt_id=attempt_id,
        fence=fence,
        only_if_expired=only_if_expired,
        state=AttemptState.FAILED,
        failure_kind=FailureKind.INTERRUPTED,
        detail=detail or "The process or the machine that ran this attempt went away.",
    )


def container_holder(piece: str, number: int) -> str:
    """Who holds what the container of this try of a piece has claimed."""
    return f"batch:{piece}#{number}"


def piece_of_holder(holder: str) -> str | None:
    """The piece whose container holds a lease; None for a supervisor's."""
    found = try_of_holder(holder)
    return found[0] if found else None


def try_of_holder(holder: str) -> tuple[str, int] | None:
    """The piece, and which try of it."""
    kind, _, rest = holder.partition(":")
    piece, _, number = rest.rpartition("#")
    return (piece, int(number)) if kind == "batch" else None
