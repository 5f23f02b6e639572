"""Steps that try spot machines first: their Batch jobs, and what is told to the one that goes on elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from orchestration.engines.step_functions.compile import compile_plan, submit_arguments
from orchestration.engines.step_functions.definition import on_demand_strategy, spot_strategy
from orchestration.engines.step_functions.pieces import piece_of
from orchestration.engines.step_functions.plan import FanOut, OnDemand, StepPlan
from orchestration.engines.step_functions.work import plan_of
from orchestration.engines.step_tokens import VARIABLE, read_step_token
from orchestration.spec.model import Localised, RetryPolicy, Spot, StepSpec
from orchestration.states import AttemptState
from tests.engines.cloud import spec_of
from tests.engines.plans import JOB, QUEUE, RETRY, plan, step
from tests.engines.stepping import FOR_EVER, MACHINE, ScriptedBatch, execute
from tests.factories import make_file, make_job, publish_pipeline

if TYPE_CHECKING:
    from orchestration.engines.step_functions.definitions import Definitions
    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

SPOT_QUEUE: Final = f"{QUEUE}-spot"
THEN: Final = OnDemand(QUEUE, replace(RETRY, attempts=4), 90_000, {"TOKEN": "of the rest"})
NAME: Final = f"{JOB}-r1-convert"


def on_spot(**fields: Any) -> StepPlan:
    usual: dict[str, Any] = {"queue": SPOT_QUEUE, "environment": {"TOKEN": "of a slice"}, "on_demand": THEN}
    return step("convert", **usual | fields)


def run(*steps: StepPlan, **script: Any) -> tuple[str, list[dict[str, Any]], list[str]]:
    batch = ScriptedBatch(**script)
    ended = execute(compile_plan(plan(*steps)).input, batch)
    return ended.status, batch.submitted, ended.entered


def places(submitted: list[dict[str, Any]]) -> list[tuple[str, str, Any]]:
    return [(job["jobName"], job["jobQueue"], job.get("arrayProperties", {}).get("size")) for job in submitted]


def test_step_that_is_not_interrupted_never_leaves_its_spot_machine() -> None:
    status, submitted, _ = run(on_spot(), step("report", "convert"))
    assert status == "SUCCEEDED"
    assert places(submitted) == [(f"{NAME}-SPOT", SPOT_QUEUE, None), (f"{JOB}-r1-report", QUEUE, None)]


@pytest.mark.parametrize(("failed", "size"), [(7, 7), (2, 2), (1, None)])
def test_what_an_array_leaves_goes_on_in_one_of_as_many_children_as_failed(failed: int, size: int | None) -> None:
    many = on_spot(fan_out=FanOut(70, per_child=10))
    status, submitted, _ = run(many, step("report", "convert"), failures={"SPOT": failed})
    assert status == "SUCCEEDED"
    assert places(submitted) == [
        (f"{NAME}-SPOT", SPOT_QUEUE, 7),
        (NAME, QUEUE, size),
        (f"{JOB}-r1-report", QUEUE, None),
    ]
    spot, then = submitted[:2]
    assert (spot["retryStrategy"]["attempts"], then["retryStrategy"]["attempts"]) == (3, 4)
    tokens = [
        {e["name"]: e["value"] for e in job["containerOverrides"]["environment"]}["TOKEN"] for job in (spot, then)
    ]
    assert tokens == ["of a slice", "of the rest"]
    same = {"containerOverrides", "retryStrategy", "jobName", "jobQueue", "arrayProperties"}
    assert {k: v for k, v in spot.items() if k not in same} == {k: v for k, v in then.items() if k not in same}


def test_single_job_goes_on_as_a_single_job() -> None:
    status, submitted, _ = run(on_spot(), failures={"SPOT": 0})
    assert status == "SUCCEEDED"
    assert places(submitted) == [(f"{NAME}-SPOT", SPOT_QUEUE, None), (NAME, QUEUE, None)]


def test_spot_machines_that_never_come_are_given_up_for_others() -> None:
    data = compile_plan(plan(on_spot(fan_out=FanOut(5)))).input
    data["stages"][0]["steps"][0]["task_timeout_seconds"] = 1
    batch = ScriptedBatch(failures={"SPOT": FOR_EVER})
    ended = execute(data, batch)
    assert ended.status == "SUCCEEDED"
    assert places(batch.submitted) == [(f"{NAME}-SPOT", SPOT_QUEUE, 5), (NAME, QUEUE, 5)]


def test_failure_elsewhere_is_a_failure_and_leaves_the_execution_one_that_can_be_redriven() -> None:
    status, submitted, entered = run(on_spot(), step("report", "convert"), failures={"SPOT": 0, "convert": 0})
    assert status == "FAILED"
    assert len(submitted) == 2
    assert "Failed" not in entered


def test_tolerant_step_stays_tolerant_elsewhere() -> None:
    steps = (on_spot(), step("other"), step("after", "other"), step("report", "convert"))
    status, submitted, _ = run(*steps, failures={"SPOT": 0, "convert": 0})
    assert status == "FAILED"
    assert {job["jobName"] for job in submitted} == {
        f"{JOB}-r1-{name}" for name in ("convert-SPOT", "convert", "other", "after")
    }


def test_all_ways_to_submit_are_one() -> None:
    states = json.loads(MACHINE.read_text())["States"]["RunStage"]["ItemProcessor"]["States"]
    spot, tolerant = states["SubmitSpot"], states["SubmitTolerant"]
    assert spot.keys() == tolerant.keys()
    assert [key for key in spot if spot[key] != tolerant[key]] == ["Comment", "Catch"]
    (caught,) = spot["Catch"]
    assert caught["Next"] == "StepMode", "never to a Fail state: an execution that ends there cannot be redriven"


def test_request_for_the_rest_is_within_what_batch_takes() -> None:
    data = compile_plan(plan(on_spot(fan_out=FanOut(5)))).input
    (compiled,) = data["stages"][0]["steps"]
    then = submit_arguments(data, compiled | compiled["on_demand"])
    assert (then["JobName"], then["JobQueue"]) == (NAME, QUEUE)


@pytest.mark.parametrize(("name", "followed"), [(f"{NAME}-SPOT", True), (NAME, False)])
def test_job_on_spot_machines_is_told_apart_by_its_name(name: str, followed: bool) -> None:  # noqa: FBT001
    piece = piece_of({"jobId": "j", "jobName": name, "status": "RUNNING"}, log_group="g")
    assert (piece.execution, piece.step, piece.is_followed) == (f"{JOB}-r1", "convert", followed)
    assert piece.state == AttemptState.RUNNING


SPOT: Final = """\
pipeline: cheap
version: 1.0.0
title: Cheap first
steps:
  - name: each
    for_each: input
    command: [a]
    retry: {attempts: 1}
    spot: {attempts: 2}
  - {name: train, command: [b], spot: {attempts: 2}, resources: {gpu: 1}}
  - {name: last, needs: [each], command: [c]}
