"""An execution counts as over when its engine has said so, for as long as it takes, and a job is canceled then."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from orchestration.errors import AttemptFenced, EngineRejected, EngineUnavailable
from orchestration.execution import stopping
from orchestration.execution.advance import advance
from orchestration.execution.dispatch import dispatch
from orchestration.execution.sweep import advance_stalled
from orchestration.models import Attempt, Event, Execution, Job, StepRun
from orchestration.services import runner
from orchestration.services.claims import claim
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import JobState
from tests.orchestration.clock import Clock, clock
from tests.orchestration.test_claims import BATCH_JOB, container, held, right_to, two_steps
from tests.orchestration.test_witness import Played, engine

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

__all__ = ["clock", "engine"]

pytestmark = pytest.mark.django_db

SURE = stopping.SETTLES + timedelta(seconds=1)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    """Handed over to AWS, with two items in the queue."""
    job = two_steps(owner, lab, items=2)
    Execution.objects.update(engine="aws")
    return job


def state(job: Job) -> tuple[str, bool]:
    job.refresh_from_db()
    return job.state, job.is_canceling


def round_at(clock: Clock, ahead: timedelta) -> int:
    clock.set(ahead)
    return stopping.stop_unwanted()


def moves(job: Job) -> list[tuple[str, str]]:
    rows = Event.objects.filter(job_id=job.pk).exclude(kind="progress").order_by("id")
    return [(event.kind, event.new) for event in rows]


def test_canceled_comes_after_the_engine_has_said_that_nothing_runs(
    owner: User, job: Job, engine: Played, clock: Clock
) -> None:
    claim(right=right_to(job), container=container())
    cancel(user=owner, job=job)
    assert state(job) == (JobState.STARTING, True)
    engine.stops = [False, True]

    assert round_at(clock, timedelta(0)) == 0
    assert state(job) == (JobState.STARTING, True), "one container runs on"
    assert round_at(clock, SURE) == 1

    assert state(job) == (JobState.CANCELED, False)
    assert Execution.objects.get().settled_at is not None
    assert set(Attempt.objects.values_list("state", flat=True)) == {"CANCELED"}
    assert set(StepRun.objects.values_list("state", flat=True)) == {"CANCELED"}
    assert moves(job)[-5:] == [("attempt", "CANCELED")] * 2 + [("step", "CANCELED")] * 2 + [("job", "CANCELED")]


def test_engine_is_asked_about_the_containers_that_hold_something(owner: User, job: Job, engine: Played) -> None:
    claim(right=right_to(job), container=container(1))
    cancel(user=owner, job=job)
    engine.stops = [False]
    stopping.stop_unwanted()
    assert engine.stopped == [f"{job.execution_name}: The job is canceled or over."]
    assert engine.pieces == [(f"{BATCH_JOB}:1",)]


def test_first_answer_is_not_believed_as_a_submission_may_be_on_its_way(
    owner: User, job: Job, engine: Played, clock: Clock
) -> None:
    cancel(user=owner, job=job)
    engine.stops = [True, True, True]
    assert round_at(clock, timedelta(0)) == 0
    assert round_at(clock, stopping.SETTLES / 2) == 0
    assert state(job)[1]
    assert round_at(clock, SURE) == 1
    assert state(job) == (JobState.CANCELED, False)


def test_answer_counts_from_when_it_was_asked_for_and_not_from_when_it_is_read(
    owner: User, job: Job, engine: Played, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asked is held up with the answer, which says nothing of a submission on its way."""
    cancel(user=owner, job=job)
    engine.stops = [False, True, True]
    assert stopping.stop_unwanted() == 0

    def held_up(at: str) -> None:
        if at == "stop.answered":
            clock.sleep(SURE.total_seconds())

    monkeypatch.setattr(stopping, "point", held_up)
    clock.sleep(stopping.SETTLES.total_seconds() / 2)
    assert stopping.stop_unwanted() == 0
    assert state(job)[1]
    assert stopping.stop_unwanted() == 1


def test_runner_that_reports_its_end_does_not_make_the_job_canceled_before_the_engine_does(
    owner: User, job: Job, engine: Played
) -> None:
    given = claim(right=right_to(job), container=container())
    runner.begin(holder=held(given))
    cancel(user=owner, job=job)
    runner.finish(holder=held(given), outcome="canceled", outputs=[])
    advance_stalled()
    assert not Attempt.objects.unfinished().exists()
    assert state(job) == (JobState.RUNNING, True)


def test_zombie_of_a_canceled_job_changes_nothing(owner: User, job: Job, engine: Played, clock: Clock) -> None:
    given = claim(right=right_to(job), container=container())
    runner.begin(holder=held(given))
    cancel(user=owner, job=job)
    engine.stops = [True, True]
    round_at(clock, timedelta(0))
    round_at(clock, SURE)
    with pytest.raises(AttemptFenced):
        runner.finish(holder=held(given), outcome="succeeded", outputs=[])
    assert state(job) == (JobState.CANCELED, False)


@pytest.mark.parametrize("error", [EngineUnavailable("later"), EngineRejected("never")])
def test_engine_that_does_not_answer_is_asked_again(
    owner: User, job: Job, engine: Played, clock: Clock, error: Exception
) -> None:
    cancel(user=owner, job=job)
    engine.stops = [error, error, True, True]
    assert [round_at(clock, SURE * n) for n in range(5)] == [0, 0, 0, 1, 0], "it heard of it with the third"
    assert len(engine.stopped) == 4
    assert state(job) == (JobState.CANCELED, False)


