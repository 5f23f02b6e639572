"""A container of Batch with the runner in it: claims, works, reports, and loses words on the way to the platform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from orchestration.engines.step_functions.plan import PATIENCE_S
from orchestration.errors import AttemptFenced, WorkNotReady
from orchestration.runner.container import AGAIN, CODES
from tests.simulation.rows import Violation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.simulation.batch import Batch, BatchJob
    from tests.simulation.claims import Claims, Given, Right
    from tests.simulation.world import World

HEARTBEAT_S: Final = 10.0
ENDS: Final = (
    *[("succeeded", "", False)] * 14,
    ("failed", "USER_CODE", False),
    ("failed", "USER_CODE", True),  # exit code 75
    ("failed", "INPUT", False),
    ("failed", "PLATFORM", False),
)

type Steps[T] = Generator[float, None, T]


class Silent(Exception):
    """The platform has not answered for longer than a runner's patience."""


@dataclass(slots=True, eq=False)
class Container:
    world: World
    platform: Claims
    batch: Batch
    at_work: dict[str, Container]
    job: BatchJob
    run: int
    right: Right
    number: int
    is_told_to_stop: bool = False
    is_gone: bool = False
    holds: str = ""

    def start(self) -> None:
        self._go(self._slice())

    def _go(self, steps: Steps[int]) -> None:
        if self.is_gone:
            return
        try:
            self.world.at(next(steps), self._go, steps)
        except StopIteration as end:
            self._exits(end.value)
        except (AttemptFenced, Silent):
            self._exits(AGAIN)

    def _exits(self, code: int) -> None:
        self.gone()
        self.batch.exits(self.job, self.run, code=code)

    def gone(self) -> None:
        self.is_gone = True
        if self.holds:
            self.at_work.pop(self.holds, None)

    # -- the runner ------------------------------------------------------------------------------------------------

    def _slice(self) -> Steps[int]:
        done = 0
        while True:
            if self.is_told_to_stop:
                return AGAIN
            child = self.job.index or 0
            given: Given = yield from self._ask(
                partial(self.platform.claim, self.right, self.job.id, self.number, child, done)
            )
            done = given.done
            if not given.attempt:
                return CODES[given.end]
            yield from self._attempt(given)

    def _attempt(self, given: Given) -> Steps[None]:
        yield from self._ask(lambda: self.platform.begin(given.attempt, given.fence))
        if given.attempt in self.at_work:
            raise Violation(f"{given.attempt} is run twice at once")
        self.at_work[given.attempt], self.holds = self, given.attempt
        outcome, kind, retry = yield from self._work(given)
        yield from self._ask(lambda: self.platform.finish(given.attempt, given.fence, outcome, kind, retry=retry))
        del self.at_work[given.attempt]
        self.holds = ""

    def _work(self, given: Given) -> Steps[tuple[str, str, bool]]:
        rng = self.world.rng
        left = rng.choice([0.2, 3.0, 15.0, 60.0]) if rng.random() < 0.95 else 600.0
        while left > 0:
            if self.is_told_to_stop:
                return "canceled", "", False
            yield min(left, HEARTBEAT_S)
            left -= HEARTBEAT_S
            if not self._is_cut_off() and self.platform.heartbeat(given.attempt, given.fence):
                return "canceled", "", False
        return rng.choice(ENDS)

    def _is_cut_off(self) -> bool:
        return self.world.strikes("runner's word lost", self.world.chaos.lost)

    def _ask(self, make: Callable[[], Any]) -> Steps[Any]:
        """Until there is an answer: the same question again after each silence, as the runner does."""
        world, patience = self.world, self.world.now + PATIENCE_S
        while world.now < patience:
            if self.is_told_to_stop and not self.holds:
                raise Silent
            try:
                is_answered, answer = (False, None) if self._is_cut_off() else (yield from self._served(make()))
            except WorkNotReady:
                is_answered = False
            if is_answered and not self._is_cut_off():
                return answer
            yield world.rng.uniform(1, 15)
        raise Silent

    def _served(self, act: Generator[str, None, Any]) -> Steps[tuple[bool, Any]]:
        """By a process of the platform, which may be killed over it."""
        while True:
            try:
                point = next(act)
            except StopIteration as end:
                return True, end.value
            delay = self.world.fate_at(f"web for {self.job.id}#{self.number}", point)
            if delay is None:
                act.close()
                return False, None
            if delay:
                yield min(delay, 5.0)
