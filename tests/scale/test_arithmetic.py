"""The arithmetic of many files: what a run costs of each quota, and how large runs become."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import pytest

from orchestration.cost.table import PACKAGED, load
from orchestration.engines.step_functions import quotas
from orchestration.engines.step_functions.compile import compile_plan
from orchestration.engines.step_functions.manifest import items_per_child
from orchestration.engines.step_functions.quotas import Limit, Quota
from orchestration.engines.step_functions.scale import (
    Load,
    coalesced,
    most_files,
    one_by_one,
    runs_a_second,
    transitions,
)
from tests.engines.plans import plan, step
from tests.engines.stepping import ScriptedBatch, execute

TEN_MILLION: Final = Load(files_a_day=10_000_000, steps=4, seconds=5)


@pytest.mark.parametrize("steps", [1, 4])
def test_transitions_are_those_that_the_machine_really_makes(steps: int) -> None:
    names = [f"step{n}" for n in range(steps)]
    chain = [step(name, *names[:n][-1:]) for n, name in enumerate(names)]
    given: dict[str, Any] = compile_plan(plan(*chain)).input

    assert len(execute(given, ScriptedBatch()).entered) == transitions(steps)


def test_ten_million_files_as_runs_of_many_are_far_below_every_quota() -> None:
    rates = coalesced(TEN_MILLION, "sa-east-1")

    assert rates.runs == 5
    assert rates.files_a_run == pytest.approx(23.1, abs=0.1)
    assert rates.submissions == 20 <= quotas.OUR_SHARE * quotas.SUBMIT_JOB.per_second
    assert rates.transitions == 95 <= quotas.OUR_SHARE * quotas.STATE_TRANSITION.per_second
    assert rates.events * 3 <= quotas.EVENTS.per_second
    assert rates.usd_a_day(load(PACKAGED)) == Decimal("205.2")


def test_ten_million_files_one_by_one_are_impossible() -> None:
    rates = one_by_one(TEN_MILLION)

    assert rates.submissions / quotas.SUBMIT_JOB.per_second == pytest.approx(9.26, abs=0.01)
    assert rates.transitions > quotas.STATE_TRANSITION.per_second
    assert rates.usd_a_day(load(PACKAGED)) == pytest.approx(Decimal(4750), abs=1)


@pytest.mark.parametrize(("steps", "runs"), [(1, 5), (4, 5), (5, 5), (10, 2.5), (100, 0.25)])
def test_pipelines_of_many_steps_start_fewer_runs(steps: int, runs: float) -> None:
    assert runs_a_second(steps, "sa-east-1") == runs


def test_few_files_are_runs_of_one() -> None:
    rates = coalesced(Load(files_a_day=1_000, steps=4, seconds=5), "eu-west-1")

    assert rates.files_a_run == pytest.approx(1)
    assert rates.runs < 0.02


@pytest.mark.parametrize(("seconds", "files"), [(5, 36), (0.1, 500), (60, 3), (1_000, 1)])
def test_child_has_as_many_files_as_are_worth_a_start(seconds: float, files: int) -> None:
    assert items_per_child(1, seconds_per_item=seconds) == files
    assert most_files(seconds) == 10_000 * files


def test_machines_are_what_is_left_to_want() -> None:
    assert TEN_MILLION.vcpus == pytest.approx(2_315, abs=1)


def test_every_quota_says_where_aws_says_so() -> None:
    found = [one for one in vars(quotas).values() if isinstance(one, Quota | Limit)]

    assert len(found) >= 10
    assert all(re.fullmatch(r"https://docs\.aws\.amazon\.com/\S+\.html", one.source) for one in found)
