"""A virtual clock, one die, and the chaos of the first ten minutes. Nothing waits; a seed is always the same."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

RECOVERY_S: Final = 600.0
"""From here on nothing is lost, refused or killed any more; what is late may still come."""
LATE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class Chaos:
    """How likely each fault is until recovery. `away`: from when to when a part of it all does nothing."""

    drop: float = 0.0
    double: float = 0.0
    late: float = 0.0
    kill: float = 0.0
    slow: float = 0.0
    lost: float = 0.0
    throttled: float = 0.0
    broken: float = 0.0
    poison: int = 0
    away: tuple[tuple[str, float, float], ...] = ()

    @classmethod
    def drawn(cls, rng: random.Random) -> Chaos:
        def some(*values: float) -> float:
            return rng.choice(values)

        parts = rng.sample(["dispatcher", "consumer", "reconciler", "aws", "events"], rng.choice([0, 0, 1, 2]))
        begins = [rng.uniform(0, RECOVERY_S * 0.8) for _ in parts]
        return cls(
            drop=some(0, 0.1, 0.3, 0.3, 1.0),
            double=some(0, 0.2, 0.5),
            late=some(0, 0.05, 0.3),
            kill=some(0, 0.02, 0.1),
            slow=some(0, 0.05, 0.2),
            lost=some(0, 0.05, 0.2),
            throttled=some(0, 0.1, 0.4),
            broken=some(0, 0.05, 0.2),
            poison=rng.choice([0, 0, 0, 2]),
            away=tuple(
                (part, at, min(RECOVERY_S, at + rng.uniform(10, 400))) for part, at in zip(parts, begins, strict=True)
            ),
        )


class World:
    def __init__(self, seed: int, chaos: Chaos | None = None, *, tells: bool = False) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.chaos = Chaos.drawn(self.rng) if chaos is None else chaos
        self.hits: Counter[str] = Counter()
        self.trace: list[str] = []
        self._tells = tells
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._pending: Counter[bool] = Counter()

    def clock(self) -> float:
        return self.now

    def say(self, line: str) -> None:
        if self._tells:
            self.trace.append(f"{self.now:9.2f}  {line}")

    def at(self, delay: float, call: Callable[..., None], *args: Any) -> None:
        self._number += 1
        heapq.heappush(self._heap, (self.now + delay, self._number, call, args))

    def run(self, until: float) -> bool:
        """Whether all has come to rest."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until:
            self.now, _, call, args = pop(heap)
            call(*args)
        return not heap

    # -- chance ----------------------------------------------------------------------------------------------------

    @property
    def is_calm(self) -> bool:
        return self.now >= RECOVERY_S

    def strikes(self, fault: str, chance: float) -> bool:
        """A fault of the chaos, counted."""
        if not chance or self.now >= RECOVERY_S or self.rng.random() >= chance:
            return False
        self.hits[fault] += 1
        return True

    def befalls(self, what: str, chance: float) -> bool:
        """What happens on any day."""
        if self.rng.random() >= chance:
            return False
        self.hits[what] += 1
        return True

    def is_away(self, part: str) -> bool:
        for name, begin, end in self.chaos.away:
            if name == part and begin <= self.now < end:
                self.hits[f"{part} away"] += 1
                return True
        return False

    # -- processes -------------------------------------------------------------------------------------------------

    def spawn(self, who: str, act: Generator[str, None, Any], after: Callable[[bool], None] | None = None) -> None:
        """Run an act of the platform; `after` hears whether it came to its end."""
        self._go(who, act, after)

    def _go(self, who: str, act: Generator[str, None, Any], after: Callable[[bool], None] | None) -> None:
        try:
            while True:
                delay = self.fate_at(who, next(act))
                if delay is None:
                    act.close()
                    ended = False
                    break
                if delay:
                    self.at(delay, self._go, who, act, after)
                    return
        except StopIteration:
            ended = True
        except OrchestrationError as exc:
            self.say(f"{who}: {type(exc).__name__}")
            ended = True
        if after:
            after(ended)

    def fate_at(self, who: str, point: str) -> float | None:
        """Seconds that the process is held up there; None: it is killed."""
        if self.strikes("kill", self.chaos.kill):
            self.say(f"{who} is killed at {point}")
            return None
        if self.strikes("slow", self.chaos.slow):
            delay = self.rng.choice([0.05, 1.0, 20.0, 50.0])
            self.say(f"{who} is held up at {point} for {delay} s")
            return delay
        return 0.0