def test_cancel_that_is_not_confirmed_is_told_once_and_stays_what_it_is(
    owner: User, job: Job, engine: Played, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    cancel(user=owner, job=job)
    engine.stops = [EngineUnavailable("AWS is away."), False, EngineUnavailable("AWS is away."), False, True]
    with caplog.at_level(logging.ERROR, logger=stopping.__name__):
        round_at(clock, timedelta(0))
        round_at(clock, stopping.OVERDUE / 2)
        assert state(job) == (JobState.QUEUED, True)
        assert (job.waiting_reason, caplog.records) == ("capacity", [])
        for minutes in (1, 2):
            round_at(clock, stopping.OVERDUE + timedelta(minutes=minutes))
    assert state(job) == (JobState.QUEUED, True)
    assert [record.message for record in caplog.records] == ["cancel is not confirmed"]
    assert job.waiting_reason == "platform"
    assert job.waiting_detail.startswith("For 15 minutes it could not be confirmed that nothing runs any more.")
    round_at(clock, stopping.OVERDUE * 2)
    assert state(job) == (JobState.CANCELED, False)
    assert (job.waiting_reason, job.waiting_detail) == ("", "")


def test_one_that_cannot_be_ended_keeps_no_other_from_its_turn(
    owner: User, lab: Workspace, engine: Played, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "STOPS", 1)
    jobs = [two_steps(owner, lab, items=1) for _ in range(3)]
    Execution.objects.update(engine="aws")
    for job in jobs:
        cancel(user=owner, job=job)
    engine.stops = [False] * 6
    for second in range(6):
        round_at(clock, timedelta(seconds=5 * second))
    assert [said.partition(":")[0] for said in engine.stopped] == [job.execution_name for job in jobs] * 2


class Killed(BaseException):
    """As SIGKILL: nothing catches it."""


@pytest.mark.parametrize("at", ["stop.taken", "stop.answered", "stop.settled"])
def test_kill_in_between_leaves_the_rest_to_the_next_round(
    owner: User, job: Job, engine: Played, clock: Clock, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    cancel(user=owner, job=job)
    engine.stops = [True] * 4
    round_at(clock, timedelta(0))

    def point(name: str) -> None:
        if name == at:
            raise Killed

    monkeypatch.setattr(stopping, "point", point)
    with pytest.raises(Killed):
        round_at(clock, SURE)
    assert state(job)[1]
    monkeypatch.undo()
    monkeypatch.setattr(stopping, "get_engine", lambda _name: engine)
    round_at(clock, SURE * 2)
    advance_stalled()
    assert state(job) == (JobState.CANCELED, False)


def test_execution_that_goes_on_is_left_alone(job: Job, engine: Played) -> None:
    assert stopping.stop_unwanted() == 0
    assert engine.stopped == []


def test_job_that_succeeded_has_nothing_to_stop(job: Job, engine: Played) -> None:
    Job.objects.update(state=JobState.SUCCEEDED, finished_at="2026-11-29T00:00Z")
    assert stopping.stop_unwanted() == 0
    assert engine.stopped == []
    assert Execution.objects.get().settled_at is not None


def test_execution_of_an_earlier_run_is_ended_while_the_next_one_runs(
    owner: User, job: Job, engine: Played, clock: Clock
) -> None:
    """A retry takes the job away from its execution, which nobody may have ended yet."""
    first = job.execution_name
    Attempt.objects.update(state="CANCELED", finished_at="2026-11-29T00:00Z")
    Job.objects.update(state="FAILED", failure_kind="INPUT", finished_at="2026-11-29T00:00Z")
    retry(user=owner, job=job)
    dispatch()
    engine.stops = [False, True]
    assert [round_at(clock, timedelta(0)), round_at(clock, SURE), round_at(clock, SURE * 2)] == [0, 1, 0]
    assert engine.stopped == [f"{first}: The job is canceled or over."] * 2
    job.refresh_from_db()
    assert (job.run, job.state, job.is_canceling) == (2, JobState.QUEUED, False)


def test_two_workers_do_not_ask_at_once(owner: User, job: Job, engine: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel(user=owner, job=job)
    engine.stops = [False]
    both_have_seen = stopping._due()
    monkeypatch.setattr(stopping, "_due", lambda: both_have_seen)
    for _ in range(2):
        stopping.stop_unwanted()
    assert len(engine.stopped) == 1


def test_local_engine_s_job_is_canceled_as_soon_as_its_attempts_are(
    owner: User, lab: Workspace, engine: Played
) -> None:
    job = two_steps(owner, lab, items=1)
    cancel(user=owner, job=job)
    assert state(job) == (JobState.CANCELED, False)
    assert stopping.stop_unwanted() == 0
    assert engine.stopped == []


def test_job_that_no_engine_has_yet_is_canceled_at_once(owner: User, lab: Workspace) -> None:
    job = two_steps(owner, lab, items=1)
    Attempt.objects.all().delete()
    Job.objects.update(execution=None)
    job.refresh_from_db()
    assert state(job) == (JobState.QUEUED, False)
    cancel(user=owner, job=job)
    advance(job.pk)
    assert state(job) == (JobState.CANCELED, False)
