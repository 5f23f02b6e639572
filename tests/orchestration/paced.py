"""An engine that may be asked only so often, and that throttles whoever asks more: with buckets of its own."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from orchestration.engines.base import Allowance, Capacity, Pace, Report
from orchestration.errors import EngineBusy
from orchestration.execution import dispatch as dispatching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from orchestration.engines.base import ExecutionSpec
    from tests.orchestration.clock import Clock

STARTS = Allowance("test/starts", per_second=20, burst=20, each_start=1, says="Waiting for the test: starts.")
STEPS = Allowance("test/steps", per_second=10, burst=10, each_step=1, says="Waiting for the test: steps.")


@dataclass(slots=True)
class Bucket:
    """A real one, in the clock's time."""

    burst: float
    per_second: float
    tokens: float
    at: float = 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens < 1 - 1e-6:  # what two clocks round differently
            return False
        self.tokens -= 1
        return True


@dataclass
class PacedEngine:
    is_elsewhere = False
    """`starts` has, by name, how often an execution was asked for and got; `faults` are raised first, one each."""

    in_time_of: Clock | None = None
    pace: Pace = field(default_factory=lambda: Pace((STARTS, STEPS)))
    bucket: Bucket | None = None
    starts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    order: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    throttled: int = 0
    faults: Iterator[Exception | None] = field(default_factory=lambda: iter(()))
    meanwhile: Callable[[ExecutionSpec], object] = lambda _: None

    @property
    def clock(self) -> Clock:
        assert self.in_time_of
        return self.in_time_of

    def start(self, spec: ExecutionSpec) -> str:
        self.meanwhile(spec)
        if fault := next(self.faults, None):
            raise fault
        now = self.in_time_of.ahead.total_seconds() if self.in_time_of else 0.0
        if self.bucket and not self.bucket.take(now):
            self.throttled += 1
            raise EngineBusy("Waiting for the test. It is asked too often.")
        self.starts[spec.name] += 1
        self.order.append(spec.name)
        self.times.append(now)
        return spec.name

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        raise NotImplementedError

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        raise NotImplementedError

    def capacity(self) -> Capacity:
        raise NotImplementedError


@pytest.fixture
def paced(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> PacedEngine:
    clock.stop()
    engine = PacedEngine(clock)
    monkeypatch.setattr(dispatching, "get_engine", lambda _name: engine)
    return engine
