"""One execution for a run of a job, however often, from wherever and through whatever faults it is started."""

from __future__ import annotations

import itertools
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from botocore.exceptions import ParamValidationError
from django.db import connection

from orchestration.engines.step_functions.compile import INPUT_SCHEMA
from orchestration.engines.step_functions.manifest import read_lines
from orchestration.engines.step_functions.work import plan_of
from orchestration.errors import EngineRejected, EngineUnavailable
from orchestration.models import Item, Job, StepRun
from orchestration.states import WorkState
from tests.engines.cloud import MANIFESTS, Cloud, spec_of
from tests.engines.wire import Fate
from tests.factories import make_file, make_job, publish_pipeline

if TYPE_CHECKING:
    from orchestration.engines.step_functions.adapter import StepFunctionsEngine
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

FAN_OUT: Final = """\
pipeline: fan
version: 1.0.0
title: Fan out
steps:
  - name: each
    command: ["true"]
    for_each: input
  - name: all
    needs: [each]
    command: ["true"]
"""
# What one try can meet (F22).
MET: Final = (Fate.THROUGH, Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab, state="QUEUED")


def until_started(engine: StepFunctionsEngine, job: Job) -> str:
    """As the dispatcher does it: later means again."""
    for _ in range(500):
        with suppress(EngineUnavailable):
            return engine.start(spec_of(job))
        time.sleep(0.005)
    raise AssertionError("it was never started")


def test_execution_has_the_jobs_name_and_an_input_of_the_contract(cloud: Cloud, job: Job) -> None:
    arn = cloud.engine.start(spec_of(job))

    described = cloud.client("stepfunctions").describe_execution(executionArn=arn)
    given = json.loads(described["input"])
    assert described["name"] == f"{job.pk}-r1"
    assert arn == cloud.cell.execution(job.execution_name)
    assert set(INPUT_SCHEMA["required"]) <= given.keys()
    (step,) = given["stages"][0]["steps"]
    assert step["job_queue"] == cloud.cell.queue
    assert step["job_definition"] == cloud.definitions()[0]["jobDefinitionArn"]
    assert given["environment"][-1] == {"Name": "ESTEIRA_URL", "Value": "https://esteira.example"}


def test_each_job_names_its_workspaces_share_where_queues_have_shares(cloud: Cloud, job: Job) -> None:
    """A queue with a scheduling policy refuses a job without one; a queue without, a job with one."""

    def share_by(fair_share: str) -> str:
        cell = replace(cloud.cell, fair_share=fair_share)
        (step,) = plan_of(spec_of(job), cell=cell, definitions=cloud.engine._definitions).steps
        return step.share_identifier

    assert (share_by("yes"), share_by("")) == (job.workspace_id.hex, "")


def test_start_repeated_is_the_same_execution(cloud: Cloud, job: Job) -> None:
    first = cloud.engine.start(spec_of(job))

    assert [cloud.engine.start(spec_of(job)), cloud.another_engine().start(spec_of(job))] == [first, first]
    assert len(cloud.executions()) == 1
    # The same input to the byte: Step Functions itself answers so.
    assert cloud.calls.count("DescribeExecution") == 0


def test_execution_that_has_ended_is_adopted(cloud: Cloud, job: Job) -> None:
    first = cloud.engine.start(spec_of(job))
    cloud.client("stepfunctions").stop_execution(executionArn=first)

    assert cloud.engine.start(spec_of(job)) == first
    assert len(cloud.executions()) == 1
    assert cloud.calls.count("DescribeExecution") == 1


def test_execution_of_the_same_run_is_adopted_though_it_was_given_another_input(cloud: Cloud, job: Job) -> None:
    spec = spec_of(job)
    other = json.dumps({"execution": spec.name, "job_id": str(spec.job_id), "run": 1, "stages": []})
    first = cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.cell.state_machine, name=spec.name, input=other
    )

    assert cloud.engine.start(spec) == first["executionArn"]
    assert len(cloud.executions()) == 1


@pytest.mark.parametrize("given", ["{}", "[]", '{"job_id": "someone-else", "run": 1}'])
def test_execution_that_does_other_work_is_not_adopted(cloud: Cloud, job: Job, given: str) -> None:
    cloud.client("stepfunctions").start_execution(
        stateMachineArn=cloud.cell.state_machine, name=job.execution_name, input=given
    )

    with pytest.raises(EngineRejected, match="does other work") as caught:
        cloud.engine.start(spec_of(job))

    assert caught.value.details == {"reason": "ExecutionAlreadyExists"}


