"""The model of `execution.advance`, `execution.record` and `execution.witness`: how news becomes moves.

Each function that crosses a named point of the product is a generator that yields the point's name: there the process
may be killed, held up or overtaken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.engines.leasing import container_holder
from orchestration.execution.witness import _LEFT
from orchestration.models.job import _EXECUTION_NAME
from orchestration.spec.decide import Retry, after_attempt, job_outcome, step_outcome
from orchestration.states import UNSUCCESSFUL
from tests.simulation.rows import over

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from orchestration.engines.base import ExecutionReport, Piece, Try
    from tests.simulation.rows import Attempt, Item, Job, Rows, Step

type Act[T] = Generator[str, None, T]

LOST: Final = frozenset({"FAILED", "TIMED_OUT"})


@dataclass(frozen=True, slots=True)
class Said:
    """An attempt's end, as AttemptReport."""

    attempt: str
    state: str
    fence: int | None = None
    failure_kind: str = ""
    exit_code: int | None = None
    retry: bool = False
    only_if_expired: bool = False
    is_last: bool = False


class Recording:
    def __init__(self, rows: Rows, jitter: Callable[[], float]) -> None:
        self.rows = rows
        self.jitter = jitter

    # -- record ----------------------------------------------------------------------------------------------------

    def record(self, said: Said) -> Act[bool]:
        yield "record.before"
        attempt = self.rows.attempts[said.attempt]
        canceling = attempt.job.cancel_requested_at is not None
        if not self.apply(attempt, said):
            return False
        yield "record.committed"
        step = attempt.step
        if canceling or step.total == 1 or all(over(item.state) for item in step.items.values()):
            yield from self.advance(attempt.job)
        return True

    def is_news(self, attempt: Attempt, said: Said) -> bool:
        if attempt.is_finished or (said.fence is not None and said.fence != attempt.fence):
            return False
        return not (said.only_if_expired and attempt.lease_until >= self.rows.now())

    def apply(self, attempt: Attempt, said: Said) -> bool:
        if not self.is_news(attempt, said):
            return False
        old = attempt.state
        self.rows.attempt_moves(attempt, said.state)
        attempt.failure_kind, attempt.exit_code = said.failure_kind, said.exit_code
        self.rows.note_attempt(attempt, old, said.state)
        self.settle_item(attempt, said)
        return True

    def settle_item(self, attempt: Attempt, said: Said) -> None:
        job, step, item = attempt.job, attempt.step, attempt.item
        decision = after_attempt(
            job.shape.by_name[step.name].retry,
            number=attempt.number,
            state=said.state,
            failure_kind=said.failure_kind or None,
            retry_requested=said.retry,
            jitter=self.jitter(),
        )
        if isinstance(decision, Retry) and job.cancel_requested_at is None and not said.is_last:
            self.rows.add_attempt(job, step, item, number=attempt.number + 1, delay=decision.delay_s)
            return
        old = item.state
        self.rows.item_moves(item, said.state, kind=said.failure_kind)
        self.rows.note(job, "item", step=step.name, item=item.index, old=old, new=said.state)

    # -- advance ---------------------------------------------------------------------------------------------------

    def advance(self, job: Job) -> Act[None]:
        if not self._can_go_on(job):
            return
        yield "advance.locked"
        if self._can_go_on(job):  # the lock is had at the end of a delay, not at its beginning
            if job.cancel_requested_at is not None:
                self._cancel(job)
            else:
                self._schedule(job)
        yield "advance.committed"

    @staticmethod
    def _can_go_on(job: Job) -> bool:
        return not job.is_finished and (job.execution is not None or job.cancel_requested_at is not None)

    def _schedule(self, job: Job) -> None:
        started: set[str] = set()
        while self._pass(job, started):
            pass
        outcome = job_outcome([step.state for step in job.steps.values()])
        if outcome is not None:
            failed = next((step for step in job.steps.values() if step.state in LOST), None)
            self.rows.job_moves(job, outcome, kind=(failed.failure_kind or "PLATFORM") if failed else "")

    def _pass(self, job: Job, started: set[str]) -> bool:
        moved = False
        for step in [one for one in job.steps.values() if one.state == "RUNNING" and one.name not in started]:
            moved |= self._settle(job, step)
        for step in [one for one in job.steps.values() if one.state == "WAITING"]:
            moved |= self._open(job, step, started)
        return moved

    def _settle(self, job: Job, step: Step) -> bool:
        counts: dict[str, int] = {}
        for item in step.items.values():
            counts[item.state] = counts.get(item.state, 0) + 1
        outcome = step_outcome(counts, job.shape.by_name[step.name].tolerate)
        if outcome is None:
            return False
        self.rows.step_moves(job, step, outcome, kind=_why(step) if outcome in LOST else "")
        return True

    def _open(self, job: Job, step: Step, started: set[str]) -> bool:
        needs = [job.steps[name].state for name in job.shape.by_name[step.name].needs]
        if any(state in UNSUCCESSFUL for state in needs):
            self.rows.step_moves(job, step, "SKIPPED")
            return True
        if any(state != "SUCCEEDED" for state in needs):
            return False
        self.rows.step_moves(job, step, "RUNNING")
        self._make_items(job, step, started)
        return True

    def _make_items(self, job: Job, step: Step, started: set[str]) -> None:
        from tests.simulation.rows import Item

        orphans = _without_source(job, step)
        known = set(step.items) if job.run > 1 else set()
        to_try: list[Item] = []
        for index in range(step.total):
            if index not in known:
                item = step.items[index] = Item(index, "SKIPPED" if index in orphans else "RUNNING")
                to_try += [] if index in orphans else [item]
            elif (item := step.items[index]).state == "WAITING":
                item.state = "SKIPPED" if index in orphans else "RUNNING"
                to_try += [] if index in orphans else [item]
        for item in to_try:
            self.rows.add_attempt(job, step, item)
        if to_try:
            started.add(step.name)

    def _cancel(self, job: Job) -> None:
        execution = job.execution
        for attempt in list(self.rows.open_attempts(job)):
            if attempt.state == "QUEUED" or (execution and execution.settled_at is not None):
                old = attempt.state
                self.rows.attempt_moves(attempt, "CANCELED")
                self.rows.note_attempt(attempt, old, "CANCELED")
        for attempt in self.rows.of_job[job.id]:
            if attempt.run == job.run and attempt.state == "CANCELED" and not over(attempt.item.state):
                self.rows.item_moves(attempt.item, "CANCELED")
        if any(self.rows.open_attempts(job)) or (execution and execution.settled_at is None):
            return
        for step in job.steps.values():
            if not over(step.state):
                for item in step.items.values():
                    if not over(item.state):
                        self.rows.item_moves(item, "CANCELED")
                self.rows.step_moves(job, step, "CANCELED")
        self.rows.job_moves(job, "CANCELED")

    # -- witness ---------------------------------------------------------------------------------------------------

    def _run_of(self, execution: str) -> tuple[Job, int] | None:
        found = _EXECUTION_NAME.fullmatch(execution)
        job = self.rows.jobs.get(found["job"]) if found else None
        return (job, int(found["run"])) if found and job else None

    def witness(self, piece: Piece) -> Act[int]:
        if (found := self._run_of(piece.execution)) is None:
            return 0
        job, run = found
        if piece.waiting and job.state in {"QUEUED", "STARTING"}:
            job.waiting_reason = piece.waiting
        of_step = [one for one in self.rows.of_job[job.id] if one.run == run and one.step.name == piece.step]
        repairs = 0
        for one in piece.tries:
            if one.ended_at:
                repairs += yield from self._ended(of_step, piece, one)
        if piece.index is None and piece.state is not None and over(piece.state):
            of_step = [one for one in self.rows.of_job[job.id] if one.run == run and one.step.name == piece.step]
            repairs += yield from self._untaken(of_step, piece.state, piece.failure_kind)
        return repairs

    def settle(self, report: ExecutionReport) -> Act[int]:
        found = self._run_of(report.name)
        if found is None or report.state in {"RUNNING", "UNKNOWN"}:
            return 0
        job, run = found
        of_run = [one for one in self.rows.of_job[job.id] if one.run == run]
        return (yield from self._untaken(of_run, _LEFT.get(report.state, "FAILED"), None, is_last=True))

    def _ended(self, of_step: Iterable[Attempt], piece: Piece, one: Try) -> Act[int]:
        holder = container_holder(piece.ref, one.number)
        held = [(it.id, it.fence) for it in of_step if it.is_live and it.leased_by == holder]
        is_known = one.state != "SUCCEEDED"
        repairs = 0
        for attempt, fence in held:
            state = one.state if is_known else "FAILED"
            kind = _kind(state, one.failure_kind if is_known else None)
            repairs += yield from self.record(Said(attempt, state, fence, kind, one.exit_code))
        return repairs

    def _untaken(self, attempts: Iterable[Attempt], state: str, kind: str | None, *, is_last: bool = False) -> Act[int]:
        ended = state if state != "SUCCEEDED" else "FAILED"
        waiting = [(one.id, one.fence) for one in attempts if one.state == "QUEUED"]
        repairs = 0
        for attempt, fence in waiting:
            repairs += yield from self.record(Said(attempt, ended, fence, _kind(ended, kind), is_last=is_last))
        return repairs


def _kind(state: str, kind: str | None) -> str:
    return "" if state == "CANCELED" else kind or "PLATFORM"


def _without_source(job: Job, step: Step) -> set[int]:
    spec = job.shape.by_name[step.name]
    if not (spec.for_each and spec.needs):
        return set()
    needed = [job.steps[name] for name in spec.needs if job.shape.by_name[name].for_each]
    return {item.index for one in needed for item in one.items.values() if item.state != "SUCCEEDED"}


def _why(step: Step) -> str:
    failed = sorted((item for item in step.items.values() if item.state in LOST), key=lambda item: item.index)
    if not failed:
        return "PLATFORM"
    if step.total == 1:
        return failed[0].failure_kind
    kinds = [item.failure_kind for item in failed]
    return max(kinds, key=kinds.count)
