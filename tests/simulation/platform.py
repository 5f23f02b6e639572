"""The model of `services.jobs`, `services.reruns` and `execution.dispatch`: what people ask, and the hand-over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from orchestration.engines.base import ExecutionSpec
from orchestration.errors import EngineRejected, EngineUnavailable, JobFinished, JobNotFinished, NothingToRetry
from orchestration.execution.dispatch import CLAIM_LASTS, FIRST_S, LONGEST_S
from orchestration.spec import graph
from orchestration.states import UNSUCCESSFUL
from tests.simulation.claims import Claims
from tests.simulation.rows import Execution, Job, Step, over

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from orchestration.engines.base import Report
    from tests.simulation.recording import Act
    from tests.simulation.rows import Rows
    from tests.simulation.shapes import Shape

    class Asked(Protocol):
        """As the product's port, without what nobody here asks."""

        def start(self, spec: ExecutionSpec) -> str: ...
        def stop(self, spec: ExecutionSpec, *, reason: str) -> bool: ...
        def report(self, specs: list[ExecutionSpec], *, looks: int = 0) -> Report: ...


CLAIM_S: Final = CLAIM_LASTS.total_seconds()


class Platform(Claims):
    def __init__(self, rows: Rows, engine: Asked, jitter: Callable[[], float], *, max_active: int = 1_000) -> None:
        super().__init__(rows, jitter)
        self.engine = engine
        self.max_active = max_active

    # -- what people ask -------------------------------------------------------------------------------------------

    def submit(self, job_id: str, of: Shape) -> Act[Job]:
        yield "submit.before"
        steps = {name: Step(name, total) for name, total in of.totals().items()}
        job = self.rows.jobs[job_id] = Job(job_id, of, steps, since=self.rows.now())
        self.rows.note(job, "job", new="WAITING")
        yield "submit.committed"
        return job

    def cancel(self, job: Job) -> Act[None]:
        yield "cancel.before_commit"
        if job.is_finished:
            raise JobFinished
        if job.cancel_requested_at is None:
            job.cancel_requested_at = self.rows.now()
            self.rows.note(job, "job", old=job.state, new=job.state)
        yield "cancel.committed"
        yield from self.advance(job)

    def retry(self, job: Job) -> Act[None]:
        yield "retry.before_commit"
        if not job.is_finished or any(self.rows.open_attempts(job)):
            raise JobNotFinished
        failed = {step.name for step in job.steps.values() if _has_failed(step)}
        if job.state == "SUCCEEDED" and not failed:
            raise NothingToRetry
        again = _steps_to_run(job, failed)
        _reset(job, again)
        old, job.state, job.run = job.state, "WAITING", job.run + 1
        job.execution = job.claimed_at = job.cancel_requested_at = job.next_try_at = None
        job.hand_over_tries = 0
        job.failure_kind, job.waiting_reason, job.since = "", "", self.rows.now()
        self.rows.note(job, "job", old=old, new="WAITING")

    # -- the dispatcher --------------------------------------------------------------------------------------------

    def dispatch(self) -> Act[int]:
        self._admit()
        claimed = self._claim()
        for job in claimed:
            yield from self.hand_over(job)
        return len(claimed)

    def _admit(self) -> None:
        jobs = self.rows.jobs.values()
        room = self.max_active - sum(not job.is_finished and job.state != "WAITING" for job in jobs)
        for job in sorted((one for one in jobs if one.state == "WAITING"), key=lambda one: one.id):
            if room > 0 and job.cancel_requested_at is None:
                room -= self.rows.job_moves(job, "QUEUED")
                job.queued_at = self.rows.now()

    def _claim(self) -> list[Job]:
        due = [job for job in self.rows.jobs.values() if self._is_to_hand_over(job)]
        for job in due:
            job.claimed_at = self.rows.now()
        return sorted(due, key=lambda job: job.id)

    def _is_to_hand_over(self, job: Job) -> bool:
        now = self.rows.now()
        return (
            job.state == "QUEUED"
            and job.execution is None
            and job.cancel_requested_at is None
            and (job.claimed_at is None or job.claimed_at < now - CLAIM_S)
            and (job.next_try_at is None or job.next_try_at <= now)
        )

    def hand_over(self, job: Job) -> Act[None]:
        yield "dispatch.claimed"
        if job.state != "QUEUED" or job.execution is not None or job.cancel_requested_at is not None:
            return
        run, name = job.run, job.execution_name
        try:
            self.engine.start(ExecutionSpec(name=name, job_id=UUID(job.id), run=run))
        except EngineUnavailable:
            self._later(job)
            return
        except EngineRejected:
            self.rows.job_moves(job, "FAILED", kind="PLATFORM")
            return
        yield "dispatch.started"
        execution = self.rows.executions.setdefault(name, Execution(name))
        if job.run == run and job.execution is None:
            job.execution, job.waiting_reason = execution, "capacity"
            job.hand_over_tries, job.next_try_at = 0, None
        yield "dispatch.recorded"
        yield from self.advance(job)

    def _later(self, job: Job) -> None:
        most_s = min(LONGEST_S, FIRST_S * 2 ** min(job.hand_over_tries, 16))
        job.claimed_at, job.waiting_reason = None, "platform"
        job.hand_over_tries += 1
        job.next_try_at = self.rows.now() + most_s * self.jitter()


def _has_failed(step: Step) -> bool:
    return any(item.state in UNSUCCESSFUL for item in step.items.values())


def _steps_to_run(job: Job, failed: set[str]) -> set[str]:
    again = failed | {name for name, step in job.steps.items() if step.state != "SUCCEEDED"}
    while grown := {spec.name for spec in job.shape.spec.steps if again & set(spec.needs)} - again:
        again |= grown
    return again


def _reset(job: Job, again: Iterable[str]) -> None:
    whole: set[str] = set()
    for spec in graph.order(job.shape.spec.steps):
        if spec.name in again and (not spec.for_each or whole & set(spec.needs)):
            whole.add(spec.name)
    for name, step in job.steps.items():
        for item in step.items.values():
            left_out = name in again and item.state in {"SKIPPED", "CANCELED"}
            if item.state in UNSUCCESSFUL or left_out or name in whole:
                item.state, item.failure_kind = "WAITING", ""
    for name in again:
        job.steps[name].state, job.steps[name].run, job.steps[name].failure_kind = "WAITING", job.run + 1, ""


def left_to_run(job: Job, indexes: Callable[[Step], Iterable[int]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """As `step_functions.work.plan_of` reads it: the steps that have not ended, each with its items."""
    return tuple((name, tuple(indexes(step))) for name, step in job.steps.items() if not over(step.state))
