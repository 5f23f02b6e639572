"""Executions that no row knows are taken up or ended, and what the reconciler mends is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.engines.base import OpenExecution, Report
from orchestration.errors import EngineUnavailable
from orchestration.execution import stopping, unknown
from orchestration.execution.sweep import advance_stalled, reconcile
from orchestration.execution.unknown import find_unknown
from orchestration.models import Attempt, Execution, Item, Job, Repair, StepRun
from orchestration.models.repair import count_repairs
from orchestration.services.claims import claim
from orchestration.services.jobs import cancel
from tests.orchestration.test_claims import container, right_to, two_steps
from tests.orchestration.test_witness import Played, engine, interrupted, piece

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace

__all__ = ["engine"]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_aws(settings: Settings) -> None:
    settings.ENGINE = "aws"


@pytest.fixture
def lost(owner: User, lab: Workspace, settings: Settings, engine: Played) -> Job:
    """Its dispatcher died after the start and before the record."""
    settings.ENGINE = "local"
    job = two_steps(owner, lab, items=1)
    settings.ENGINE = "aws"
    Attempt.objects.all().delete()
    Item.objects.all().delete()
    StepRun.objects.update(state="WAITING", started_at=None)
    Job.objects.update(execution=None)
    Execution.objects.all().delete()
    job.refresh_from_db()
    engine.open = (opened(job),)
    return job


def opened(job: Job, run: int = 1) -> OpenExecution:
    return OpenExecution(f"{job.pk}-r{run}", f"arn:of:{job.pk}-r{run}")


def repairs() -> dict[str, int]:
    return dict(Repair.objects.values_list("kind", "total"))


def test_execution_of_a_job_that_waits_for_its_hand_over_is_taken_up(lost: Job) -> None:
    assert [find_unknown(), find_unknown()] == [1, 0]
    lost.refresh_from_db()
    assert lost.execution is not None
    assert (lost.execution.name, lost.execution.engine) == (lost.execution_name, "aws")
    assert lost.execution.external_ref == f"arn:of:{lost.execution_name}"
    assert Attempt.objects.filter(job=lost).count() == 1, "and it goes on"
    assert repairs() == {"execution_taken_up": 1}


def test_execution_of_a_job_that_was_canceled_meanwhile_is_ended(lost: Job, owner: User, engine: Played) -> None:
    cancel(user=owner, job=lost)
    engine.stops = [False]
    assert find_unknown() == 1
    stopping.stop_unwanted()
    assert [said.partition(":")[0] for said in engine.stopped] == [lost.execution_name]
    lost.refresh_from_db()
    assert (lost.state, lost.execution) == ("CANCELED", None)
    assert repairs() == {"execution_unwanted": 1}


def test_execution_of_an_earlier_run_is_ended(lost: Job, engine: Played) -> None:
    Job.objects.update(run=2)
    engine.stops = [False]
    assert find_unknown() == 1
    stopping.stop_unwanted()
    assert [said.partition(":")[0] for said in engine.stopped] == [lost.execution_name]


def test_execution_of_a_job_that_is_not_admitted_again_yet_is_left_to_its_hand_over(lost: Job) -> None:
    Job.objects.update(state="WAITING")
    assert find_unknown() == 0
    assert not Execution.objects.exists()


@pytest.mark.parametrize("name", ["01a224e3-7028-7118-932b-7418f8b4acc3-r1", "somebody-s-own"])
def test_execution_of_nobody_we_know_is_left_alone(lost: Job, engine: Played, name: str) -> None:
    engine.open = (OpenExecution(name, "arn"),)
    assert find_unknown() == 0
    stopping.stop_unwanted()
    assert engine.stopped == []


def test_execution_that_a_row_knows_is_left_alone(lost: Job) -> None:
    find_unknown()
    Job.objects.update(execution=None)
    assert find_unknown() == 0


def test_engine_that_does_not_answer_is_asked_next_time(
    lost: Job, engine: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> tuple[OpenExecution, ...]:
        raise EngineUnavailable("Waiting for AWS.")

    with monkeypatch.context() as patch:
        patch.setattr(engine, "open_executions", away)
        assert find_unknown() == 0
    assert find_unknown() == 1


def test_worker_that_dies_before_it_goes_on_leaves_it_to_the_sweep(lost: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def point(_name: str) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(unknown, "point", point)
        with pytest.raises(Killed):
            find_unknown()
    assert not Attempt.objects.exists()
    assert advance_stalled() == 1
    assert Attempt.objects.filter(job=lost).count() == 1
    assert repairs() == {"job_stalled": 1}


def test_repairs_of_a_round_are_counted_by_their_kind(owner: User, lost: Job, engine: Played) -> None:
    find_unknown()
    claim(right=right_to(Job.objects.get(pk=lost.pk)), container=container())
    engine.found = Report(pieces=(piece(lost, tries=(interrupted(),)),))
    assert reconcile() == 1
    assert reconcile() == 0
    assert repairs() == {"execution_taken_up": 1, "container_ended": 1}


def test_job_that_just_waits_for_its_engine_is_no_repair(owner: User, lost: Job) -> None:
    find_unknown()
    cancel(user=owner, job=Job.objects.get(pk=lost.pk))
    assert advance_stalled() == 0
    assert repairs() == {"execution_taken_up": 1}


def test_counts_add_up_and_nothing_is_counted_for_nothing() -> None:
    assert [count_repairs("a"), count_repairs("a", 4), count_repairs("b", 0)] == [1, 4, 0]
    assert repairs() == {"a": 5}
