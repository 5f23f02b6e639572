"""One day of files in virtual time: they arrive, wait together, go as runs by our own token bucket, and are done."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from orchestration.engines.step_functions.manifest import children, items_per_child
from orchestration.engines.step_functions.scale import DAY_S, most_files
from tests.scale.account import Duplicate

if TYPE_CHECKING:
    from orchestration.engines.step_functions.scale import Load
    from tests.scale.account import Account

ARRIVING_S: Final = 23 * 3_600
"""What comes in the last hour of a day could not be done within it by anybody."""
PEAK_S: Final = 4 * 3_600
PEAK: Final = 3.0
PEAK_FROM: Final = 8 * 3_600


def arrived(load: Load, second: int) -> float:
    """Until then: three times the mean for four hours, evenly before and after, and all of them within the day."""
    peak = load.files_a_second * PEAK
    rest = (load.files_a_day - peak * PEAK_S) / (ARRIVING_S - PEAK_S)
    at = min(second, ARRIVING_S)
    in_peak = min(max(0, at - PEAK_FROM), PEAK_S)
    return in_peak * peak + (at - in_peak) * rest


@dataclass(slots=True)
class Run:
    """The files of one group from `first` until before `last`."""

    name: str
    group: int
    first: int
    last: int
    step: int = 0
    pieces: int = 0

    @property
    def files(self) -> int:
        return self.last - self.first


@dataclass(slots=True)
class Group:
    """Files of one workspace and version, known by their numbers in the order of their arrival."""

    begun: int = 0
    done: int = 0
    finished: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Day:
    load: Load
    account: Account
    groups: list[Group]
    runs_a_second: float
    lost_replies: float = 0.0
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    due: list[tuple[float, int, Run]] = field(default_factory=list)
    runs: int = 0
    adopted: int = 0
    last_done_s: float = 0.0
    tokens: float = 0.0
    turn: int = 0

    def live(self) -> None:
        for second in range(DAY_S):
            self._end_due(second)
            self._dispatch(second)
        self._end_due(DAY_S)

    def _dispatch(self, second: int) -> None:
        """As many runs as our bucket gives, to each group in its turn, each with all that waits there."""
        self.tokens = min(max(1.0, self.runs_a_second), self.tokens + self.runs_a_second)
        for _ in range(len(self.groups)):
            if self.tokens < 1:
                return
            number, self.turn = self.turn, (self.turn + 1) % len(self.groups)
            if run := self._gather(number, second):
                self.tokens -= 1
                self._start(run, second)

    def there(self, second: int) -> int:
        """Of each group. The last fraction of a file is one too, once nothing more comes."""
        each = arrived(self.load, second) / len(self.groups)
        return math.floor(each) if second < ARRIVING_S else round(each)

    def _gather(self, number: int, second: int) -> Run | None:
        group = self.groups[number]
        last = min(self.there(second), group.begun + most_files(self.load.seconds))
        if last <= group.begun:
            return None
        run = Run(f"g{number}-{group.begun}", number, group.begun, last)
        group.begun = last
        return run

    def _start(self, run: Run, second: int) -> None:
        """Where the answer is lost we ask once more, by the same name."""
        began = self.account.start(second, run.name)
        if self.dice.random() < self.lost_replies:
            self.adopted += not self.account.start(second, run.name)
        assert began
        self.runs += 1
        self._submit(run, second)

    def _submit(self, run: Run, now: float) -> None:
        each = items_per_child(run.files, seconds_per_item=self.load.seconds)
        run.pieces = children(run.files, each)
        work, longest = run.files * self.load.seconds, min(each, run.files) * self.load.seconds
        done = self.account.submit(now, run.pieces, work, longest)
        # Machines start when they start: ends must not come in step with begins.
        heapq.heappush(self.due, (done + self.dice.uniform(0, 30), self.runs * 10 + run.step, run))

    def _end_due(self, second: int) -> None:
        while self.due and self.due[0][0] <= second:
            now, _, run = heapq.heappop(self.due)
            self.account.step_done(now, run.pieces)
            run.step += 1
            if run.step < self.load.steps:
                self._submit(run, now)
            else:
                self._end(run, now)

    def _end(self, run: Run, now: float) -> None:
        self.account.end(now, run.name)
        group = self.groups[run.group]
        group.finished.append((run.first, run.last))
        group.done += run.files
        self.last_done_s = now

    def check_each_once(self) -> int:
        """How many files are done. Raises Duplicate where one is in two runs, or in none although it was begun."""
        under_way = [(run.group, (run.first, run.last)) for _, _, run in self.due]
        for number, group in enumerate(self.groups):
            upto = 0
            for first, last in sorted([*group.finished, *(files for of, files in under_way if of == number)]):
                if first != upto:
                    raise Duplicate(f"files {min(first, upto)} to {max(first, upto)}")
                upto = last
            if upto != group.begun:
                raise Duplicate(f"files {upto} to {group.begun}")
        return sum(group.done for group in self.groups)
