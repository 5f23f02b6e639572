"""Whatever pipeline the specification allows: it fits into AWS's limits and runs as the local engine would run it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.compile import (
    INPUT_SCHEMA,
    MOST_INPUT_BYTES,
    MOST_SUBMIT_BYTES,
    compile_plan,
    submit_arguments,
)
from orchestration.engines.step_functions.manifest import MOST_CHILDREN, items_per_child
from orchestration.engines.step_functions.plan import (
    ExecutionPlan,
    ExitRule,
    FanOut,
    RetryStrategy,
    StepPlan,
)
from orchestration.spec import graph
from orchestration.spec.model import Localised, PipelineSpec, Resources, StepSpec, Tolerance
from orchestration.spec.schema import PIPELINE_SCHEMA
from tests.engines.plans import JOB, plan, step

quick = settings(database=None, deadline=None, max_examples=100)

MOST_STEPS: Final[int] = PIPELINE_SCHEMA["properties"]["steps"]["maxItems"]
MOST_FILES: Final[int] = PIPELINE_SCHEMA["properties"]["accepts"]["properties"]["max_files"]["maximum"]
_AWS: Final = "arn:aws-us-gov:batch:us-gov-west-1:123456789012"
# Five rules are the most that Batch takes; these are as long as any that we have.
_RULES: Final = (
    ExitRule("RETRY", on_status_reason="Host EC2*"),
    ExitRule("RETRY", on_reason="CannotPullContainerError*"),
    ExitRule("RETRY", on_reason="DockerTimeoutError*"),
    ExitRule("RETRY", on_exit_code="75"),
    ExitRule("EXIT", on_reason="*"),
)
_GIVEN: Final = {"ESTEIRA_SERVER": "https://" + "s" * 992, "ESTEIRA_TOKEN": "t" * 2_000}


def name(number: int) -> str:
    """As long as a step's name may be."""
    return f"s{number:030}"


def spec_of(number: int, needs: set[int], draw: Any) -> StepSpec:
    fans_out = draw(st.booleans())
    tolerance = st.builds(Tolerance, failed_items=st.integers(0, 1_000_000)) | st.builds(
        Tolerance, failed_basis_points=st.integers(0, 10_000)
    )
    return StepSpec(
        name=name(number),
        title=Localised({}),
        command=("true",),
        needs=tuple(name(need) for need in sorted(needs)),
        for_each="input" if fans_out else None,
        resources=Resources(
            vcpu=draw(st.floats(0.25, 256)),
            memory_bytes=draw(st.integers(32 << 20, 24 << 40)),
            gpu=draw(st.integers(0, 16)),
        ),
        timeout_s=draw(st.integers(1, 3 * 86_400)),
        tolerate=draw(st.none() | tolerance) if fans_out else None,
    )


@st.composite
def pipelines(draw: Any, most: int = MOST_STEPS) -> list[StepSpec]:
    count = draw(st.integers(1, most))
    return [spec_of(n, draw(st.sets(st.integers(0, n - 1), max_size=6)) if n else set(), draw) for n in range(count)]


def place(spec: StepSpec, *, files: int, seconds: float, attempts: int) -> StepPlan:
    """As the engine places it, with names and shares as long as they may be."""
    fan_out = FanOut(files, per_child=items_per_child(files, seconds_per_item=seconds), tolerate=spec.tolerate)
    return StepPlan.of(
        spec,
        queue=f"{_AWS}:job-queue/{'q' * 128}",
        job_definition=f"{_AWS}:job-definition/{'d' * 128}:2147483647",
        retry=RetryStrategy(attempts, _RULES),
        fan_out=fan_out if spec.fans_out else None,
        share_identifier="w" * 32,
        priority=9_999,
    )


def execution(steps: list[StepPlan]) -> ExecutionPlan:
    run = 2**31 - 1
    spec = ExecutionSpec(name=f"{JOB}-r{run}", job_id=JOB, run=run)
    return ExecutionPlan(spec, tuple(steps), manifest=f"s3://{'b' * 63}/{'k' * 200}", environment=_GIVEN)


