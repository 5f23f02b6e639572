"""The deployed state machine, executed: the input decides, and only Batch's word about a job counts."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from orchestration.engines.step_functions.compile import compile_plan, submit_arguments
from orchestration.engines.step_functions.plan import FanOut
from orchestration.spec.model import Resources, Tolerance
from tests.engines.plans import JOB, plan, step
from tests.engines.stepping import FOR_EVER, MACHINE, ScriptedBatch, execute

CHAIN: Final = (step("convert"), step("check", "convert"), step("report", "check"))
FORK: Final = (step("convert"), step("left", "convert"), step("right", "convert"), step("last", "left"))


def given(*steps: Any, **fields: Any) -> dict[str, Any]:
    return compile_plan(plan(*steps, **fields)).input


def outcomes(output: dict[str, Any]) -> dict[str, str]:
    return {step["step"]: step["outcome"] for step in output["steps"]}


def test_stages_run_one_after_the_other_and_steps_of_a_stage_side_by_side() -> None:
    batch = ScriptedBatch()

    ended = execute(given(*FORK), batch)

    assert ended.status == "SUCCEEDED"
    assert batch.steps[0] == "convert"
    assert set(batch.steps[1:3]) == {"left", "right"}
    assert batch.steps[3:] == ["last"]
    assert ended.output["job_id"] == str(JOB)
    assert [step["batch_job"] for step in ended.output["steps"]] == [
        f"id-of-{JOB}-r1-{name}" for name in ["convert", "left", "right", "last"]
    ]


def test_batch_is_told_what_the_compiler_counted() -> None:
    rich = step(
        "convert",
        fan_out=FanOut(70, per_child=10),
        resources=Resources(vcpu=0.5, memory_bytes=3 << 30, gpu=2),
        parameters={"step": "convert"},
        environment={"OWN": 'it\'s "quoted"'},
        share_identifier="workspace42",
        priority=7,
    )
    data = given(rich, step("report", "convert"), environment={"ESTEIRA_SERVER": "https://esteira.example"})
    batch = ScriptedBatch()

    assert execute(data, batch).status == "SUCCEEDED"

    of_aws = {"name": "MANAGED_BY_AWS", "value": "STARTED_BY_STEP_FUNCTIONS"}
    for stage, submitted in zip(data["stages"], batch.submitted, strict=True):
        assert submitted["containerOverrides"]["environment"].pop() == of_aws
        assert submitted == _lower(submit_arguments(data, stage["steps"][0]))
    assert batch.submitted[0]["arrayProperties"] == {"size": 7}
    assert "arrayProperties" not in batch.submitted[1]
    assert "shareIdentifier" not in batch.submitted[1]


def _lower(value: Any, *, is_map: bool = False) -> Any:
    """As Batch spells it; the keys of a map are somebody's own."""
    if isinstance(value, list):
        return [_lower(item) for item in value]
    if not isinstance(value, dict):
        return value
    pairs = [(key, _lower(below, is_map=key == "Parameters")) for key, below in value.items()]
    return {key if is_map else key[0].lower() + key[1:]: below for key, below in pairs}


def test_strict_step_that_fails_ends_the_execution() -> None:
    batch = ScriptedBatch(failures={"check": 0})

    ended = execute(given(*CHAIN), batch)

    assert ended.status == "FAILED"
    assert batch.steps == ["convert", "check"]
    assert "Failed" not in ended.entered, "an execution that ends in a Fail state cannot be redriven"


def test_tolerant_step_that_fails_takes_only_its_dependents_with_it() -> None:
    batch = ScriptedBatch(failures={"left": 0})

    ended = execute(given(*FORK, step("other", "right")), batch)

    assert sorted(batch.steps) == ["convert", "left", "other", "right"]
    assert (ended.status, ended.error) == ("FAILED", "StepsLost")
    assert ended.cause == "left FAILED, last SKIPPED"


@pytest.mark.parametrize(("failed", "outcome"), [(2, "SUCCEEDED"), (3, "FAILED")])
def test_array_succeeds_with_as_many_failures_as_it_tolerates(failed: int, outcome: str) -> None:
    many = step("convert", fan_out=FanOut(40, tolerate=Tolerance(failed_basis_points=500)))
    batch = ScriptedBatch(failures={"convert": failed})

    ended = execute(given(many, step("report", "convert")), batch)

    assert ended.status == outcome
    assert batch.steps == (["convert", "report"] if outcome == "SUCCEEDED" else ["convert"])


def test_refused_submission_is_no_tolerated_failure() -> None:
    many = step("convert", fan_out=FanOut(40, tolerate=Tolerance(failed_items=40)))
    batch = ScriptedBatch(refusals={"convert": ["ClientException"]})

    ended = execute(given(many, step("report", "convert")), batch)

    assert ended.status == "FAILED"
    assert batch.steps == ["convert"]


