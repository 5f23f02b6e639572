"""From a plan to an execution's input: the stages, what a failure means, and what AWS would never take."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.compile import compile_plan, job_name, job_name_prefix, manifests
from orchestration.engines.step_functions.manifest import read_lines
from orchestration.engines.step_functions.plan import ExitRule, FanOut, RetryStrategy, StepPlan
from orchestration.errors import EngineRejected
from orchestration.models import Job
from orchestration.spec.model import Localised, Resources, StepSpec, Tolerance
from tests.engines.plans import DEFINITION, JOB, MANIFEST, QUEUE, RETRY, plan, step

if TYPE_CHECKING:
    from collections.abc import Iterator


def steps_of(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for stage in data["stages"] for step in stage["steps"]}


def modes(*steps: StepPlan) -> dict[str, str]:
    return {name: step["on_failure"] for name, step in steps_of(compile_plan(plan(*steps)).input).items()}


def test_same_plan_gives_the_same_bytes() -> None:
    one = plan(step("a", environment={"X": "1", "Y": "2"}), environment={"P": "1", "Q": "2"})
    other = plan(step("a", environment={"Y": "2", "X": "1"}), environment={"Q": "2", "P": "1"})

    assert compile_plan(one).text == compile_plan(other).text
    assert compile_plan(one).text == json.dumps(
        json.loads(compile_plan(one).text), sort_keys=True, separators=(",", ":")
    )


def test_execution_has_the_name_that_the_job_gave_it() -> None:
    job = Job(id=JOB, run=4)
    spec = ExecutionSpec(name=job.execution_name, job_id=JOB, run=4)

    compiled = compile_plan(plan(step("convert"), spec=spec))

    assert compiled.name == compiled.input["execution"] == f"{JOB}-r4"
    assert steps_of(compiled.input)["convert"]["job_name"] == job_name(spec, "convert") == f"{JOB}-r4-convert"


def test_batch_jobs_of_run_1_are_not_those_of_run_10() -> None:
    first, tenth = (ExecutionSpec(name=f"{JOB}-r{run}", job_id=JOB, run=run) for run in (1, 10))

    assert not job_name(tenth, "a").startswith(job_name_prefix(first))


def test_steps_are_in_the_stages_that_their_needs_allow() -> None:
    data = compile_plan(plan(step("last", "b", "c"), step("a"), step("b", "a"), step("c"))).input

    assert [[step["name"] for step in stage["steps"]] for stage in data["stages"]] == [["a", "c"], ["b"], ["last"]]
    assert steps_of(data)["last"]["needs"] == [2, 3]
    assert [steps_of(data)[name]["position"] for name in ["last", "a", "b", "c"]] == [0, 1, 2, 3]


def test_failure_ends_the_execution_only_where_nothing_can_go_on() -> None:
    assert modes(step("a"), step("b", "a"), step("c", "b")) == dict.fromkeys("abc", "fail")
    assert modes(step("a"), step("b", "a"), step("c", "a")) == {"a": "fail", "b": "continue", "c": "continue"}
    # c does not need b, only a: b's failure leaves it to run.
    assert modes(step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c"))["b"] == "continue"
    assert modes(step("a"), step("b"), step("c", "a", "b"), step("d", "c"))["c"] == "fail"


def test_step_that_is_done_neither_runs_nor_is_waited_for() -> None:
    data = compile_plan(plan(step("a", is_done=True), step("b", "a"), step("c", "a", is_done=True))).input

    assert [[step["name"] for step in stage["steps"]] for stage in data["stages"]] == [[], ["b"]]
    assert data["resume_stage"] == 1
    assert steps_of(data)["b"]["needs"] == []
    assert steps_of(data)["b"]["on_failure"] == "fail"


@pytest.mark.parametrize(
    ("fan_out", "tolerated"),
    [
        (FanOut(100, tolerate=Tolerance(failed_basis_points=500)), 5),
        (FanOut(100, per_child=10, tolerate=Tolerance(failed_items=50)), 10),
        # A step without one success fails, whatever it tolerates.
        (FanOut(4, tolerate=Tolerance(failed_items=9)), 3),
        # What an earlier run left counts too: a share is one of all items, and some of those may have succeeded.
        (FanOut(100, items=[1, 2, 3], tolerate=Tolerance(failed_basis_points=500)), 3),
    ],
)
def test_tolerated_children_are_never_too_few(fan_out: FanOut, tolerated: int) -> None:
    compiled = steps_of(compile_plan(plan(step("a", fan_out=fan_out))).input)["a"]

    assert compiled["tolerated_failures"] == tolerated
    assert compiled["on_failure"] == "continue"


def test_single_item_is_a_plain_job_that_tolerates_nothing() -> None:
    fan_out = FanOut(1, tolerate=Tolerance(failed_items=1))
    compiled = steps_of(compile_plan(plan(step("a", fan_out=fan_out))).input)["a"]

    assert not {"array_size", "tolerated_failures"} & compiled.keys()
    assert compiled["on_failure"] == "fail"


def test_manifest_of_a_rerun_names_its_items_only() -> None:
    few = step("convert", fan_out=FanOut(10_000, items=[3, 77, 9_999], per_child=2))
    done = step("early", fan_out=FanOut(10_000), is_done=True)

    ((address, lines),) = manifests(plan(done, few, step("report", "convert")))

    assert address == f"{MANIFEST}/convert.jsonl"
    assert read_lines(b"".join(lines)) == [(JOB, 3), (JOB, 77), (JOB, 9_999)]
    data = compile_plan(plan(done, few)).input
    environment = {entry["Name"]: entry["Value"] for entry in steps_of(data)["convert"]["environment"]}
    assert environment == {"ESTEIRA_STEP": "convert", "ESTEIRA_ITEMS": "3", "ESTEIRA_ITEMS_PER_CHILD": "2"}
    assert steps_of(data)["convert"]["array_size"] == 2
    assert {"Name": "ESTEIRA_MANIFEST", "Value": MANIFEST} in data["environment"]


def test_times_leave_room_for_what_is_around_the_step() -> None:
    spec = StepSpec("convert", Localised({}), ("true",), timeout_s=600)
    places: dict[str, Any] = {"queue": QUEUE, "job_definition": DEFINITION}

    one = StepPlan.of(spec, retry=RETRY, **places)
    many = StepPlan.of(spec, retry=RETRY, fan_out=FanOut(100, per_child=10), in_queue_s=0, **places)

    assert one.attempt_s > spec.timeout_s + 30
    assert one.task_s > RETRY.attempts * one.attempt_s
    assert many.attempt_s > 10 * (spec.timeout_s + 30)
    assert many.task_s == RETRY.attempts * many.attempt_s


def test_task_is_not_given_up_before_its_job_is() -> None:
    compiled = steps_of(
        compile_plan(plan(step("a", attempt_s=9_000, task_s=60), step("b", attempt_s=1, task_s=1))).input
    )

    assert compiled["a"]["task_timeout_seconds"] == compiled["a"]["attempt_seconds"] == 9_000
    assert compiled["b"]["task_timeout_seconds"] == compiled["b"]["attempt_seconds"] == 60


def test_parts_of_processors_and_of_mebibytes_are_rounded_up() -> None:
    resources = Resources(vcpu=1.25, memory_bytes=(1 << 30) + 1, gpu=1)
    compiled = steps_of(compile_plan(plan(step("a", resources=resources))).input)["a"]

    assert {entry["Type"]: entry["Value"] for entry in compiled["resources"]} == {
        "VCPU": "2",
        "MEMORY": "1025",
        "GPU": "1",
    }


def refused() -> Iterator[tuple[list[StepPlan], dict[str, Any], str]]:
    exits = RetryStrategy(3, (ExitRule("RETRY", on_exit_code="75"),))
    spec = ExecutionSpec(name="x" * 81, job_id=JOB, run=1)
    yield [step("a", is_done=True)], {}, "No step of this job is left to run."
    yield [step("a"), step("a")], {}, "Two steps are called a."
    yield [step("a", "b")], {}, "Step a needs b, which is no step of this plan."
    yield (
        [step("a", "b"), step("b", "a")],
        {},
        "The steps have no order: these steps wait for each other for ever: a, b.",
    )
    yield [step("a", queue="standard")], {}, 'Step a: job_queue "standard" is not the ARN of a job queue'
    yield (
        [step("a", job_definition=DEFINITION.removesuffix(":12"))],
        {},
        "is not the ARN of a job definition with its revision",
    )
    yield [step("a", job_definition=f"{DEFINITION}\n")], {}, "is not the ARN of a job definition with its revision"
    yield [step("a", retry=exits)], {}, "The last rule of step a's retries must end whatever no other rule matches."
    yield [step("a", retry=replace(RETRY, attempts=11))], {}, "retry_strategy.Attempts must be at most 10; it is 11"
    yield [step("a", retry=RetryStrategy(0))], {}, "retry_strategy.Attempts must be at least 1; it is 0"
    yield (
        [step("a", retry=RetryStrategy(2, (*[ExitRule("RETRY", on_reason="x*")] * 5, RETRY.rules[-1])))],
        {},
        "retry_strategy.EvaluateOnExit must have at most 5 entries; this has 6",
    )
    yield [step("a", share_identifier="work-space")], {}, 'share_identifier "work-space" is not a share'
    yield [step("a", priority=-1)], {}, "priority must be at least 0; it is -1"
    yield (
        [step("a", environment={"ESTEIRA_STEP": "b"})],
        {},
        "The environment may not say ESTEIRA_STEP: the engine does.",
    )
    yield [step("a", environment={"AWS_BATCH_X": "b"})], {}, "is not a usable variable name"
    yield (
        [step("a")],
        {"environment": {"ESTEIRA_RUN": "9"}},
        "The environment may not say ESTEIRA_RUN: the engine does.",
    )
    shared = {"environment": {"LANG": "pt"}}
    yield [step("a", environment={"LANG": "en"})], shared, "The environment of step a says LANG twice."
    yield [step("a")], {"spec": spec}, "is not an execution's name"
    yield [step("a", fan_out=FanOut(0))], {}, "Step a fans out over no items."
    yield [step("a", fan_out=FanOut(9, items=[2, 2]))], {}, "Step a would work on an item twice."
    yield [step("a", fan_out=FanOut(9, per_child=0))], {}, "must work on one item at least"
    yield [step("a", fan_out=FanOut(10_001))], {}, "an array of 10001 children, and Batch takes 10000"
    yield [step("a", fan_out=FanOut(2))], {"manifest": ""}, "does not say where its manifest lies"
    yield [step("a", fan_out=FanOut(2))], {"manifest": "s3://esteira-manifests/"}, "is not the address of a folder"
    long = {f"V{number}": "x" * 4_000 for number in range(8)}
    yield [step("a", environment=long)], {}, "The request to Batch for step a has"
    some = {f"V{number}": "x" * 4_000 for number in range(7)}
    yield [step(f"s{n}", environment=some) for n in range(8)], {}, "The execution's input has"


@pytest.mark.parametrize(("steps", "fields", "says"), list(refused()))
def test_what_aws_would_never_take_is_refused_with_a_sentence(
    steps: list[StepPlan], fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(EngineRejected) as refusal:
        compile_plan(plan(*steps, **fields))

    assert says in str(refusal.value)
