"""Work for a container that was started without any: the next item of its slice of a step, one after the other.

Its token says which step of which run; Batch has told it which child of an array it is, in which attempt. Whoever
asks again is answered the same, and a later attempt of the same Batch job takes over what the earlier one held.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

from django.db import transaction
from django.db.models import Case, Q, When
from django.db.models.functions import Now

from orchestration.engines.leasing import (
    GRACE,
    container_holder,
    lease,
    lost_report,
    piece_of_holder,
    tell_job,
)
from orchestration.engines.step_functions.manifest import child_slice
from orchestration.engines.step_tokens import SPOT, StepRight, issue_step_token, read_step_token
from orchestration.errors import Forbidden, Invalid, WorkNotReady
from orchestration.execution.advance import advance
from orchestration.execution.record import record
from orchestration.execution.waiting import begun
from orchestration.models import Attempt, Item, Job, StepRun
from orchestration.points import point
from orchestration.services.runner import issue_token
from orchestration.states import FINISHED, AttemptState, JobState, WorkState

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

__all__ = ["Claim", "Container", "StepRight", "claim", "issue_step_token", "read_step_token"]

TRIES: Final = 10
_LOST: Final = "The container that ran this attempt ended before its work was done."

type End = Literal["succeeded", "failed", "again"]


@dataclass(frozen=True, slots=True)
class Container:
    """Attempt `attempt`, from 1, of a Batch job: of child `child` of an array, or of child 0 where there is none."""

    batch_job: str
    attempt: int
    child: int = 0

    @property
    def holder(self) -> str:
        return container_holder(self.batch_job, self.attempt)

    def attempt_of(self, holder: str) -> int | None:
        """Which attempt of this same Batch job `holder` is; None for anybody else."""
        return int(holder.rpartition("#")[2]) if piece_of_holder(holder) == self.batch_job else None


@dataclass(frozen=True, slots=True)
class Claim:
    """A runner's token and, for the next claim, how many of the slice are done after it; or how the slice ended.

    `again`: an item is to be tried again, by another container.
    """

    done: int
    token: str = ""
    end: End | None = None
    detail: str = ""


def claim(*, right: StepRight, container: Container, done: int = 0) -> Claim:
    """The first item that is open after the first `done` of the slice. Raises WorkNotReady: ask again.

    Without locks: a lease is compare-and-set, and who loses it looks again.
    """
    job = Job.objects.filter(pk=right.job_id).first()
    if job is None:
        raise Forbidden("This token is not valid here.")
    if why := _gone(job, right):
        return Claim(done, end="failed", detail=why)
    step = _opened(job, right)
    if why := _over(job, step):
        return Claim(done, end="succeeded" if right.place else "failed", detail=why)
    work: _Work = _Rest(step, right, container) if right.is_for_the_rest else _Slice(step, right, container)
    for _ in range(TRIES):
        attempt = work.next(done)
        if attempt is None:
            return work.ended(done)
        answer = _take(attempt, container, position=work.position(attempt, done), on_spot=right.place == SPOT)
        if answer is not None:
            return answer
    raise WorkNotReady


class _Work(Protocol):
    """What one container has to do of a step."""

    def next(self, done: int) -> Attempt | None: ...

    def position(self, attempt: Attempt, done: int) -> int: ...

    def ended(self, done: int) -> Claim: ...


class _Slice:
    """The items at fixed places, so that every container of the place has the same."""

    def __init__(self, step: StepRun, right: StepRight, container: Container) -> None:
        self._step, self._is_on_spot = step, right.place == SPOT
        indexes = step.indexes_of_run()
        try:
            lines = child_slice(container.child, per_child=right.per_child, total=len(indexes))
        except ValueError as exc:
            raise Invalid(f"This step has no such work: {exc}.") from exc
        self._mine = indexes[lines.start : lines.stop]

    def next(self, done: int) -> Attempt | None:
        opened = _open_attempts(self._step).filter(item__index__in=list(self._mine[done:]))
        found: Attempt | None = opened.order_by("item_index").first()
        return found

    def position(self, attempt: Attempt, done: int) -> int:  # noqa: ARG002  the other work's
        return self._mine.index(attempt.item_index)

    def ended(self, done: int) -> Claim:
        """What the rows say of the whole slice, whoever worked on it.

        On a spot machine a failure is what other machines have to make good. Items that failed for good are not.
        """
        items = Item.objects.filter(step_run=self._step, index__in=list(self._mine))
        if left := items.unfinished().count():
            return Claim(done, end="again", detail=f"{left} of {len(self._mine)} items are to be tried again.")
        failed = items.exclude(state__in=[WorkState.SUCCEEDED, WorkState.SKIPPED]).count()
        if failed and not self._is_on_spot:
            return Claim(done, end="failed", detail=f"{failed} of {len(self._mine)} items did not succeed.")
        return Claim(done, end="succeeded")


class _Rest:
    """Whatever the step has left, as many items as a slice has: nobody knows beforehand which they are.

    What other containers of the same Batch job hold is theirs. What one on a machine that went away still holds is
    waited for until its lease has run out.
    """

    def __init__(self, step: StepRun, right: StepRight, container: Container) -> None:
        self._most = right.per_child
        own = Q(leased_by__startswith=f"{container_holder(container.batch_job, 0).rpartition('#')[0]}#")
        parent = container.batch_job.partition(":")[0]
        siblings = Q(leased_by__startswith=f"{container_holder(parent, 0).rpartition('#')[0]}:") & ~own
        place = Case(When(own, then=0), When(state=AttemptState.QUEUED, then=1), default=2)
        self._left = _open_attempts(step).exclude(siblings).order_by(place, "available_at", "item_index")

    def next(self, done: int) -> Attempt | None:
        found: Attempt | None = self._left.first() if done < self._most else None
        return found

    def position(self, attempt: Attempt, done: int) -> int:  # noqa: ARG002  the other work's
        return done

    def ended(self, done: int) -> Claim:
        if done >= self._most and self._left.exists():
            return Claim(done, end="again", detail="Items are left, and this container has done its share.")
        return Claim(done, end="succeeded")


def _open_attempts(step: StepRun) -> QuerySet[Attempt]:
    found: QuerySet[Attempt] = Attempt.objects.unfinished().filter(item__step_run=step, run=step.run)
    return found.select_related("job")


def _gone(job: Job, right: StepRight) -> str:
    """Why this right is good for nothing any more."""
    if job.run != right.run:
        return f"The job has gone on to run {job.run}."
    return "The job was canceled." if job.cancel_requested_at or job.state == JobState.CANCELED else ""


def _opened(job: Job, right: StepRight) -> StepRun:
    """The step, set going if it can be: whoever should have done it may have died before."""
    step: StepRun | None = job.steps.filter(name=right.step).first()
    if step is None:
        raise Forbidden("This token is not valid here.")
    if step.state == WorkState.WAITING and not job.is_finished:
        advance(job.pk)
        step.refresh_from_db()
        if step.state == WorkState.WAITING:
            raise WorkNotReady("The step waits for others, or for its execution to be noted. Ask again in a moment.")
    return step


def _over(job: Job, step: StepRun) -> str:
    """Why there is no work in this step any more. One that succeeded has its slices' ends to tell."""
    if step.state not in FINISHED:
        return f"The job is over: {job.state}." if job.is_finished else ""
    if step.run == job.run and step.state == WorkState.SUCCEEDED:
        return ""
    return f"The step {step.name} is over: {step.state}."