def check_limits(whole: ExecutionPlan) -> dict[str, Any]:
    compiled = compile_plan(whole)
    data = compiled.input
    Draft202012Validator(INPUT_SCHEMA).validate(data)
    assert len(compiled.name) <= 80
    assert len(compiled.text.encode()) <= MOST_INPUT_BYTES
    for one in (one for stage in data["stages"] for one in stage["steps"]):
        assert len(str(submit_arguments(data, one)).encode()) <= MOST_SUBMIT_BYTES
        assert len(one["job_name"]) <= 128
        assert one.get("array_size", 1) <= MOST_CHILDREN
        assert one["attempt_seconds"] <= one["task_timeout_seconds"]
    return data


def test_largest_pipeline_fits() -> None:
    """100 steps, each after every other before it, each over as many files as a job may have."""
    tolerance = Tolerance(failed_items=1_000_000)
    steps = [
        place(
            StepSpec(
                name=name(number),
                title=Localised({}),
                command=("true",),
                needs=tuple(map(name, range(number))),
                for_each="input",
                resources=Resources(vcpu=256, memory_bytes=24 << 40, gpu=16),
                timeout_s=3 * 86_400,
                tolerate=tolerance,
            ),
            files=MOST_FILES,
            seconds=0.001,
            attempts=10,
        )
        for number in range(MOST_STEPS)
    ]

    data = check_limits(execution(steps))

    assert len(data["stages"]) == MOST_STEPS


@settings(quick, max_examples=40)
@given(pipelines(), st.integers(1, MOST_FILES), st.floats(0.001, 86_400), st.integers(1, 10))
def test_any_pipeline_fits(specs: list[StepSpec], files: int, seconds: float, attempts: int) -> None:
    steps = [place(spec, files=files, seconds=seconds, attempts=attempts) for spec in specs]

    data = check_limits(execution(steps))

    before: set[int] = set()
    for stage in data["stages"]:
        assert all(before.issuperset(one["needs"]) for one in stage["steps"])
        before |= {one["position"] for one in stage["steps"]}
    assert before == set(range(len(specs)))


def run_by_machine(data: dict[str, Any], failing: set[str]) -> set[str]:
    """The steps that the state machine submits. That it does so, `test_state_machine` shows."""
    ran, lost = set[str](), set[int]()
    for stage in data["stages"][data["resume_stage"] :]:
        bad = set[int]()
        for one in stage["steps"]:
            if lost.intersection(one["needs"]):
                bad.add(one["position"])
                continue
            ran.add(one["name"])
            if one["name"] in failing:
                if one["on_failure"] == "fail":
                    return ran
                bad.add(one["position"])
        lost |= bad
    return ran


def run_by_local_engine(specs: list[StepSpec], failing: set[str], done: set[str]) -> set[str]:
    empty = Localised({})
    spec = PipelineSpec("any", "1.0.0", empty, empty, tuple(specs))
    states = dict.fromkeys(done, "SUCCEEDED")
    while ready := graph.ready(spec, states):
        states |= {name: "FAILED" if name in failing else "SUCCEEDED" for name in ready}
    return states.keys() - done


@settings(quick, max_examples=300)
@given(pipelines(most=9), st.data())
def test_the_same_steps_run_on_both_engines(specs: list[StepSpec], data: st.DataObject) -> None:
    names = [spec.name for spec in specs]
    failing = data.draw(st.sets(st.sampled_from(names)))
    done = data.draw(st.sets(st.sampled_from(names)))
    done = {name for name in done if done.issuperset(next(spec.needs for spec in specs if spec.name == name))}
    if len(done) == len(specs):
        return
    steps = [step(spec.name, *spec.needs, is_done=spec.name in done) for spec in specs]

    compiled = compile_plan(plan(*steps)).input

    assert run_by_machine(compiled, failing) == run_by_local_engine(specs, failing, done)


@quick
@given(pipelines(most=9), st.randoms())
def test_the_order_of_the_environment_changes_nothing(specs: list[StepSpec], random: Any) -> None:
    steps = [place(spec, files=10, seconds=1, attempts=1) for spec in specs]
    mixed = list(_GIVEN.items())
    random.shuffle(mixed)

    assert compile_plan(execution(steps)).text == compile_plan(replace(execution(steps), environment=dict(mixed))).text
