"""Ten million files a day on one account with AWS's own quotas: done within the day, each once, nothing throttled."""

from __future__ import annotations

import random
from typing import Final

import pytest

from orchestration.engines.step_functions.quotas import OUR_SHARE
from orchestration.engines.step_functions.scale import DAY_S, Load, coalesced, runs_a_second
from tests.scale.account import Account, Bucket, Duplicate, Machines, Throttled
from tests.scale.day import PEAK, Day, Group, Run

SMALL_REGION: Final = "sa-east-1"
TEN_MILLION: Final = Load(files_a_day=10_000_000, steps=4, seconds=5)


def a_day(load: Load = TEN_MILLION, *, runs: float = 0, vcpus: int = 0, groups: int = 20, lost: float = 0.01) -> Day:
    processors = vcpus or round(load.vcpus * PEAK * 1.05)
    return Day(
        load=load,
        account=Account(SMALL_REGION, Machines(processors)),
        groups=[Group() for _ in range(groups)],
        runs_a_second=runs or runs_a_second(load.steps, SMALL_REGION),
        lost_replies=lost,
    )


def test_ten_million_files_are_done_within_the_day_each_once_and_nothing_is_throttled() -> None:
    day = a_day()
    day.live()

    assert day.check_each_once() == 10_000_000
    assert day.last_done_s < DAY_S
    assert not day.account.open_executions
    assert len(day.account.known) == day.runs, "a start that is repeated begins nothing"
    assert day.adopted > 1_000
    for bucket in (day.account.submissions, day.account.starts, day.account.transitions):
        assert bucket.taken / DAY_S <= OUR_SHARE * bucket.quota.per_second
    paper = coalesced(TEN_MILLION, SMALL_REGION)
    assert day.runs <= paper.runs * DAY_S
    assert day.account.submissions.taken == day.runs * TEN_MILLION.steps
    # Runs are larger at the peak, with more children than one of the mean has.
    assert paper.events <= day.account.events.taken / DAY_S <= 1.25 * paper.events


def test_with_too_few_machines_files_wait_and_nothing_is_throttled_or_lost() -> None:
    load = Load(files_a_day=1_000_000, steps=2, seconds=5)
    day = a_day(load, runs=0.5, vcpus=round(load.vcpus / 2))
    day.live()

    done = day.check_each_once()
    under_way = sum(run.files for _, _, run in day.due)
    assert 200_000 < done < 600_000
    assert done + under_way == load.files_a_day


def test_more_runs_than_half_of_the_quota_come_to_be_throttled() -> None:
    with pytest.raises(Throttled, match="SubmitJob"):
        a_day(runs=50 / TEN_MILLION.steps + 1).live()


def test_run_for_each_file_is_throttled_at_once() -> None:
    day = a_day(runs=TEN_MILLION.files_a_second, groups=200)
    with pytest.raises(Throttled, match="SubmitJob"):
        day.live()
    assert day.runs < 1_000


def test_file_that_is_done_twice_or_never_is_noticed() -> None:
    twice = a_day()
    twice.groups[0].begun, twice.groups[0].finished = 20, [(0, 10), (5, 20)]
    with pytest.raises(Duplicate):
        twice.check_each_once()
    never = a_day()
    for finished in ([(0, 10), (11, 20)], [(0, 10)]):
        never.groups[0].begun, never.groups[0].finished = 20, finished
        with pytest.raises(Duplicate):
            never.check_each_once()


def test_execution_that_ends_twice_is_noticed() -> None:
    day = a_day()
    run = Run("g0-0", 0, 0, 1)
    day.account.start(0, run.name)
    day.account.end(0, run.name)

    with pytest.raises(Duplicate):
        day.account.end(0, run.name)


def test_bucket_of_the_stand_in_gives_what_its_quota_says_and_no_more() -> None:
    bucket = Bucket(Account(SMALL_REGION, Machines(1)).submissions.quota)
    bucket.take(0, 50)
    with pytest.raises(Throttled):
        bucket.take(0.01)
    bucket = Bucket(bucket.quota)
    dice, now = random.Random(0), 0.0
    for _ in range(10_000):
        now += dice.uniform(0.02, 0.04)
        bucket.take(now)
    assert bucket.taken == 10_000
