from __future__ import annotations

import pytest

from orchestration.errors import AttemptFenced, Forbidden, JobFinished
from orchestration.execution.dispatch import dispatch
from orchestration.execution.sweep import advance_stalled
from orchestration.models import Attempt, Event, Item, StepRun, User, Workspace
from orchestration.services import runner
from orchestration.services.jobs import cancel
from orchestration.services.work_orders import work_order
from orchestration.states import FINISHED, JOB_FINISHED, JobState
from tests.factories import join, make_file, make_job, make_user, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run, submitted

pytestmark = pytest.mark.django_db


def test_waiting_job_is_canceled_at_once(owner: User, lab: Workspace) -> None:
    job = cancel(user=owner, job=submitted(owner, files=(make_file(lab, owner),)))
    assert job.state == JobState.CANCELED
    dispatch()
    assert not Attempt.objects.filter(job=job).exists()


def test_queued_attempts_never_start_after_a_cancel(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    job = cancel(user=owner, job=job)
    assert job.state == JobState.CANCELED
    assert not lease()


def test_canceled_attempt_is_told_with_its_number_like_every_other(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    cancel(user=owner, job=job)
    event = Event.objects.get(job_id=job.pk, kind="attempt")
    assert (event.old, event.new, event.data) == ("QUEUED", "CANCELED", {"run": 1, "number": 1})


def test_canceled_while_it_starts_it_ends_without_having_begun(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    cancel(user=owner, job=job)

    begun = runner.begin(holder=holder(attempt))
    assert (begun.state, work_order(begun)["cancel"]) == ("STARTING", True)

    end(attempt, "canceled")
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    assert not Event.objects.filter(job_id=job.pk, new="RUNNING").exclude(kind="step").exists()


def test_running_job_is_canceling_until_its_last_attempt_has_ended(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(3))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    first, second = lease(2)
    run(first)
    runner.begin(holder=holder(second))

    job = cancel(user=owner, job=job)
    assert (job.state, job.is_canceling) == (JobState.RUNNING, True)
    assert runner.heartbeat(holder=holder(second)), "the runner is told to stop"

    end(second, "canceled")
    job.refresh_from_db()
    assert (job.state, job.is_canceling) == (JobState.CANCELED, False)
    assert set(StepRun.objects.filter(job=job).values_list("state", flat=True)) == {"CANCELED"}
    assert not Item.objects.filter(step_run__job=job).exclude(state__in=FINISHED).exists()


def test_success_that_beats_the_cancel_is_kept_but_the_job_goes_no_further(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    cancel(user=owner, job=job)
    end(attempt, "succeeded")
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    assert Attempt.objects.get(pk=attempt.pk).state == "SUCCEEDED"
    assert not lease()


def test_failed_attempt_is_not_tried_again_once_the_job_is_canceling(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    cancel(user=owner, job=job)
    end(attempt, "failed", failure_kind="INTERRUPTED")
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    assert Attempt.objects.filter(job=job).count() == 1


def test_attempt_queued_behind_the_back_of_a_cancel_is_swept(owner: User, lab: Workspace) -> None:
    """A retry can be written by a transaction that read the job before the cancel was committed."""
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    run(attempt, "failed", failure_kind="INTERRUPTED")
    type(job).objects.filter(pk=job.pk).update(cancel_requested_at=attempt.created_at)
    assert not lease()
    advance_stalled()
    job.refresh_from_db()
    assert job.state == JobState.CANCELED


def test_late_report_of_a_canceled_job_changes_nothing(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    cancel(user=owner, job=job)
    end(attempt, "canceled")
    with pytest.raises(AttemptFenced):
        end(attempt, "succeeded")
    job.refresh_from_db()
    assert job.state == JobState.CANCELED


def test_second_cancel_changes_nothing(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    first = cancel(user=owner, job=job).cancel_requested_at
    assert cancel(user=owner, job=job).cancel_requested_at == first


@pytest.mark.parametrize("state", sorted(JOB_FINISHED))
def test_finished_job_cannot_be_canceled(owner: User, lab: Workspace, state: str) -> None:
    job = make_job(owner, lab, state=state)
    with pytest.raises(JobFinished):
        cancel(user=owner, job=job)
    job.refresh_from_db()
    assert job.state == state


def test_viewer_may_not_cancel(owner: User, lab: Workspace) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    job = submitted(owner, files=(make_file(lab, owner),))
    with pytest.raises(Forbidden):
        cancel(user=viewer, job=job)
