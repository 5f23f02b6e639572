from __future__ import annotations

import hashlib

import pytest

from orchestration.errors import JobNotFinished, NothingToRetry
from orchestration.execution.dispatch import dispatch
from orchestration.execution.outputs import output_key
from orchestration.models import Attempt, File, Item, Job, User, Workspace
from orchestration.services import runner
from orchestration.services.jobs import cancel, resubmit
from orchestration.services.reruns import rerun_items, retry
from orchestration.services.status import results_of
from orchestration.states import JobState
from orchestration.storage.registry import get_storage
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run_all, submitted

pytestmark = pytest.mark.django_db


def failed_job(owner: User, lab: Workspace, failing: dict[int, str]) -> Job:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(4))
    return run_all(submitted(owner, publish_pipeline(TWO_STEPS), files), failing=failing)


def ran(job: Job) -> list[tuple[int, str, int]]:
    attempts = Attempt.objects.filter(job=job).order_by("run", "step", "item_index")
    return list(attempts.values_list("run", "step", "item_index"))


def test_retry_runs_only_what_failed_and_what_needs_it(owner: User, lab: Workspace) -> None:
    job = failed_job(owner, lab, dict.fromkeys((0, 1, 3), "INPUT"))
    assert job.state == JobState.FAILED

    job = retry(user=owner, job=job)
    assert (job.state, job.run, job.failure_kind) == (JobState.WAITING, 2, "")
    job = run_all(job)
    assert job.state == JobState.SUCCEEDED
    assert [a for a in ran(job) if a[0] == 2] == [
        (2, "convert", 0),
        (2, "convert", 1),
        (2, "convert", 3),
        (2, "report", 0),
    ]


def test_rerun_of_chosen_items_leaves_the_other_failures(owner: User, lab: Workspace) -> None:
    job = failed_job(owner, lab, {1: "INPUT", 2: "INPUT"})
    assert job.state == JobState.SUCCEEDED

    job = run_all(rerun_items(user=owner, job=job, step="convert", items=[2]))
    assert job.state == JobState.SUCCEEDED
    assert [a for a in ran(job) if a[0] == 2] == [(2, "convert", 2), (2, "report", 0)]
    assert Item.objects.get(step_run__job=job, step_run__name="convert", index=1).state == "FAILED"


def test_nothing_to_retry_is_said(owner: User, lab: Workspace) -> None:
    job = failed_job(owner, lab, {})
    with pytest.raises(NothingToRetry):
        retry(user=owner, job=job)


def test_running_job_cannot_be_retried(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    with pytest.raises(JobNotFinished):
        retry(user=owner, job=job)


def test_canceled_job_can_be_retried(owner: User, lab: Workspace) -> None:
    job = cancel(user=owner, job=submitted(owner, files=(make_file(lab, owner),)))
    job = run_all(retry(user=owner, job=job))
    assert job.state == JobState.SUCCEEDED


def put_output(attempt: Attempt, data: bytes) -> dict[str, object]:
    incoming = get_storage("results").receive(output_key(attempt, 0))
    incoming.write(data)
    incoming.commit()
    digest = hashlib.sha256(data).hexdigest()
    return {"path": f"{attempt.step}.txt", "size": len(data), "sha256": digest, "media_type": "text/plain"}


def finish_with_output(attempt: Attempt, data: bytes) -> None:
    runner.begin(holder=holder(attempt))
    end(attempt, outputs=[put_output(attempt, data)])


def test_results_of_a_rerun_replace_those_that_depended_on_the_failure(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(2))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    good, bad = lease()
    finish_with_output(good, b"good")
    runner.begin(holder=holder(bad))
    end(bad, "failed", failure_kind="INPUT")
    (report,) = lease()
    finish_with_output(report, b"first report")

    rerun_items(user=owner, job=job)
    dispatch()
    (again,) = lease()
    assert again.item_index == 1
    finish_with_output(again, b"better")
    (report,) = lease()
    finish_with_output(report, b"second report")

    names = [(f.step, f.item_index, f.size) for f in results_of(job)]
    assert names == [("report", 0, 13), ("convert", 0, 4), ("convert", 1, 6)], "the report comes first"
    assert File.objects.filter(job=job, superseded_at__isnull=False).count() == 1


def test_resubmit_makes_a_new_job_with_the_changes(owner: User, lab: Workspace) -> None:
    old = failed_job(owner, lab, {})
    new, created = resubmit(user=owner, job=old, changes={"name": "again"})
    assert created
    assert new.pk != old.pk
    assert (new.resubmitted_from_id, new.name, new.input_count) == (old.pk, "again", 4)