def _take(attempt: Attempt, container: Container, *, position: int, on_spot: bool) -> Claim | None:
    """An answer, or None: things have moved, look again."""
    if attempt.state == AttemptState.QUEUED:
        return _lease(attempt, container, position=position, on_spot=on_spot)
    if attempt.leased_by == container.holder:
        return _given(attempt.pk, attempt.fence, position)
    other = container.attempt_of(attempt.leased_by)
    if other is not None and other > container.attempt:
        return Claim(position, end="failed", detail="A later attempt of this Batch job has taken over.")
    gone = other is not None
    if gone or Attempt.objects.filter(pk=attempt.pk, lease_until__lt=Now() - GRACE).exists():
        record(lost_report(attempt.pk, attempt.fence, detail=_LOST, only_if_expired=not gone))
        return None
    raise WorkNotReady("Somebody else is at work on this item. Ask again in a moment.")


def _lease(attempt: Attempt, container: Container, *, position: int, on_spot: bool) -> Claim | None:
    if not Attempt.objects.filter(pk=attempt.pk, available_at__lte=Now()).exists():
        raise WorkNotReady("The item is to be tried again, and it is not yet time.")
    with transaction.atomic(durable=True):
        taken = lease(attempt, container.holder, on_spot=on_spot)
    if not taken:
        return None
    point("claim.leased")
    tell_job(attempt)
    begun(attempt.job_id)
    return _given(attempt.pk, attempt.fence, position)


def _given(attempt_id: UUID, fence: int, position: int) -> Claim:
    return Claim(position + 1, token=issue_token(attempt_id, fence))
