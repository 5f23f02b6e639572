"""The model of `execution.sweep` and `execution.stopping`: what heals whatever a lost message or a kill has left."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING, Final
from uuid import UUID

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.leasing import piece_of_holder
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.execution.stopping import AGAIN, OVERDUE, SETTLES, STOPS
from orchestration.execution.sweep import BATCH, LOOKS
from orchestration.models.job import _EXECUTION_NAME
from tests.simulation.platform import Platform
from tests.simulation.rows import over

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.recording import Act
    from tests.simulation.rows import Execution, Job

SETTLES_S: Final = SETTLES.total_seconds()
AGAIN_S: Final = AGAIN.total_seconds()
OVERDUE_S: Final = OVERDUE.total_seconds()


class Sweeping(Platform):
    shuffle: Callable[[list[Job]], None] = staticmethod(lambda _: None)

    def reconcile(self) -> Act[int]:
        try:
            repairs = yield from self._ask_engine()
        except EngineUnavailable:
            repairs = 0
        return repairs + (yield from self.advance_stalled())

    def _ask_engine(self) -> Act[int]:
        jobs = [job for job in self.rows.jobs.values() if not job.is_finished and job.execution is not None]
        self.shuffle(jobs)
        asked = [(job, job.execution_name, job.run) for job in jobs]
        repairs, looks = 0, LOOKS
        for group in batched(asked, BATCH, strict=False):
            specs = [
                ExecutionSpec(name=name, job_id=UUID(job.id), run=run, pieces=self._pieces(job))
                for job, name, run in group
            ]
            found = self.engine.report(specs, looks=looks)
            looks -= len(found.executions)
            for piece in found.pieces:
                repairs += yield from self.witness(piece)
            for one in found.executions:
                repairs += yield from self.settle(one)
        return repairs

    def _pieces(self, job: Job, run: int | None = None) -> tuple[str, ...]:
        held = [
            piece_of_holder(one.leased_by)
            for one in self.rows.of_job[job.id]
            if one.is_live and one.leased_by and run in {None, one.run}
        ]
        return tuple(dict.fromkeys(ref for ref in held if ref))

    def advance_stalled(self) -> Act[int]:
        standing = [job for job in self.rows.jobs.values() if not job.is_finished and self._stands(job)]
        for job in standing:
            yield from self.advance(job)
        return len(standing)

    def _stands(self, job: Job) -> bool:
        if job.cancel_requested_at is not None:
            return True
        if job.execution is None:
            return False
        if not any(self.rows.open_attempts(job)):
            return True
        return any(
            step.state == "RUNNING" and all(over(item.state) for item in step.items.values())
            for step in job.steps.values()
        )

    # -- stopping --------------------------------------------------------------------------------------------------

    def stop_unwanted(self) -> Act[int]:
        stopped = 0
        for execution, seen in self._due():
            if execution.settled_at is None and execution.stop_tried_at == seen:
                execution.stop_tried_at = self.rows.now()
                execution.stop_asked_at = execution.stop_asked_at or self.rows.now()
                stopped += yield from self._stop(execution, self.rows.now())
        return stopped

    def has_unwanted(self) -> bool:
        by_execution = {job.execution.name: job for job in self.rows.jobs.values() if job.execution}
        return any(
            (job := by_execution.get(one.name)) is None or job.is_finished or job.cancel_requested_at is not None
            for one in self.rows.executions.values()
            if one.settled_at is None
        )

    def _due(self) -> list[tuple[Execution, float | None]]:
        now = self.rows.now()
        by_execution = {job.execution.name: job for job in self.rows.jobs.values() if job.execution}
        due = []
        for execution in self.rows.executions.values():
            job = by_execution.get(execution.name)
            if execution.settled_at is not None or (job and not job.is_finished and job.cancel_requested_at is None):
                continue
            if job and job.state == "SUCCEEDED":
                execution.settled_at = now
            elif execution.stop_tried_at is None or execution.stop_tried_at < now - AGAIN_S:
                due.append((execution, execution.stop_tried_at))
        due.sort(key=lambda one: -1.0 if one[1] is None else one[1])
        return due[:STOPS]

    def _stop(self, execution: Execution, tried_at: float) -> Act[bool]:
        found = _EXECUTION_NAME.fullmatch(execution.name)
        if found is None:
            return False
        job, run = self.rows.jobs[found["job"]], int(found["run"])
        pieces = self._pieces(job, run)
        yield "stop.taken"
        try:
            spec = ExecutionSpec(name=execution.name, job_id=UUID(job.id), run=run, pieces=pieces)
            is_over = self.engine.stop(spec, reason="The job is canceled or over.")
        except (EngineUnavailable, EngineRejected):
            self._tell_of_delay(execution, job)
            return False
        yield "stop.answered"
        if execution.stop_heard_at is None:
            execution.stop_heard_at = self.rows.now()
        if not is_over:
            self._tell_of_delay(execution, job)
            return False
        return (yield from self._settle_execution(execution, job, tried_at))

    def _settle_execution(self, execution: Execution, job: Job, tried_at: float) -> Act[bool]:
        heard = execution.stop_heard_at
        if execution.settled_at is not None or heard is None or heard > tried_at - SETTLES_S:
            return False
        execution.settled_at = self.rows.now()
        yield "stop.settled"
        if self._is_canceling(execution, job):
            yield from self.advance(job)
        return True

    @staticmethod
    def _is_canceling(execution: Execution, job: Job) -> bool:
        return job.execution is execution and not job.is_finished and job.cancel_requested_at is not None

    def _tell_of_delay(self, execution: Execution, job: Job) -> None:
        asked = execution.stop_asked_at
        is_late = asked is not None and asked < self.rows.now() - OVERDUE_S
        if is_late and self._is_canceling(execution, job):
            job.waiting_reason = "platform"
