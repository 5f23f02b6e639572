"""What an engine may be asked a second is shared out by the database, and whoever waits for it is told so."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from orchestration.engines.base import Allowance, Pace
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.quotas import allowances
from orchestration.execution import dispatch as dispatching
from orchestration.execution import pacing
from orchestration.execution.dispatch import dispatch
from orchestration.models import Execution, Job, TokenBucket
from orchestration.models.dispatching import Draw
from orchestration.states import JobState
from tests.factories import make_file, publish_pipeline
from tests.orchestration.clock import clock
from tests.orchestration.paced import STEPS, Bucket, PacedEngine, paced
from tests.orchestration.play import TWO_STEPS, run_all, submitted
from tests.orchestration.test_healing import at_once

if TYPE_CHECKING:
    from orchestration.models import PipelineVersion, User, Workspace

__all__ = ["clock", "paced"]  # fixtures

pytestmark = pytest.mark.django_db


def queued(owner: User, lab: Workspace, number: int, version: PipelineVersion | None = None) -> list[Job]:
    file = make_file(lab, owner)
    return [submitted(owner, version, files=(file,)) for _ in range(number)]


def handed_over() -> int:
    return Job.objects.filter(execution__isnull=False).count()


def test_no_more_is_handed_over_than_the_allowance_and_the_rest_says_why(
    paced: PacedEngine, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "STAY_S", 0.05)
    queued(owner, lab, 12)
    assert dispatch(pause=paced.clock.sleep), "there is more to do"
    assert handed_over() == 10, "the bucket was full, and no time has passed"
    left = Job.objects.not_handed_over()
    assert {(job.state, job.waiting_reason, job.waiting_detail) for job in left} == {
        (JobState.QUEUED, "platform", "Waiting for the test: steps.")
    }

    paced.clock.sleep(0.2)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 12
    assert {job.waiting_detail for job in Job.objects.all()} == {"Waiting for a free machine."}


def test_job_takes_as_much_as_it_has_steps_to_run(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    version = publish_pipeline(TWO_STEPS)
    (job,) = queued(owner, lab, 1, version)
    job.steps.filter(name="convert").update(state="SUCCEEDED", finished_at=job.created_at)
    dispatch(pause=paced.clock.sleep)
    queued(owner, lab, 1, version)
    dispatch(pause=paced.clock.sleep)
    assert dict(TokenBucket.objects.values_list("scope", "tokens")) == {"test/starts": 18, "test/steps": 10 - 1 - 2}


def test_step_that_may_be_submitted_twice_takes_for_both(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    spot = TWO_STEPS.replace("    retry:", "    spot: {attempts: 2, then: on_demand}\n    retry:", 1)
    assert spot != TWO_STEPS
    queued(owner, lab, 1, publish_pipeline(spot))
    dispatch(pause=paced.clock.sleep)
    assert TokenBucket.objects.get(scope="test/steps").tokens == 10 - 3


def test_job_of_more_steps_than_the_bucket_holds_goes_when_it_is_full_and_is_paid_back(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    steps = "\n".join(f"  - {{name: s{n}, command: [a]}}" for n in range(15))
    version = publish_pipeline(f"pipeline: long\nversion: 1.0.0\ntitle: Long\nsteps:\n{steps}\n")
    queued(owner, lab, 1, version)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 1
    assert TokenBucket.objects.get(scope="test/steps").tokens == -5
    queued(owner, lab, 1)
    before = paced.clock.ahead
    while dispatch(pause=paced.clock.sleep):
        pass
    assert handed_over() == 2
    assert (paced.clock.ahead - before).total_seconds() == pytest.approx(0.6, abs=0.01)


def test_nine_tenths_of_the_allowance_are_used_and_none_is_throttled(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    """The engine's own bucket is exactly what we may use: one call too many, and it would throttle."""
    paced.bucket = Bucket(STEPS.burst, STEPS.per_second, STEPS.burst)
    queued(owner, lab, 60)
    while dispatch(pause=paced.clock.sleep):
        pass
    seconds = paced.clock.ahead.total_seconds()
    assert handed_over() == 60
    assert 0.9 * (STEPS.burst + seconds * STEPS.per_second) <= 60
    assert (paced.throttled, set(paced.starts.values()), Execution.objects.count()) == (0, {1}, 60)


