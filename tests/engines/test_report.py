"""What the engine says of executions and their pieces, within the calls that AWS allows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from orchestration.engines.base import Capacity, ExecutionReport, ExecutionSpec, Report
from orchestration.engines.step_functions.adapter import StepFunctionsEngine
from orchestration.engines.step_functions.compile import job_name
from orchestration.errors import EngineUnavailable
from orchestration.states import AttemptState, ExecutionState
from tests.engines.wire import Fate

if TYPE_CHECKING:
    from tests.engines.cloud import Cloud

JOB = UUID("01950000-0000-7000-8000-000000000001")


def spec(run: int, *pieces: str) -> ExecutionSpec:
    return ExecutionSpec(name=f"{JOB}-r{run}", job_id=JOB, run=run, pieces=pieces)


def start(cloud: Cloud, one: ExecutionSpec) -> str:
    client = cloud.client("stepfunctions")
    arn = client.start_execution(stateMachineArn=cloud.cell.state_machine, name=one.name, input="{}")["executionArn"]
    return str(arn)


def test_pieces_are_described_by_the_hundred_and_in_order(cloud: Cloud) -> None:
    refs = [f"array:{n}" for n in range(250)]
    for number, ref in enumerate(refs):
        name = job_name(spec(1), "convert")
        cloud.batch.add(ref, name, cloud.cell.queue, "RUNNING", arrayProperties={"index": number})

    report = cloud.engine.report([spec(1, *refs[:120]), spec(1, *refs[100:])])

    assert [piece.ref for piece in report.pieces] == refs
    assert {(piece.execution, piece.step) for piece in report.pieces} == {(spec(1).name, "convert")}
    assert [piece.index for piece in report.pieces[:3]] == [0, 1, 2]
    assert [len(params["jobs"]) for params in cloud.calls.params("DescribeJobs")] == [100, 100, 50]


def test_piece_that_batch_has_forgotten_is_said_to_be(cloud: Cloud) -> None:
    cloud.batch.add("here", job_name(spec(1), "convert"), cloud.cell.queue, "SUCCEEDED")

    pieces = cloud.engine.report([spec(1, "gone", "here")]).pieces

    assert [(piece.ref, piece.state) for piece in pieces] == [("gone", None), ("here", AttemptState.SUCCEEDED)]


def test_executions_are_looked_at_only_as_often_as_allowed(cloud: Cloud) -> None:
    specs = [spec(run) for run in range(1, 8)]
    for one in specs:
        start(cloud, one)

    assert cloud.engine.report(specs) == Report()
    assert cloud.engine.report(specs, looks=-1) == Report()
    assert cloud.calls.count("DescribeExecution") == 0

    looked = cloud.engine.report(specs, looks=3).executions
    assert [one.name for one in looked] == [one.name for one in specs[:3]]
    assert cloud.calls.count("DescribeExecution") == 3
    assert len(cloud.engine.report(specs, looks=100).executions) == 7


def test_nothing_is_asked_about_nothing(cloud: Cloud) -> None:
    assert cloud.engine.report([], looks=5) == Report()
    assert cloud.calls.made == []


def test_execution_is_running_or_canceled_or_unknown(cloud: Cloud) -> None:
    running, stopped, unknown = spec(1), spec(2), spec(3)
    start(cloud, running)
    arn = start(cloud, stopped)
    cloud.client("stepfunctions").stop_execution(executionArn=arn)

    said = cloud.engine.report([running, stopped, unknown], looks=3).executions

    assert [one.state for one in said] == [ExecutionState.RUNNING, ExecutionState.CANCELED, ExecutionState.UNKNOWN]
    assert said[0].ended_at is None
    assert said[1].ended_at is not None
    assert said[2] == ExecutionReport(unknown.name, ExecutionState.UNKNOWN)


@pytest.fixture
def saying(cloud: Cloud) -> dict[str, Any]:
    """What DescribeExecution answers."""
    said: dict[str, Any] = {"ResponseMetadata": {"HTTPStatusCode": 200}}

    def answer(**_: object) -> tuple[Any, dict[str, Any]]:
        return AWSResponse("", 200, HTTPHeaders(), None), said

    cloud.engine.clients["stepfunctions"].meta.events.register("before-call.stepfunctions.DescribeExecution", answer)
    return said


def test_every_status_of_an_execution_has_a_state(cloud: Cloud, saying: dict[str, Any]) -> None:
    shape = cloud.engine.clients["stepfunctions"].meta.service_model.shape_for("ExecutionStatus")
    states = {}
    for status in shape.enum:
        saying["status"] = status
        (one,) = cloud.engine.report([spec(1)], looks=1).executions
        states[status] = one.state.value

    assert states == {
        "RUNNING": "RUNNING",
        "PENDING_REDRIVE": "RUNNING",
        "SUCCEEDED": "SUCCEEDED",
        "FAILED": "FAILED",
        "TIMED_OUT": "TIMED_OUT",
        "ABORTED": "CANCELED",
    }


def test_failed_execution_says_why(cloud: Cloud, saying: dict[str, Any]) -> None:
    saying |= {"status": "FAILED", "error": "StepsLost", "cause": "convert FAILED"}

    (one,) = cloud.engine.report([spec(1)], looks=1).executions
    assert one.detail == "StepsLost: convert FAILED"


@pytest.mark.parametrize("fate", [Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY, Fate.DENIED])
def test_look_that_does_not_get_through_is_later(cloud: Cloud, fate: Fate) -> None:
    cloud.wire("DescribeExecution", [fate] * 3)

    with pytest.raises(EngineUnavailable):
        cloud.engine.report([spec(1)], looks=1)


# -- capacity ------------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(cloud: Cloud) -> StepFunctionsEngine:
    return cloud.with_queue(16, 8)


def test_capacity_is_what_the_compute_environments_may_grow_to(engine: StepFunctionsEngine) -> None:
    assert engine.capacity() == Capacity(vcpus=24)


def test_closed_compute_environment_adds_nothing(cloud: Cloud, engine: StepFunctionsEngine) -> None:
    cloud.client("batch").update_compute_environment(computeEnvironment="place-16", state="DISABLED")

    assert engine.capacity() == Capacity(vcpus=8)


def test_closed_queue_says_so(cloud: Cloud, engine: StepFunctionsEngine) -> None:
    cloud.client("batch").update_job_queue(jobQueue="esteira-standard", state="DISABLED")

    assert "The queue esteira-standard starts nothing" in engine.capacity().closed


def test_queue_that_batch_does_not_know_is_told_of(engine: StepFunctionsEngine) -> None:
    other = StepFunctionsEngine(replace(engine.cell, gpu_queue=f"{engine.cell.queue}-gpu"))

    assert "does not know a queue" in other.capacity().closed
