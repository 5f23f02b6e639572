"""Two thousand simulated histories of jobs on AWS, and the proof that each kind of fault was among them."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.simulation.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = 8
"""So that workers of pytest-xdist share them out."""
WORLDS = 250
FAULTS = (
    "kill",
    "slow",
    "event lost",
    "event doubled",
    "event late",
    "best effort",
    "runner's word lost",
    "consumer away",
    "dispatcher away",
    "reconciler away",
    "aws away",
    "events away",
    "StartExecution throttled",
    "StartExecution broken",
    "StartExecution never arrives",
    "answer to StartExecution lost",
    "StopExecution throttled",
    "DescribeExecution throttled",
    "DescribeJobs throttled",
    "ListJobs throttled",
    "SubmitJob throttled",
    "SubmitJob twice",
    "machine gone",
    "no image",
    "no room",
    "cancel",
    "retry",
    "repairs",
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """The simulated AWS refuses thousands of times, and each is logged."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_is_lost_and_nothing_runs_twice(part: int) -> None:
    hits: Counter[str] = Counter()
    for seed in range(part * WORLDS, (part + 1) * WORLDS):
        outcome = History(seed).run()
        hits += outcome.hits
        assert not outcome.trouble, f"world {seed}: {outcome.trouble}; see python -m tests.simulation --seed {seed}"
    missing = [fault for fault in FAULTS if not hits[fault]]
    assert not missing, f"faults that never struck prove nothing: {missing}"


def test_world_is_the_same_whenever_it_is_made() -> None:
    first, second = (History(7, tells=True).run() for _ in range(2))
    assert first.trace == second.trace
    assert len(first.trace) > 20
    assert first.hits == second.hits
