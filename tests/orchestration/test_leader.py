"""One dispatcher acts where an engine's allowance is scarce; another takes over soon, and the old one does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from celery.signals import worker_shutting_down
from django.utils import timezone

import project.celery  # noqa: F401  what the worker is told is heard there
from orchestration import going
from orchestration.errors import EngineRejected
from orchestration.execution.dispatch import dispatch
from orchestration.execution.leader import LASTS, leading
from orchestration.execution.pacing import DUTY
from orchestration.models import Attempt, Execution, Job, Leadership
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import JobState
from tests.orchestration.clock import clock
from tests.orchestration.paced import paced
from tests.orchestration.test_healing import at_once
from tests.orchestration.test_pace import handed_over, queued

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import User, Workspace
    from tests.orchestration.paced import PacedEngine

__all__ = ["clock", "paced"]  # fixtures

pytestmark = pytest.mark.django_db


def test_another_takes_over_within_seconds_when_the_leader_dies(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    queued(owner, lab, 1)
    dead = leading(DUTY)
    dead.__enter__()
    dispatch(pause=paced.clock.sleep)
    paced.clock.sleep(LASTS.total_seconds() - 0.1)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 0, "who leads has been silent for less than that"
    paced.clock.sleep(0.2)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 1
    assert LASTS.total_seconds() < 10


def test_leader_that_was_taken_for_dead_stops_and_starts_nothing_twice(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    """It is halted while it starts the first of three jobs, for longer than its place and its claim last."""
    jobs = queued(owner, lab, 3)

    def halted(_: ExecutionSpec) -> None:
        paced.meanwhile = lambda _: None
        paced.clock.sleep(30)
        dispatch(pause=paced.clock.sleep)

    paced.meanwhile = halted
    assert not dispatch(pause=paced.clock.sleep)
    assert paced.starts == {job.execution_name: 2 if job == jobs[0] else 1 for job in jobs}
    assert (Execution.objects.count(), Attempt.objects.count()) == (3, 3)


def test_leader_that_lost_its_place_hands_over_nothing_more(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    queued(owner, lab, 3)
    paced.meanwhile = lambda _: Leadership.objects.update(holder=uuid4())
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 1


def test_leader_that_lost_its_place_while_it_waited_for_its_turn_hands_over_nothing_more(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    queued(owner, lab, 12)

    def sleep(seconds: float) -> None:
        paced.clock.sleep(seconds)
        Leadership.objects.update(holder=uuid4())

    assert not dispatch(pause=sleep)
    assert handed_over() == 10


def test_what_an_old_leader_hears_of_an_earlier_run_is_not_said_of_the_next(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    (job,) = queued(owner, lab, 1)

    def halted(_: ExecutionSpec) -> None:
        paced.meanwhile = lambda _: None
        retry(user=owner, job=cancel(user=owner, job=Job.objects.get(pk=job.pk)))
        Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED)
        raise EngineRejected("There is no run 1 of it to start.")

    paced.meanwhile = halted
    dispatch(pause=paced.clock.sleep)
    job.refresh_from_db()
    assert (job.run, job.state, job.failure_kind) == (2, JobState.QUEUED, "")


def test_who_comes_while_another_leads_is_not_forgotten() -> None:
    with leading("a duty") as leader:
        assert leader
        with leading("a duty") as second:
            assert second is None
        assert not leader.leave(), "it looks once more"
        assert leader.leave()
        with leading("a duty") as third:
            assert third
            assert not leader.stay()


def test_leader_that_fails_makes_room_at_once() -> None:
    with pytest.raises(ZeroDivisionError), leading("a duty"):
        _ = 1 / 0
    with leading("a duty") as leader:
        assert leader


def test_old_leader_does_not_end_the_place_of_the_new_one() -> None:
    Leadership.objects.create(duty="a duty", holder=uuid4(), until=timezone.now() - LASTS)
    with leading("a duty") as old:
        assert old
        Leadership.objects.update(holder=uuid4())
        assert not old.stay()
        assert old.leave()
    assert Leadership.objects.get().until > timezone.now()


@pytest.mark.django_db(transaction=True)
def test_of_many_that_come_at_once_one_leads() -> None:
    inside: list[int] = []
    most: list[int] = []

    def come() -> None:
        with leading("a duty") as leader:
            if leader is None:
                return
            inside.append(1)
            most.append(len(inside))
            leader.stay()
            inside.pop()
            while not leader.leave():
                pass

    at_once(*[come] * 8)
    assert max(most) == 1


def test_who_is_told_to_end_leaves_at_once(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    queued(owner, lab, 2)
    with leading(DUTY) as ending:
        assert ending
        assert ending.stay()
        going.tell()
        try:
            assert not ending.stay()
        finally:
            going.tell(to_end=False)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 2, "another need not wait until its place runs out"


def test_worker_that_is_told_to_end_says_so_to_its_tasks() -> None:
    assert not going.is_told()
    try:
        worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
        assert going.is_told()
    finally:
        going.tell(to_end=False)
