"""The dispatcher and the engine on AWS: handed over once, later with the reason shown, or failed by the platform."""

from __future__ import annotations

import itertools
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import pytest
from django.db.models.functions import Now

from orchestration.engines.registry import get_engine
from orchestration.execution import dispatch as dispatching
from orchestration.execution import pacing
from orchestration.execution.dispatch import dispatch
from orchestration.execution.pacing import LATERS
from orchestration.execution.sweep import reconcile
from orchestration.models import BatchJobDefinition, Execution, Job
from orchestration.states import JobState
from tests.engines.wire import Fate
from tests.factories import make_file
from tests.orchestration.clock import clock
from tests.orchestration.play import submitted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import User, Workspace
    from tests.engines.cloud import Cloud
    from tests.orchestration.clock import Clock

__all__ = ["clock"]  # a fixture

pytestmark = pytest.mark.django_db


@pytest.fixture
def still(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Nothing is due before its time, and every pause is as long as it can be."""
    monkeypatch.setattr("random.random", lambda: 1.0)
    clock.stop()
    return clock


@pytest.fixture
def on_aws(cloud: Cloud, settings: Settings) -> Iterator[Cloud]:
    settings.ENGINE, settings.AWS_CELL = "aws", asdict(cloud.cell)
    get_engine.cache_clear()
    engine = get_engine("aws")
    assert engine.cell == cloud.cell  # type: ignore[attr-defined]
    cloud.engine = cloud.watched(engine)  # type: ignore[arg-type]
    yield cloud
    get_engine.cache_clear()


def test_job_is_handed_over_once(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    dispatch()
    job.refresh_from_db()

    assert job.execution is not None
    assert (job.execution.engine, job.execution.external_ref) == ("aws", on_aws.executions()[0]["executionArn"])
    assert [one["name"] for one in on_aws.executions()] == [job.execution_name]


def all_due(still: Clock) -> None:
    while dispatch(pause=still.sleep):
        pass


# What the tries of one start may meet (F22).
MET: Final = (Fate.THROTTLED, Fate.BROKEN, Fate.NO_WAY, Fate.LOST_REPLY)


def test_whatever_three_hand_overs_meet_the_job_waits_says_so_and_starts_once(
    on_aws: Cloud, owner: User, lab: Workspace, still: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "LATERS", 1_000)
    monkeypatch.setattr(dispatching, "FIRST_S", 20.0)
    file, met = make_file(lab, owner), [Fate.THROUGH]
    meets: dict[str, Iterator[Fate]] = {
        submitted(owner, files=(file,)).execution_name: iter(fates) for fates in itertools.product(MET, repeat=3)
    }
    on_aws.wire("StartExecution", (met[0] for _ in itertools.count()))
    start = on_aws.engine.start

    def starting(spec: ExecutionSpec) -> str:
        met[0] = next(meets[spec.name], Fate.THROUGH)
        return start(spec)

    monkeypatch.setattr(on_aws.engine, "start", starting)
    for number in range(1, 4):
        all_due(still)
        all_due(still)
        found = Job.objects.all()
        assert {(job.state, job.execution, job.hand_over_tries) for job in found} == {("QUEUED", None, number)}
        assert {(job.waiting_reason, job.waiting_detail[:16]) for job in found} == {("platform", "Waiting for AWS.")}
        still.sleep(60)
    all_due(still)
    assert not Job.objects.filter(execution=None).exists()
    assert not Job.objects.filter(waiting_detail__startswith="Waiting for AWS").exists()
    assert sorted(one["name"] for one in on_aws.executions()) == sorted(meets)
    assert Execution.objects.count() == len(meets) == 64


def test_throttling_is_told_from_an_engine_that_is_away(
    on_aws: Cloud, owner: User, lab: Workspace, still: Clock
) -> None:
    file = make_file(lab, owner)
    for _ in range(LATERS + 2):
        submitted(owner, files=(file,))
    wire = on_aws.wire("StartExecution", itertools.repeat(Fate.THROTTLED))
    dispatch()
    assert {job.hand_over_tries for job in Job.objects.all()} == {1}
    Job.objects.update(next_try_at=None)
    wire = on_aws.wire("StartExecution", itertools.repeat(Fate.DENIED))
    dispatch()
    assert wire.tries == LATERS, "each would find out the same"
    assert {job.waiting_detail for job in Job.objects.all()} == {
        "AWS refuses this server. StartExecution: Not so. (AccessDeniedException)"
    }


def test_first_jobs_of_a_pipeline_wait_for_its_registration_and_not_longer(
    on_aws: Cloud, owner: User, lab: Workspace, still: Clock
) -> None:
    """One of them registers it; that the others have to wait for that is no sign of an engine that is away."""
    file = make_file(lab, owner)
    submitted(owner, files=(file,))
    dispatch()
    BatchJobDefinition.objects.update(arn="", claimed_at=Now())
    for _ in range(LATERS + 2):
        submitted(owner, files=(file,))
    dispatch()
    assert {job.hand_over_tries for job in Job.objects.filter(execution=None)} == {1}
    BatchJobDefinition.objects.update(claimed_at=None)
    still.sleep(1)
    dispatch()
    assert len(on_aws.executions()) == LATERS + 3


def test_execution_that_does_other_work_fails_the_job_with_its_code_and_is_not_asked_for_again(
    on_aws: Cloud, owner: User, lab: Workspace, still: Clock
) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    on_aws.client("stepfunctions").start_execution(
        stateMachineArn=on_aws.cell.state_machine, name=job.execution_name, input="{}"
    )
    for _ in range(3):
        dispatch()
        still.sleep(60)
    job.refresh_from_db()
    assert (job.state, job.failure_kind, job.execution) == (JobState.FAILED, "PLATFORM", None)
    assert "that does other work (ExecutionAlreadyExists)" in job.failure_detail
    assert on_aws.calls.count("StartExecution") == 1


@pytest.mark.parametrize("is_same_input", [True, False])
def test_execution_of_ours_that_has_ended_is_adopted_and_the_job_ends_with_it(
    on_aws: Cloud, owner: User, lab: Workspace, still: Clock, *, is_same_input: bool
) -> None:
    """Its start got through, the answer was lost, and somebody stopped it before anybody asked again."""
    job = submitted(owner, files=(make_file(lab, owner),))
    on_aws.wire("StartExecution", [Fate.LOST_REPLY, Fate.NO_WAY, Fate.NO_WAY])
    dispatch()
    (execution,) = on_aws.executions()
    on_aws.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    if not is_same_input:
        version = job.pipeline_version
        version.spec["steps"][0]["timeout_s"] = 7
        version.save(update_fields=["spec"])
    still.sleep(60)
    dispatch()
    job.refresh_from_db()
    assert job.execution is not None
    assert job.execution.external_ref == execution["executionArn"]
    reconcile()
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    assert on_aws.calls.count("StartExecution") == 2


def test_job_that_aws_refuses_has_failed_by_the_platform(on_aws: Cloud, owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    on_aws.wire("StartExecution", itertools.repeat(Fate.INVALID))
    dispatch()
    job.refresh_from_db()

    assert (job.state, job.failure_kind) == (JobState.FAILED, "PLATFORM")
    assert "InvalidName" in job.failure_detail
