"""From submit to the end, through the services; the order of events is part of the promise."""

from __future__ import annotations

import pytest

from orchestration.execution.advance import advance
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, Event, Item, Job, StepRun, User, Workspace
from orchestration.states import JobState, WaitingReason
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, lease, run, run_all, submitted

pytestmark = pytest.mark.django_db


def story(job: Job) -> list[str]:
    events = Event.objects.filter(job_id=job.pk).order_by("id")
    return [f"{e.kind} {e.step}{'' if e.item is None else f'[{e.item}]'} {e.new}".replace("  ", " ") for e in events]


def test_one_step_job_tells_its_whole_story(owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)))

    assert job.state == JobState.SUCCEEDED
    assert story(job) == [
        "job WAITING",
        "job QUEUED",
        "step nothing RUNNING",
        "attempt nothing[0] STARTING",
        "job STARTING",
        "attempt nothing[0] RUNNING",
        "job RUNNING",
        "attempt nothing[0] SUCCEEDED",
        "item nothing[0] SUCCEEDED",
        "step nothing SUCCEEDED",
        "job SUCCEEDED",
    ]


def test_fan_out_runs_one_item_for_each_input_and_then_the_next_step(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(3))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()

    first = lease()
    assert [(a.step, a.item_index) for a in first] == [("convert", 0), ("convert", 1), ("convert", 2)]
    for attempt in first:
        assert not [a for a in lease() if a.step == "report"]
        run(attempt)
    (report,) = lease()
    assert report.step == "report"
    run(report)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_tolerated_failures_leave_the_job_succeeded(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(4))
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), files), failing={1: "INPUT", 2: "INPUT"})

    assert job.state == JobState.SUCCEEDED
    assert Item.objects.filter(step_run__job=job, state="FAILED").count() == 2


def test_failures_beyond_tolerance_fail_the_job_and_skip_what_needs_the_step(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(4))
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), files), failing=dict.fromkeys(range(3), "INPUT"))

    assert (job.state, job.failure_kind) == (JobState.FAILED, "INPUT")
    assert "3 of 4 items failed" in job.failure_detail
    assert "item 0 is broken" in job.failure_detail
    assert StepRun.objects.get(job=job, name="report").state == "SKIPPED"


def test_interrupted_attempt_is_tried_again_and_then_given_up(owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),)), failing={0: "INTERRUPTED"})
    assert job.state == JobState.RUNNING
    again = Attempt.objects.get(job=job, state="QUEUED")
    assert again.number == 2
    assert not lease(), "the backoff keeps it from being leased at once"

    Attempt.objects.filter(pk=again.pk).update(available_at=again.created_at)
    job = run_all(job, failing={0: "INTERRUPTED"})
    assert (job.state, job.failure_kind) == (JobState.FAILED, "INTERRUPTED")
    assert Attempt.objects.filter(job=job).count() == 2


def test_workspace_at_its_limit_keeps_jobs_waiting_and_says_so(owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(max_active_jobs=1)
    file = make_file(lab, owner)
    first, second = submitted(owner, files=(file,)), submitted(owner, files=(file,))
    dispatch()
    second.refresh_from_db()
    assert (second.state, second.waiting_reason) == (JobState.WAITING, WaitingReason.CONCURRENCY)
    assert "limit" in second.waiting_detail

    run_all(first)
    run_all(second)
    assert second.state == JobState.SUCCEEDED
    assert second.waiting_reason == ""


def test_unscanned_input_keeps_the_job_waiting(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, scan_state="received")
    job = submitted(owner, files=(file,))
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.waiting_reason) == (JobState.WAITING, WaitingReason.SCAN)
    assert not lease()


def test_advancing_twice_changes_nothing(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    before = story(job)
    advance(job.pk)
    advance(job.pk)
    assert story(job) == before
    assert Attempt.objects.filter(job=job).count() == 1


def test_item_0_of_a_later_job_runs_before_item_1_of_an_earlier(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(5))
    big = submitted(owner, publish_pipeline(TWO_STEPS), files)
    small = submitted(owner, files=files[:1])
    dispatch()
    assert [a.job_id for a in lease(2)] == [big.pk, small.pk]
