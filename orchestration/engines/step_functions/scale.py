"""How many files a day go through one account and Region, and at which rates of its calls.

Many files wait together and go as one run, an array job for each step: what AWS counts is then runs, whose rate is
ours to choose, and a run grows with the load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.engines.step_functions.manifest import children, items_per_child
from orchestration.engines.step_functions.quotas import (
    ARRAY_CHILDREN,
    OUR_SHARE,
    SUBMIT_JOB,
    start_execution,
)

if TYPE_CHECKING:
    from decimal import Decimal

    from orchestration.cost.table import PriceTable

DAY_S: Final = 86_400
HOUR_S: Final = 3_600
MOST_RUNS_A_SECOND: Final = 5.0
"""Of ours, whatever else the quotas would allow: each is an execution that costs money for its transitions."""
TOLD_OF_A_JOB: Final = 2
"""Events of a Batch job that we take from the queue: it runs, it has ended."""


@dataclass(frozen=True, slots=True)
class Load:
    """`seconds` is how long one file takes in one step, on one vCPU."""

    files_a_day: int
    steps: int
    seconds: float

    @property
    def files_a_second(self) -> float:
        return self.files_a_day / DAY_S

    @property
    def vcpus(self) -> float:
        """Busy all day."""
        return self.files_a_second * self.steps * self.seconds


@dataclass(frozen=True, slots=True)
class Rates:
    """A second, on average over the day, unless the name says otherwise."""

    runs: float
    files_a_run: float
    submissions: float
    transitions: float
    children: float
    events: float
    transitions_a_day: int

    def usd_a_day(self, prices: PriceTable) -> Decimal:
        """Of the state machine; what the machines cost is in `orchestration.cost`."""
        return self.transitions_a_day * prices.prices["state_transition"].value


def transitions(steps: int) -> int:
    """Of a run whose steps come one after the other: into it and out of it, and four for each step.

    Before each stage and after the last it is asked whether there are more; a stage, its step's mode, its submission.
    """
    return 1 + (steps + 1) + steps + 2 * steps + 1


def runs_a_second(steps: int, region: str) -> float:
    """As many as leave half of every quota to others. Each step of a run is one submission, sooner or later."""
    starts = OUR_SHARE * start_execution(region).per_second
    submissions = OUR_SHARE * SUBMIT_JOB.per_second / steps
    return min(starts, submissions, MOST_RUNS_A_SECOND)


def most_files(seconds: float) -> int:
    """In one run: a full array of children, each with as many files as are worth a start."""
    return ARRAY_CHILDREN.most * items_per_child(1, seconds_per_item=seconds)


def coalesced(load: Load, region: str) -> Rates:
    """With files gathered into runs."""
    return _rates(load, min(runs_a_second(load.steps, region), load.files_a_second))


def one_by_one(load: Load) -> Rates:
    """With a run for each file: what the quotas forbid."""
    return _rates(load, load.files_a_second)


def _rates(load: Load, runs: float) -> Rates:
    files = load.files_a_second / runs
    pieces = children(math.ceil(files), items_per_child(math.ceil(files), seconds_per_item=load.seconds)) * load.steps
    each = transitions(load.steps)
    return Rates(
        runs=runs,
        files_a_run=files,
        submissions=runs * load.steps,
        transitions=runs * each,
        children=runs * pieces,
        events=runs * (pieces * TOLD_OF_A_JOB),
        transitions_a_day=round(runs * DAY_S) * each,
    )