@pytest.mark.parametrize("shown", [{"input": None}, None])
def test_execution_that_aws_does_not_show_is_later_and_is_said_aloud(
    cloud: Cloud, job: Job, shown: dict[str, None] | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its input may be hidden by a key that is not ours; and a list of names may be ahead of the executions."""
    client = cloud.client("stepfunctions")
    client.start_execution(stateMachineArn=cloud.cell.state_machine, name=job.execution_name, input="{}")

    def hide(parsed: dict[str, object], **_: object) -> None:
        if shown is None:
            parsed["Error"] = {"Code": "ExecutionDoesNotExist", "Message": "Not yet."}
        parsed.pop("input", None)

    def refuse(http_response: Any, **_: object) -> None:
        if shown is None:
            http_response.status_code = 400

    events = cloud.engine.clients["stepfunctions"].meta.events
    events.register("after-call.stepfunctions.DescribeExecution", hide)
    events.register("after-call.stepfunctions.DescribeExecution", refuse)

    with pytest.raises(EngineUnavailable, match="does not show it"):
        cloud.engine.start(spec_of(job))
    assert "AWS does not show an execution that it has" in caplog.messages


def test_next_run_of_the_job_is_another_execution(cloud: Cloud, job: Job) -> None:
    cloud.engine.start(spec_of(job))
    Job.objects.filter(pk=job.pk).update(run=2)
    job.refresh_from_db()
    cloud.engine.start(spec_of(job))

    assert {one["name"] for one in cloud.executions()} == {f"{job.pk}-r1", f"{job.pk}-r2"}


def test_run_that_is_over_is_not_started(cloud: Cloud, job: Job) -> None:
    spec = spec_of(job)
    Job.objects.filter(pk=job.pk).update(run=2)

    with pytest.raises(EngineRejected, match="no run 1 of job"):
        cloud.engine.start(spec)
    assert cloud.executions() == []


@pytest.mark.django_db(transaction=True)
def test_hundred_identical_starts_at_once_are_one_execution(cloud: Cloud, job: Job) -> None:
    spec = spec_of(job)
    cloud.engine.start(spec)
    cloud.client("stepfunctions").stop_execution(executionArn=cloud.cell.execution(spec.name))
    Job.objects.filter(pk=job.pk).update(run=2)
    job.refresh_from_db()
    again = spec_of(job)
    engines = [cloud.another_engine() for _ in range(4)]
    cloud.wire("StartExecution", [], *engines)

    def start(number: int) -> str:
        try:
            return engines[number % 4].start(again)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        arns = set(threads.map(start, range(100)))

    assert arns == {cloud.cell.execution(again.name)}
    assert [one["name"] for one in cloud.executions()].count(again.name) == 1
    assert len(cloud.definitions()) == 1


@pytest.mark.django_db(transaction=True)
def test_hundred_first_starts_at_once_are_one_execution_of_one_definition(cloud: Cloud, job: Job) -> None:
    """Nothing is registered yet, and each try of each start may lose its answer."""
    spec = spec_of(job)
    dice = random.Random(4)
    engines = [cloud.another_engine() for _ in range(4)]
    cloud.wire("StartExecution", (dice.choice(MET) for _ in range(300)), *engines)

    def start(number: int) -> str:
        try:
            return until_started(engines[number % 4], job)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        arns = set(threads.map(start, range(100)))

    assert arns == {cloud.cell.execution(spec.name)}
    assert len(cloud.executions()) == 1
    assert [one["revision"] for one in cloud.definitions()] == [1]


def test_whatever_three_tries_meet_there_is_one_execution(cloud: Cloud, job: Job) -> None:
    meetings = list(itertools.product(MET, repeat=3))
    for run, fates in enumerate(meetings, start=1):
        Job.objects.filter(pk=job.pk).update(run=run)
        job.refresh_from_db()
        wire = cloud.wire("StartExecution", fates)

        assert until_started(cloud.engine, job) == cloud.cell.execution(f"{job.pk}-r{run}"), fates
        assert wire.tries == 1 + next((n for n, fate in enumerate(fates) if fate is Fate.THROUGH), 3), fates

    assert len(cloud.executions()) == len(meetings) == 125


def test_replies_lost_at_random_leave_one_execution_a_run(cloud: Cloud, job: Job) -> None:
    lost = 0
    for seed in range(1, 51):
        dice = random.Random(seed)
        Job.objects.filter(pk=job.pk).update(run=seed)
        job.refresh_from_db()
        wire = cloud.wire("StartExecution", (dice.choice([Fate.LOST_REPLY, Fate.THROUGH]) for _ in range(100)))

        until_started(cloud.engine, job)

        lost += wire.arrived - 1
    assert sorted(one["name"] for one in cloud.executions()) == sorted(f"{job.pk}-r{run}" for run in range(1, 51))
    assert lost > 10


@pytest.mark.parametrize("fate", [Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY, Fate.DENIED])
def test_what_does_not_get_through_in_three_tries_is_later(cloud: Cloud, job: Job, fate: Fate) -> None:
    wire = cloud.wire("StartExecution", itertools.repeat(fate))

    with pytest.raises(EngineUnavailable) as caught:
        cloud.engine.start(spec_of(job))

    assert wire.tries == (1 if fate is Fate.DENIED else 3)
    assert caught.value.details["reason"] in {fate.value, "ReadTimeoutError", "ConnectTimeoutError"}


def test_what_aws_refuses_is_never(cloud: Cloud, job: Job) -> None:
    wire = cloud.wire("StartExecution", itertools.repeat(Fate.INVALID))

    with pytest.raises(EngineRejected, match=r"AWS refused\. StartExecution: Not so"):
        cloud.engine.start(spec_of(job))
    assert wire.tries == 1


def test_what_botocore_would_not_send_is_never(cloud: Cloud, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parameters are checked in these tests as they are on AWS."""
    monkeypatch.setattr(
        "orchestration.engines.step_functions.adapter.compile_plan", lambda _: type("C", (), {"name": 7, "text": "{}"})
    )

    with pytest.raises(EngineRejected) as caught:
        cloud.engine.start(spec_of(job))
    assert isinstance(caught.value.__cause__, ParamValidationError)


# -- fan-outs ------------------------------------------------------------------------------------------------------


@pytest.fixture
def fan(owner: User, lab: Workspace) -> Job:
    files = [make_file(lab, owner, name=f"{n}.csv") for n in range(3)]
    return make_job(owner, lab, publish_pipeline(FAN_OUT), inputs=files, state="QUEUED")


def items_listed(cloud: Cloud, job: Job) -> list[int]:
    key = f"runs/{job.execution_name}/each.jsonl"
    body = cloud.client("s3").get_object(Bucket=MANIFESTS, Key=key)["Body"].read()
    return [item for _, item in read_lines(body)]


def given_to(cloud: Cloud, job: Job) -> dict[str, object]:
    arn = cloud.cell.execution(job.execution_name)
    data = json.loads(cloud.client("stepfunctions").describe_execution(executionArn=arn)["input"])
    return {step["name"]: step.get("array_size") for stage in data["stages"] for step in stage["steps"]}


def test_items_of_a_fan_out_are_listed_before_the_execution_starts(cloud: Cloud, fan: Job) -> None:
    cloud.engine.start(spec_of(fan))

    assert items_listed(cloud, fan) == [0, 1, 2]
    assert given_to(cloud, fan) == {"each": 3, "all": None}
    operations = [call.operation for call in cloud.calls.made]
    assert operations.index("PutObject") < operations.index("StartExecution")


def rerun(fan: Job, *, succeeded: list[int]) -> Job:
    """What services.reruns leaves of a fan-out some of whose items failed."""
    step = StepRun.objects.get(job=fan, name="each")
    items = Item.objects.filter(step_run=step, index__in=succeeded)
    items.update(state=WorkState.SUCCEEDED, finished_at="2026-01-01T00:00:00Z")
    StepRun.objects.filter(job=fan).update(run=2)
    Job.objects.filter(pk=fan.pk).update(run=2)
    fan.refresh_from_db()
    return fan


def test_next_run_works_on_the_items_that_are_left(cloud: Cloud, fan: Job) -> None:
    rerun(fan, succeeded=[0])
    cloud.engine.start(spec_of(fan))

    assert items_listed(cloud, fan) == [1, 2]
    assert given_to(cloud, fan) == {"each": 2, "all": None}


def test_step_that_has_ended_is_left_out(cloud: Cloud, fan: Job) -> None:
    rerun(fan, succeeded=[0, 1, 2])
    StepRun.objects.filter(job=fan, name="each").update(state=WorkState.SUCCEEDED, finished_at="2026-01-01T00:00:00Z")
    cloud.engine.start(spec_of(fan))

    assert given_to(cloud, fan) == {"all": None}
    assert cloud.calls.count("PutObject") == 0
    assert len(cloud.definitions()) == 1


def test_list_that_an_execution_may_be_reading_is_never_written_over(cloud: Cloud, fan: Job) -> None:
    rerun(fan, succeeded=[0])
    spec = spec_of(fan)
    first = cloud.engine.start(spec)
    Item.objects.filter(step_run__job=fan, index=1).update(
        state=WorkState.SUCCEEDED, finished_at="2026-01-01T00:00:00Z"
    )

    assert cloud.engine.start(spec) == first
    assert items_listed(cloud, fan) == [1, 2]
    assert given_to(cloud, fan) == {"each": 2, "all": None}