"""


@pytest.fixture
def planned(cloud: Cloud, owner: User, lab: Workspace) -> dict[str, tuple[StepPlan, StepPlan]]:
    """Each step with a queue of spot machines, and without one."""
    job = make_job(owner, lab, publish_pipeline(SPOT), [make_file(lab, owner), make_file(lab, owner)], state="QUEUED")
    definitions: Definitions = cloud.engine._definitions
    cells = (replace(cloud.cell, spot_queue=SPOT_QUEUE), cloud.cell)
    with_spot, without = (plan_of(spec_of(job), cell=cell, definitions=definitions).steps for cell in cells)
    return {one.name: (one, other) for one, other in zip(with_spot, without, strict=True)}


@pytest.mark.django_db
def test_step_that_asks_for_spot_machines_goes_there_and_then_elsewhere(
    planned: dict[str, tuple[StepPlan, StepPlan]], cloud: Cloud
) -> None:
    each, plain = planned["each"]
    assert each.on_demand is not None
    assert (each.queue, each.retry.attempts) == (SPOT_QUEUE, 2)
    assert each.retry.rules[0].action == "RETRY"
    assert (each.on_demand.queue, each.on_demand.retry.attempts) == (cloud.cell.queue, 2)
    rights = [read_step_token(environment[VARIABLE]) for environment in (each.environment, each.on_demand.environment)]
    assert [(right.place, right.per_child) for right in rights] == [("spot", 1), ("rest", 1)]
    assert (plain.queue, plain.on_demand, plain.retry.attempts) == (cloud.cell.queue, None, 2)
    assert read_step_token(plain.environment[VARIABLE]).place == ""


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["train", "last"])
def test_others_do_not(planned: dict[str, tuple[StepPlan, StepPlan]], name: str) -> None:
    one, other = planned[name]
    assert one == other
    assert one.on_demand is None


def step_spec(on: tuple[str, ...]) -> StepSpec:
    return StepSpec("a", Localised({}), ("true",), retry=RetryPolicy(on=on), spot=Spot(2))


def test_machine_that_goes_away_is_replaced_whatever_else_is_tried_again() -> None:
    """It may have gone after its last item had ended: what is left to do the claim says."""
    never = step_spec(on=())
    for strategy in (spot_strategy(never, 2), on_demand_strategy(never)):
        assert strategy.rules[0].action == "RETRY"
        assert strategy.attempts >= 2
