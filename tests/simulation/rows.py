"""Rows in memory, with the compare-and-set of the product's tables. A broken constraint is a find."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.states import ATTEMPT_FINISHED, ATTEMPT_MOVES, FINISHED, JOB_FINISHED, JOB_MOVES, WORK_MOVES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.simulation.shapes import Shape


class Violation(AssertionError):
    """Something happened that must never happen."""


@dataclass(slots=True, eq=False)
class Execution:
    name: str
    settled_at: float | None = None
    stop_asked_at: float | None = None
    stop_tried_at: float | None = None
    stop_heard_at: float | None = None


@dataclass(slots=True, eq=False)
class Item:
    index: int
    state: str = "WAITING"
    failure_kind: str = ""


@dataclass(slots=True, eq=False)
class Step:
    name: str
    total: int
    state: str = "WAITING"
    run: int = 1
    failure_kind: str = ""
    items: dict[int, Item] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Job:
    id: str
    shape: Shape
    steps: dict[str, Step]
    state: str = "WAITING"
    run: int = 1
    failure_kind: str = ""
    cancel_requested_at: float | None = None
    execution: Execution | None = None
    claimed_at: float | None = None
    hand_over_tries: int = 0
    next_try_at: float | None = None
    queued_at: float | None = None
    waiting_reason: str = ""
    since: float = 0.0
    """When it came to its state: for the oracle, no column."""

    @property
    def is_finished(self) -> bool:
        return self.state in JOB_FINISHED

    @property
    def execution_name(self) -> str:
        return f"{self.id}-r{self.run}"


@dataclass(slots=True, eq=False)
class Attempt:
    id: str
    job: Job
    step: Step
    item: Item
    run: int
    number: int
    available_at: float
    state: str = "QUEUED"
    fence: int = 0
    leased_by: str = ""
    lease_until: float = 0.0
    failure_kind: str = ""
    exit_code: int | None = None

    @property
    def is_live(self) -> bool:
        return self.state in {"STARTING", "RUNNING"}

    @property
    def is_finished(self) -> bool:
        return self.state in ATTEMPT_FINISHED


type Event = tuple[str, str, str, int | None, str, str]
"""Job, kind, step, item, old, new."""


class Rows:
    def __init__(self, clock: Callable[[], float]) -> None:
        self.now = clock
        self.jobs: dict[str, Job] = {}
        self.attempts: dict[str, Attempt] = {}
        self.of_job: dict[str, list[Attempt]] = defaultdict(list)
        self.executions: dict[str, Execution] = {}
        self.events: list[Event] = []
        self.said: Callable[[str], None] = lambda _: None
        self.ended: Callable[[Job], None] = lambda _: None

    def add_attempt(self, job: Job, step: Step, item: Item, *, number: int = 1, delay: float = 0.0) -> None:
        of_item = [one for one in self.of_job[job.id] if one.item is item]
        if any(not one.is_finished for one in of_item):
            raise Violation(f"two open attempts of {step.name}[{item.index}]")
        if any((one.run, one.number) == (job.run, number) for one in of_item):
            raise Violation(f"attempt {number} of run {job.run} of {step.name}[{item.index}] exists twice")
        name = f"{job.id[:8]}/{step.name}[{item.index}]r{job.run}#{number}"
        attempt = Attempt(name, job, step, item, job.run, number, self.now() + delay)
        self.attempts[name] = attempt
        self.of_job[job.id].append(attempt)

    def open_attempts(self, job: Job) -> Iterator[Attempt]:
        return (one for one in self.of_job[job.id] if not one.is_finished)

    def job_moves(self, job: Job, to: str, *, kind: str = "", old: str | None = None) -> bool:
        """`old` is the state that the caller has read; False: somebody else moved it first."""
        if not self._swap(job, to, JOB_MOVES, old):
            return False
        job.failure_kind, job.since = kind, self.now()
        if to != "WAITING":
            job.waiting_reason = ""
        if job.is_finished:
            self.ended(job)
        return True

    def step_moves(self, job: Job, step: Step, to: str, *, kind: str = "") -> None:
        old = step.state
        self._swap(step, to, WORK_MOVES, old)
        step.failure_kind = kind
        self.note(job, "step", step=step.name, old=old, new=to)

    def item_moves(self, item: Item, to: str, *, kind: str = "") -> None:
        self._swap(item, to, WORK_MOVES, item.state)
        item.failure_kind = kind

    def attempt_moves(self, attempt: Attempt, to: str) -> None:
        self._swap(attempt, to, ATTEMPT_MOVES, attempt.state)

    def _swap(
        self, row: Job | Step | Item | Attempt, to: str, moves: Mapping[str, frozenset[str]], old: str | None
    ) -> bool:
        seen = row.state if old is None else old
        if to not in moves[seen]:
            raise Violation(f"{type(row).__name__} would go from {seen} to {to}")
        if row.state != seen:
            return False
        row.state = to
        if isinstance(row, Job):
            self.note(row, "job", old=seen, new=to)
        return True

    def note(
        self, job: Job, kind: str, *, step: str = "", item: int | None = None, old: str = "", new: str = ""
    ) -> None:
        self.events.append((job.execution_name, kind, step, item, old, new))
        self.said(f"{job.id[:4]} r{job.run} {kind} {step}{'' if item is None else [item]} {old} → {new}")

    def note_attempt(self, attempt: Attempt, old: str, new: str) -> None:
        self.events.append((attempt.id, "attempt", attempt.step.name, attempt.item.index, old, new))
        self.said(f"{attempt.id} {old} → {new} (fence {attempt.fence}, {attempt.leased_by})")


def over(state: str) -> bool:
    return state in FINISHED