def test_refused_submission_is_repeated_with_growing_waits() -> None:
    refusals = ["TooManyRequestsException", "ServerException", "AWSBatchException", "SdkClientException"]
    batch = ScriptedBatch(refusals={"convert": list(refusals)})

    ended = execute(given(step("convert")), batch)

    assert ended.status == "SUCCEEDED"
    assert batch.steps == ["convert"] * 5
    assert len(batch.waits) == 4
    assert all(wait <= 5 * 2**number for number, wait in enumerate(batch.waits)), "full jitter: up to the whole wait"


@pytest.mark.parametrize("script", [{"refusals": {"convert": ["ClientException"]}}, {"failures": {"convert": 0}}])
def test_what_will_not_get_better_is_tried_once(script: dict[str, Any]) -> None:
    batch = ScriptedBatch(**script)

    assert execute(given(step("convert")), batch).status == "FAILED"

    assert batch.steps == ["convert"]
    assert batch.waits == []


def test_refusals_without_end_are_given_up() -> None:
    batch = ScriptedBatch(refusals={"convert": ["TooManyRequestsException"] * 50})

    assert execute(given(step("convert")), batch).status == "FAILED"

    assert len(batch.steps) == 11


def test_job_without_end_is_given_up() -> None:
    data = given(step("convert"), step("other"), step("report", "convert"))
    data["stages"][0]["steps"][0]["task_timeout_seconds"] = 1
    batch = ScriptedBatch(failures={"convert": FOR_EVER})

    ended = execute(data, batch)

    assert ended.cause == "convert TIMED_OUT, report SKIPPED"


def test_resumed_run_begins_at_its_stage_and_leaves_out_what_is_done() -> None:
    done = {"convert", "right"}
    steps = [replace(each, is_done=each.name in done) for each in FORK]
    data = given(*steps, run=2)
    batch = ScriptedBatch()

    ended = execute(data, batch)

    assert data["resume_stage"] == 1
    assert ended.status == "SUCCEEDED"
    assert batch.steps == ["left", "last"]


def test_stages_before_the_one_to_resume_at_are_not_entered() -> None:
    data = given(*CHAIN) | {"resume_stage": 2}
    batch = ScriptedBatch()

    ended = execute(data, batch)

    assert batch.steps == ["report"]
    assert ended.entered.count("RunStage") == 1


def test_stage_of_which_everything_is_done_is_passed_over() -> None:
    steps = (step("slow"), step("quick"), step("after", "quick", is_done=True), step("last", "slow", "after"))
    batch = ScriptedBatch()

    ended = execute(given(steps[0], replace(steps[1], is_done=True), *steps[2:]), batch)

    assert outcomes(ended.output) == {"slow": "SUCCEEDED", "last": "SUCCEEDED"}
    assert batch.steps == ["slow", "last"]


def test_rerun_submits_an_array_of_just_those_items() -> None:
    few = step("convert", fan_out=FanOut(10_000, items=[3, 77, 9_999]))
    batch = ScriptedBatch()

    assert execute(given(few, run=3), batch).status == "SUCCEEDED"

    assert batch.submitted[0]["arrayProperties"] == {"size": 3}


def test_no_state_carries_what_batch_said_of_a_job() -> None:
    many = step("other", fan_out=FanOut(4, tolerate=Tolerance(failed_items=1)))
    batch = ScriptedBatch(failures={"other": 1})

    ended = execute(given(step("convert"), many), batch)

    assert ended.status == "SUCCEEDED"
    assert max(map(len, ended.payloads)) < 1_000, "Batch says 20,000 characters of each job"


def test_history_of_the_largest_pipeline_is_within_what_step_functions_keeps() -> None:
    """25,000 events: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html."""
    one, two = (execute(given(*CHAIN[:stages]), ScriptedBatch()).events for stages in (1, 2))
    refused = execute(given(CHAIN[0]), ScriptedBatch(refusals={"convert": ["ServerException"]})).events

    of_a_stage, of_a_refusal = two - one, refused - one

    assert one + 99 * of_a_stage + 100 * 10 * of_a_refusal < 25_000 / 2


def test_deployed_file_is_the_same_for_terraforms_file_and_templatefile() -> None:
    text = MACHINE.read_text()

    assert "${" not in text
    assert "%{" not in text


def test_both_ways_to_submit_are_one() -> None:
    states = json.loads(MACHINE.read_text())["States"]["RunStage"]["ItemProcessor"]["States"]
    strict, tolerant = states["SubmitStrict"], states["SubmitTolerant"]

    assert strict.keys() | {"Catch"} == tolerant.keys()
    assert [key for key in strict if strict[key] != tolerant[key]] == ["Comment"]
