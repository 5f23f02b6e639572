"""What an engine cannot take just now is asked again: later each time, not all at once, and the page says why."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from orchestration.errors import EngineBusy, EngineRejected, EngineUnavailable
from orchestration.execution.dispatch import dispatch
from orchestration.execution.pacing import LATERS
from orchestration.models import Job
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import JobState
from tests.orchestration.clock import clock
from tests.orchestration.paced import STEPS, Bucket, paced
from tests.orchestration.test_pace import handed_over, queued

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionSpec
    from orchestration.models import User, Workspace
    from tests.orchestration.paced import PacedEngine

__all__ = ["clock", "paced"]  # fixtures

pytestmark = pytest.mark.django_db
AWAY = "Waiting for the test. Nobody is there."


def asked(paced: PacedEngine) -> list[str]:
    """Fills as the engine is asked for a start, whatever it answers."""
    names: list[str] = []
    paced.meanwhile = lambda spec: names.append(spec.name)
    return names


def test_each_try_is_later_than_the_last_by_up_to_twice_as_much(
    paced: PacedEngine, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    (job,) = queued(owner, lab, 1)
    names = asked(paced)
    paced.faults = (EngineUnavailable(AWAY) for _ in range(9))
    for number, pause in enumerate([1, 2, 4, 8, 16, 32, 60, 60, 60], start=1):
        dispatch(pause=paced.clock.sleep)
        paced.clock.sleep(pause - 0.01)
        dispatch(pause=paced.clock.sleep)
        assert len(names) == number
        job.refresh_from_db()
        assert (job.state, job.hand_over_tries, job.waiting_reason) == (JobState.QUEUED, number, "platform")
        assert job.waiting_detail == AWAY
        paced.clock.sleep(0.02)
    dispatch(pause=paced.clock.sleep)
    job.refresh_from_db()
    assert (handed_over(), job.hand_over_tries, job.next_try_at) == (1, 0, None)
    assert job.waiting_detail == "Waiting for a free machine."


def test_tries_of_many_jobs_are_spread_over_the_whole_pause(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    queued(owner, lab, 10)
    paced.faults = (EngineBusy(AWAY) for _ in itertools.count())
    dispatch(pause=paced.clock.sleep)
    pauses = sorted(
        (at - paced.clock.now()).total_seconds() for at in Job.objects.values_list("next_try_at", flat=True) if at
    )
    assert len(pauses) == 10
    assert len(set(pauses)) == 10, "not all at once"
    assert 0 <= pauses[0] < pauses[-1] <= 1


def test_engine_that_takes_nothing_is_not_asked_by_every_job(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    queued(owner, lab, 9)
    names = asked(paced)
    paced.faults = (EngineUnavailable(AWAY) for _ in itertools.count())
    for _ in range(3):
        dispatch(pause=paced.clock.sleep)
    assert len(names) == LATERS
    assert {job.waiting_detail for job in Job.objects.all()} == {AWAY}, "and every job says why"

    paced.faults = iter(())
    paced.clock.sleep(10)
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 9


def test_engine_that_is_busy_goes_on_being_asked(paced: PacedEngine, owner: User, lab: Workspace) -> None:
    """Half of what we may ask is all that it grants: nine tenths of that are used, and nothing fails or runs twice."""
    random.seed(4)
    paced.bucket = Bucket(burst=5, per_second=5, tokens=5)
    queued(owner, lab, 45)
    while handed_over() < 45:
        if not dispatch(pause=paced.clock.sleep):
            paced.clock.sleep(0.1)
    seconds = paced.times[34]
    assert 0.9 * (5 + 5 * seconds) <= 35, "while enough others wait"
    assert paced.throttled + 45 <= STEPS.burst + STEPS.per_second * paced.times[-1] + 1
    assert set(paced.starts.values()) == {1}
    assert not Job.objects.exclude(failure_kind="").exists()


def test_refused_job_fails_with_the_sentence_and_is_not_asked_for_again(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    (job,) = queued(owner, lab, 1)
    names = asked(paced)
    paced.faults = iter([EngineRejected("AWS refused. It is called wrongly.", reason="InvalidName")])
    for _ in range(3):
        dispatch(pause=paced.clock.sleep)
        paced.clock.sleep(60)
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == (JobState.FAILED, "PLATFORM")
    assert job.failure_detail == "AWS refused. It is called wrongly."
    assert len(names) == 1


def test_retry_by_hand_does_not_wait_for_the_pause_of_the_run_before(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    (job,) = queued(owner, lab, 1)
    paced.faults = iter([EngineUnavailable(AWAY)])
    dispatch(pause=paced.clock.sleep)
    Job.objects.update(next_try_at=paced.clock.now().replace(year=2999), hand_over_tries=9)
    retry(user=owner, job=cancel(user=owner, job=Job.objects.get(pk=job.pk)))
    dispatch(pause=paced.clock.sleep)
    assert handed_over() == 1


def test_job_that_is_canceled_while_it_waits_is_not_asked_for_again(
    paced: PacedEngine, owner: User, lab: Workspace
) -> None:
    (job,) = queued(owner, lab, 1)

    def canceled(_: ExecutionSpec) -> None:
        cancel(user=owner, job=Job.objects.get(pk=job.pk))

    paced.meanwhile = canceled
    paced.faults = iter([EngineUnavailable(AWAY)])
    dispatch(pause=paced.clock.sleep)
    job.refresh_from_db()
    assert (job.state, job.waiting_reason, job.next_try_at) == (JobState.CANCELED, "", None)
