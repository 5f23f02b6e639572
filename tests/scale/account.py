"""An account of AWS in virtual time: its quotas are the real ones, and what is above them is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orchestration.engines.step_functions.quotas import (
    ARRAY_CHILDREN,
    EVENTS,
    OPEN_EXECUTIONS,
    SUBMIT_JOB,
    SUBMITTED_JOBS,
    start_execution,
    state_transition,
)

if TYPE_CHECKING:
    from orchestration.engines.step_functions.quotas import Quota


class Throttled(Exception):
    """The account asks for more a second than it may."""


class Duplicate(Exception):
    """Work that was begun is begun again."""


@dataclass(slots=True)
class Bucket:
    quota: Quota
    tokens: float = field(init=False)
    at: float = 0.0
    taken: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.quota.burst

    def take(self, now: float, number: int = 1) -> None:
        self.tokens = min(self.quota.burst, self.tokens + (now - self.at) * self.quota.per_second)
        self.at = now
        self.tokens -= number
        self.taken += number
        if self.tokens < 0:
            raise Throttled(f"{self.quota.operation}: {-self.tokens:.0f} too many at second {now:.0f}")


@dataclass(slots=True)
class Machines:
    """So many processors, which take pieces in the order in which they come."""

    vcpus: int
    free_at: float = 0.0

    def done_at(self, now: float, work_s: float, longest_s: float) -> float:
        """Of an array that asks for `work_s` seconds in all, the longest of whose children takes `longest_s`."""
        self.free_at = max(now, self.free_at) + work_s / self.vcpus
        return max(now + longest_s, self.free_at)


@dataclass(slots=True)
class Account:
    region: str
    machines: Machines
    open_executions: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    waiting_jobs: int = 0
    most_open: int = 0
    most_waiting: int = 0

    def __post_init__(self) -> None:
        self.starts = Bucket(start_execution(self.region))
        self.transitions = Bucket(state_transition(self.region))
        self.submissions = Bucket(SUBMIT_JOB)
        self.events = Bucket(EVENTS)

    starts: Bucket = field(init=False)
    transitions: Bucket = field(init=False)
    submissions: Bucket = field(init=False)
    events: Bucket = field(init=False)

    def start(self, now: float, name: str) -> bool:
        """False: it has an execution of this name already, as Step Functions says it."""
        self.starts.take(now)
        if name in self.known:
            return False
        self.known.add(name)
        self.open_executions.add(name)
        self.most_open = max(self.most_open, len(self.open_executions))
        assert self.most_open <= OPEN_EXECUTIONS.most
        self.transitions.take(now, 2)  # into Init and HasMoreStages
        return True

    def submit(self, now: float, children: int, work_s: float, longest_s: float) -> float:
        """When the array is done."""
        assert 1 <= children <= ARRAY_CHILDREN.most
        self.submissions.take(now)
        self.transitions.take(now, 4)  # RunStage, StepMode, the submission, and after it HasMoreStages
        self.waiting_jobs += children
        self.most_waiting = max(self.most_waiting, self.waiting_jobs)
        assert self.most_waiting <= SUBMITTED_JOBS.most
        return self.machines.done_at(now, work_s, longest_s)

    def step_done(self, now: float, children: int) -> None:
        self.events.take(now, 2 * children)  # it ran, it ended
        self.waiting_jobs -= children

    def end(self, now: float, name: str) -> None:
        self.transitions.take(now)
        if name not in self.open_executions:
            raise Duplicate(name)
        self.open_executions.remove(name)
