"""Cancel at every state of a job on AWS, with the adapter as it is: canceled when nothing of it runs or waits there."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from orchestration.engines.registry import get_engine
from orchestration.engines.step_functions.compile import job_name
from orchestration.execution import stopping, sweep
from orchestration.execution.dispatch import dispatch
from orchestration.models import Execution, Job
from orchestration.services import runner
from orchestration.services.claims import Container, claim
from orchestration.services.jobs import cancel
from orchestration.states import JobState
from tests.engines.cloud import spec_of
from tests.engines.wire import Fate
from tests.factories import make_file
from tests.orchestration.clock import Clock, clock
from tests.orchestration.play import submitted
from tests.orchestration.test_claims import held, right_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud

__all__ = ["clock"]

pytestmark = pytest.mark.django_db

SURE = stopping.SETTLES + timedelta(seconds=1)
BATCH_JOB = "c2f0c1de-77a5-4a3c-8f4e-0c0000000001"


@pytest.fixture
def on_aws(cloud: Cloud, settings: Settings) -> Iterator[Cloud]:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(cloud.cell)
    get_engine.cache_clear()
    cloud.engine = cloud.watched(get_engine("aws"))  # type: ignore[arg-type]
    yield cloud
    get_engine.cache_clear()


def job_in(state: str, on_aws: Cloud, owner: User, lab: Workspace) -> Job:
    """As it comes to be in this state: by submission, hand-over, a container's claim, its runner's start."""
    job = submitted(owner, files=(make_file(lab, owner),))
    if state == "WAITING":
        return job
    dispatch()
    job.refresh_from_db()
    on_aws.batch.add(BATCH_JOB, job_name(spec_of(job), "nothing"), on_aws.cell.queue, "RUNNABLE")
    if state != "QUEUED":
        given = claim(right=right_to(job, "nothing"), container=Container(BATCH_JOB, 1))
        on_aws.batch.jobs[BATCH_JOB]["status"] = "RUNNING"
        if state == "RUNNING":
            runner.begin(holder=held(given))
    job.refresh_from_db()
    assert job.state == state
    return job


def after(clock: Clock, job: Job, ahead: timedelta) -> tuple[str, bool]:
    clock.set(ahead)
    stopping.stop_unwanted()
    job.refresh_from_db()
    return job.state, job.is_canceling


@pytest.mark.parametrize("state", ["QUEUED", "STARTING", "RUNNING"])
def test_job_is_canceling_until_aws_runs_nothing_of_it(
    on_aws: Cloud, owner: User, lab: Workspace, clock: Clock, state: str
) -> None:
    job = job_in(state, on_aws, owner, lab)
    on_aws.batch.stubborn = {BATCH_JOB: 2}
    job = cancel(user=owner, job=job)
    for n in range(3):
        assert on_aws.batch.running() == [BATCH_JOB]
        assert (job.state, job.is_canceling) == (state, True)
        assert after(clock, job, SURE * n) == (state, True)
    assert on_aws.batch.running() == []
    assert after(clock, job, SURE * 3) == (JobState.CANCELED, False)
    assert [one["status"] for one in on_aws.executions()] == ["ABORTED"]


def test_waiting_job_is_canceled_at_once_and_aws_never_hears_of_it(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    job = cancel(user=owner, job=job_in("WAITING", on_aws, owner, lab))
    assert job.state == JobState.CANCELED
    dispatch()
    assert on_aws.executions() == []


def test_execution_whose_start_crossed_the_cancel_is_ended(
    on_aws: Cloud, owner: User, lab: Workspace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    start = on_aws.engine.start

    def crossed(spec: object) -> str:
        ref = start(spec)  # type: ignore[arg-type]
        cancel(user=owner, job=job)
        return ref

    monkeypatch.setattr(on_aws.engine, "start", crossed)
    dispatch()
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    for n in range(2):
        after(clock, job, SURE * n)
    assert [one["status"] for one in on_aws.executions()] == ["ABORTED"]
    assert Execution.objects.get().settled_at is not None


@pytest.mark.parametrize("fate", [Fate.THROTTLED, Fate.LOST_REPLY, Fate.DENIED])
def test_stop_that_does_not_get_through_leaves_the_job_canceling(
    on_aws: Cloud, owner: User, lab: Workspace, clock: Clock, fate: Fate
) -> None:
    job = cancel(user=owner, job=job_in("RUNNING", on_aws, owner, lab))
    on_aws.wire("StopExecution", [fate] * 3)
    assert after(clock, job, timedelta(0)) == (JobState.RUNNING, True)
    ends = [after(clock, job, SURE * n) for n in range(1, 6)]
    assert ends[-1] == (JobState.CANCELED, False)
    assert on_aws.batch.running() == []


def test_worker_that_dies_after_the_stop_leaves_the_confirmation_to_the_next(
    on_aws: Cloud, owner: User, lab: Workspace, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(name: str) -> None:
        if name == "engine.stopped":
            raise Killed

    job = cancel(user=owner, job=job_in("RUNNING", on_aws, owner, lab))
    monkeypatch.setattr("orchestration.engines.step_functions.adapter.point", killed)
    with pytest.raises(Killed):
        stopping.stop_unwanted()
    assert on_aws.batch.running() == [BATCH_JOB], "the execution is stopped, its Batch job is not"
    monkeypatch.undo()
    sweep.reconcile()
    assert [after(clock, job, SURE * n)[0] for n in (1, 2)] == [JobState.RUNNING, JobState.CANCELED]
    assert on_aws.batch.running() == []