def test_engine_without_allowances_is_not_slowed(owner: User, lab: Workspace) -> None:
    jobs = [run_all(job) for job in queued(owner, lab, 3)]
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert not TokenBucket.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_as_many_starts_are_under_way_as_the_engine_allows_and_each_job_is_started_once(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three meet, or none of them would go on."""
    together = threading.Barrier(3, timeout=60)
    plenty = Allowance("test/plenty", per_second=1_000, burst=1_000, each_start=1)
    engine = PacedEngine(pace=Pace((plenty,), at_once=3))
    engine.meanwhile = lambda _: together.wait()
    monkeypatch.setattr(dispatching, "get_engine", lambda _name: engine)
    jobs = queued(owner, lab, 9)
    while dispatch():
        pass
    assert dict(engine.starts) == {job.execution_name: 1 for job in jobs}
    assert handed_over() == 9


@pytest.mark.django_db(transaction=True)
def test_dispatchers_at_once_hand_each_job_over_once(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes while another leads goes again, and nothing is left lying."""
    plenty = Allowance("test/plenty", per_second=1_000, burst=1_000, each_start=1)
    engine = PacedEngine(pace=Pace((plenty,), at_once=2))
    monkeypatch.setattr(dispatching, "get_engine", lambda _name: engine)
    jobs = queued(owner, lab, 8)
    at_once(*[dispatch] * 4)
    assert dict(engine.starts) == {job.execution_name: 1 for job in jobs}


@pytest.mark.django_db(transaction=True)
def test_processes_together_get_no_more_than_the_bucket_has() -> None:
    draw = Draw("test", rate=1e-6, burst=25, amount=1)
    given: list[bool] = []

    def take() -> None:
        given.extend(TokenBucket.objects.take([draw]) is None for _ in range(10))

    at_once(*[take] * 8)
    assert (given.count(True), given.count(False)) == (25, 55)


def test_one_bucket_that_has_too_little_leaves_the_others_whole(paced: PacedEngine) -> None:
    plenty, little = Draw("a", rate=1, burst=10, amount=1), Draw("b", rate=2, burst=1, amount=1)
    assert TokenBucket.objects.take([plenty, little]) is None
    wait = TokenBucket.objects.take([plenty, little])
    assert wait is not None
    assert (wait.scope, wait.seconds) == ("b", 0.5)
    assert TokenBucket.objects.get(scope="a").tokens == 9


def test_bucket_that_is_new_does_not_let_the_others_give_twice(paced: PacedEngine) -> None:
    known, new = Draw("a", rate=1, burst=10, amount=1), Draw("b", rate=1, burst=10, amount=1)
    TokenBucket.objects.take([known])
    TokenBucket.objects.take([known, new])
    assert dict(TokenBucket.objects.values_list("scope", "tokens")) == {"a": 8, "b": 9}


def test_bucket_of_an_earlier_clock_is_not_closed_for_long(paced: PacedEngine) -> None:
    """After a failover the database's clock may be behind."""
    draw = Draw("a", rate=1, burst=10, amount=1)
    paced.clock.sleep(3_600)
    TokenBucket.objects.take([draw])
    paced.clock.sleep(-3_600)
    wait = TokenBucket.objects.take([draw])
    assert wait is None or wait.seconds <= 10


def test_engine_on_aws_allows_half_of_the_quotas() -> None:
    """The bigger Regions have more of one."""

    def of(region: str) -> list[tuple[str, float, float]]:
        machine = f"arn:aws:states:{region}:123456789012:stateMachine:esteira"
        cell = Cell(machine, "q", "i", "l", "https://e.example")
        return [(one.scope, one.burst, one.per_second) for one in allowances(cell)]

    assert of("eu-west-1") == [
        ("aws/123456789012/eu-west-1/StartExecution", 650, 150),
        ("aws/123456789012/eu-west-1/SubmitJob", 25, 25),
    ]
    assert of("sa-east-1")[0] == ("aws/123456789012/sa-east-1/StartExecution", 400, 75)
