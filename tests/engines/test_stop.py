"""A stop leaves nothing running, whoever knew of what, and may be repeated for as long as it takes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from orchestration.engines.step_functions.compile import job_name
from orchestration.errors import EngineRejected, EngineUnavailable
from tests.engines.cloud import Cloud, spec_of
from tests.engines.wire import Fate
from tests.factories import make_job

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import Job, User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return make_job(owner, lab, state="RUNNING")


@pytest.fixture
def started(cloud: Cloud, job: Job) -> ExecutionSpec:
    spec = spec_of(job)
    cloud.engine.start(spec)
    return spec


def submit(cloud: Cloud, spec: ExecutionSpec, *job_ids: str, status: str = "RUNNING") -> None:
    for job_id in job_ids:
        cloud.batch.add(job_id, job_name(spec, "nothing"), cloud.cell.queue, status)


def state(cloud: Cloud, spec: ExecutionSpec) -> str:
    arn = cloud.cell.execution(spec.name)
    return str(cloud.client("stepfunctions").describe_execution(executionArn=arn)["status"])


def stop_until_done(cloud: Cloud, spec: ExecutionSpec) -> int:
    for times in range(1, 50):
        if cloud.engine.stop(spec, reason="Canceled by ana."):
            return times
    raise AssertionError("it never ended")


def test_execution_and_its_batch_jobs_end(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "one", "two")
    submit(cloud, started, "queued", status="RUNNABLE")

    assert not cloud.engine.stop(started, reason="Canceled by ana.")

    assert state(cloud, started) == "ABORTED"
    assert cloud.batch.running() == []
    assert cloud.batch.jobs["one"]["statusReason"] == "Canceled by ana."
    operations = [call.operation for call in cloud.calls.made]
    assert operations.index("StopExecution") < operations.index("ListJobs") < operations.index("TerminateJobs")


def test_stop_is_true_once_nothing_is_left_and_stays_so(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "one")
    answers = [cloud.engine.stop(started, reason="r") for _ in range(4)]

    assert answers == [False, True, True, True]
    assert cloud.calls.count("TerminateJobs") == 1


def test_execution_without_batch_jobs_has_ended_at_once(cloud: Cloud, started: ExecutionSpec) -> None:
    assert cloud.engine.stop(started, reason="r")
    assert state(cloud, started) == "ABORTED"
    assert cloud.calls.count("TerminateJobs") == 0


def test_execution_that_aws_does_not_know_is_no_obstacle(cloud: Cloud, job: Job) -> None:
    spec = spec_of(job)
    submit(cloud, spec, "left-over")

    assert stop_until_done(cloud, spec) == 2
    assert cloud.batch.running() == []


def test_batch_jobs_of_others_go_on(cloud: Cloud, started: ExecutionSpec, job: Job) -> None:
    job.run = 10
    others = spec_of(job)
    submit(cloud, others, "of-run-10")
    cloud.batch.add("foreign", "backup", cloud.cell.queue)
    submit(cloud, started, "ours")

    stop_until_done(cloud, started)

    assert cloud.batch.running() == ["of-run-10", "foreign"]


def test_jobs_end_by_fifties_in_each_queue(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, *(f"job-{n:03}" for n in range(120)))
    cloud.batch.add("gpu", job_name(started, "train"), cloud.cell.gpu_queue)

    assert not cloud.engine.stop(started, reason="r")

    assert cloud.batch.running() == []
    assert [len(params["jobs"]) for params in cloud.calls.params("TerminateJobs")] == [50, 50, 21]


def test_array_is_ended_as_a_whole(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "array", *(f"array:{n}" for n in range(3)))

    stop_until_done(cloud, started)

    assert cloud.batch.running() == []
    assert cloud.calls.params("TerminateJobs")[0]["jobs"] == ["array"]


def test_job_that_no_list_shows_yet_is_ended_when_somebody_told_of_it(cloud: Cloud, job: Job) -> None:
    spec = spec_of(job, "new:4", "new:7", "over", "forgotten")
    submit(cloud, spec, "new", "new:4", "new:7")
    submit(cloud, spec, "over", status="SUCCEEDED")
    cloud.batch.hidden = {"new"}

    assert stop_until_done(cloud, spec) == 2

    assert cloud.batch.running() == []
    assert [params["jobs"] for params in cloud.calls.params("TerminateJobs")] == [["new"]]


def test_stubborn_jobs_are_ended_again_until_they_are(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "one", "two")
    cloud.batch.stubborn = {"two": 3}

    assert stop_until_done(cloud, started) == 5
    assert cloud.batch.running() == []


def test_job_that_could_not_be_ended_just_now_is_later_and_the_others_end(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, *(f"job-{n:03}" for n in range(60)))
    cloud.batch.errors = {"job-000": ["ServerException"]}

    with pytest.raises(EngineUnavailable, match="end 1 Batch jobs") as caught:
        cloud.engine.stop(started, reason="r")

    assert caught.value.details == {"reason": "ServerException"}
    assert cloud.batch.running() == ["job-000"]
    assert stop_until_done(cloud, started) == 2
    assert cloud.batch.running() == []


def test_job_that_must_not_be_ended_is_never(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "one", "two")
    cloud.batch.errors = {"one": ["ClientException"]}

    with pytest.raises(EngineRejected, match="one: Not now"):
        cloud.engine.stop(started, reason="r")
    assert cloud.batch.running() == ["one"]


def test_one_that_may_end_later_makes_it_later(cloud: Cloud, started: ExecutionSpec) -> None:
    submit(cloud, started, "one", "two")
    cloud.batch.errors = {"one": ["ClientException"], "two": ["ServerException"]}

    with pytest.raises(EngineUnavailable, match="end 2 Batch jobs"):
        cloud.engine.stop(started, reason="r")


@pytest.mark.parametrize("fate", [Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY, Fate.DENIED])
def test_stop_that_does_not_get_through_is_later(cloud: Cloud, started: ExecutionSpec, fate: Fate) -> None:
    submit(cloud, started, "one")
    cloud.wire("StopExecution", [fate] * 3)

    with pytest.raises(EngineUnavailable):
        cloud.engine.stop(started, reason="r")
    # What an execution that goes on would submit again must not be ended before it.
    assert cloud.batch.running() == ["one"]
    cloud.wire("StopExecution", [])
    stop_until_done(cloud, started)
    assert cloud.batch.running() == []


def test_reason_is_never_empty_nor_too_long(cloud: Cloud, started: ExecutionSpec) -> None:
    for reason in ("", "x" * 5_000):
        submit(cloud, started, "one")
        cloud.engine.stop(started, reason=reason)
    assert [len(params["reason"]) for params in cloud.calls.params("TerminateJobs")] == [9, 1024]


def test_whatever_goes_wrong_on_the_way_nothing_is_left(cloud: Cloud, job: Job) -> None:
    for seed in range(20):
        dice = random.Random(seed)
        job.run = seed + 1
        spec = spec_of(job)
        names = [f"{seed}-{n}" for n in range(dice.randrange(1, 70))]
        submit(cloud, spec, *names)
        cloud.batch.stubborn = {name: dice.randrange(3) for name in names if dice.random() < 0.2}
        cloud.batch.errors = {name: ["ServerException"] for name in names if dice.random() < 0.1}
        cloud.wire("StopExecution", (dice.choice(list(Fate)[:5]) for _ in range(10)))
        for _ in range(20):
            try:
                if cloud.engine.stop(spec, reason="r"):
                    break
            except EngineUnavailable:
                continue
        assert cloud.batch.running() == [], seed
