"""The model of `services.claims` and of `services.runner`: what a container is given, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.engines.leasing import GRACE, LEASE, container_holder, piece_of_holder
from orchestration.engines.step_functions.manifest import child_slice
from orchestration.errors import AttemptFenced, WorkNotReady
from orchestration.services.claims import TRIES
from tests.simulation.recording import Recording, Said
from tests.simulation.rows import over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.recording import Act
    from tests.simulation.rows import Attempt, Job, Step

LEASE_S: Final = LEASE.total_seconds()
GRACE_S: Final = GRACE.total_seconds()


@dataclass(frozen=True, slots=True)
class Right:
    job: str
    run: int
    step: str
    per_child: int = 1


@dataclass(frozen=True, slots=True)
class Given:
    """As `services.claims.Claim`: an attempt under a fence, or how the slice ended."""

    done: int
    attempt: str = ""
    fence: int = 0
    end: str = ""


class Claims(Recording):
    def claim(self, right: Right, batch_job: str, number: int, child: int, done: int) -> Act[Given]:
        job = self.rows.jobs[right.job]
        if job.run != right.run or job.cancel_requested_at is not None or job.state == "CANCELED":
            return Given(done, end="failed")
        step = job.steps[right.step]
        if step.state == "WAITING" and not job.is_finished:
            yield from self.advance(job)
            if step.state == "WAITING":
                raise WorkNotReady
        if _is_over(job, step):
            return Given(done, end="failed")
        indexes = indexes_of_run(self.rows.of_job[job.id], step)
        lines = child_slice(child, per_child=right.per_child, total=len(indexes))
        mine = indexes[lines.start : lines.stop]
        for _ in range(TRIES):
            attempt = self._first_open(job, step, mine[done:])
            if attempt is None:
                return _ended(step, mine, done)
            answer = yield from self._take(attempt, batch_job, number, mine.index(attempt.item.index))
            if answer is not None:
                return answer
        raise WorkNotReady

    def _first_open(self, job: Job, step: Step, mine: Sequence[int]) -> Attempt | None:
        opened = [
            one
            for one in self.rows.open_attempts(job)
            if one.step is step and one.run == step.run and one.item.index in mine
        ]
        return min(opened, key=lambda one: one.item.index, default=None)

    def _take(self, attempt: Attempt, batch_job: str, number: int, position: int) -> Act[Given | None]:
        if attempt.state == "QUEUED":
            return (yield from self._lease(attempt, container_holder(batch_job, number), position))
        if attempt.leased_by == container_holder(batch_job, number):
            return Given(position + 1, attempt.id, attempt.fence)
        is_same = piece_of_holder(attempt.leased_by) == batch_job
        if is_same and int(attempt.leased_by.rpartition("#")[2]) > number:
            return Given(position, end="failed")
        if is_same or attempt.lease_until < self.rows.now() - GRACE_S:
            lost = Said(attempt.id, "FAILED", attempt.fence, "INTERRUPTED", only_if_expired=not is_same)
            yield from self.record(lost)
            return None
        raise WorkNotReady

    def _lease(self, attempt: Attempt, holder: str, position: int) -> Act[Given | None]:
        if attempt.available_at > self.rows.now():
            raise WorkNotReady
        fence, said_of_job = attempt.fence, attempt.job.state
        yield "lease.taken"
        if (attempt.state, attempt.fence) != ("QUEUED", fence):
            return None
        self.rows.attempt_moves(attempt, "STARTING")
        attempt.fence, attempt.leased_by = fence + 1, holder
        attempt.lease_until = self.rows.now() + LEASE_S
        self.rows.note_attempt(attempt, "QUEUED", "STARTING")
        given = Given(position + 1, attempt.id, attempt.fence)
        yield "claim.leased"
        if said_of_job == "QUEUED":
            self.rows.job_moves(attempt.job, "STARTING", old=said_of_job)
        return given

    # -- the runner ------------------------------------------------------------------------------------------------

    def _held(self, name: str, fence: int) -> Attempt:
        attempt = self.rows.attempts[name]
        if not attempt.is_live or attempt.fence != fence:
            raise AttemptFenced
        return attempt

    def begin(self, name: str, fence: int) -> Act[None]:
        yield "runner.begin"
        attempt = self._held(name, fence)
        if attempt.state != "STARTING":
            return
        self.rows.attempt_moves(attempt, "RUNNING")
        attempt.lease_until = self.rows.now() + LEASE_S
        self.rows.note_attempt(attempt, "STARTING", "RUNNING")
        if attempt.job.state in {"QUEUED", "STARTING"}:
            self.rows.job_moves(attempt.job, "RUNNING")

    def heartbeat(self, name: str, fence: int) -> bool:
        """Whether the step should be canceled."""
        attempt = self._held(name, fence)
        attempt.lease_until = self.rows.now() + LEASE_S
        return attempt.job.cancel_requested_at is not None

    def finish(self, name: str, fence: int, outcome: str, kind: str = "", *, retry: bool = False) -> Act[None]:
        attempt = self.rows.attempts[name]
        ends = {outcome.upper()} | ({"FAILED"} if outcome == "canceled" else set())
        if outcome == "canceled" and attempt.job.cancel_requested_at is None:
            outcome, kind = "failed", "INTERRUPTED"
        kind = "" if outcome in {"succeeded", "canceled"} else kind or "USER_CODE"
        yield "finish.before"
        recorded = yield from self.record(Said(name, outcome.upper(), fence, kind, retry=retry))
        if not recorded and not (attempt.fence == fence and attempt.state in ends):
            raise AttemptFenced


def _is_over(job: Job, step: Step) -> bool:
    if not over(step.state):
        return job.is_finished
    return not (step.run == job.run and step.state == "SUCCEEDED")


def _ended(step: Step, mine: Sequence[int], done: int) -> Given:
    states = [step.items[index].state for index in mine if index in step.items]
    if not all(over(state) for state in states):
        return Given(done, end="again")
    if any(state not in {"SUCCEEDED", "SKIPPED"} for state in states):
        return Given(done, end="failed")
    return Given(done, end="succeeded")


def indexes_of_run(attempts: Sequence[Attempt], step: Step) -> Sequence[int]:
    if step.run == 1:
        return range(step.total)
    of_run = {one.item.index for one in attempts if one.step is step and one.run == step.run}
    settled = {item.index for item in step.items.values() if over(item.state) and item.state != "SKIPPED"}
    return [index for index in range(step.total) if index not in settled - of_run]
