"""Interleavings and kills between two lines: who goes on, and what must not happen."""

from __future__ import annotations

import hashlib
import threading
import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orchestration.engines.base import ExecutionSpec, Report
from orchestration.engines.leasing import lost_report
from orchestration.engines.local import leases
from orchestration.engines.local.adapter import LocalEngine
from orchestration.errors import AttemptFenced, Conflict, JobNotFinished, OrchestrationError
from orchestration.execution import dispatch as dispatching
from orchestration.execution import record as recording
from orchestration.execution import sweep
from orchestration.execution.advance import advance
from orchestration.execution.dispatch import dispatch
from orchestration.execution.outputs import output_key
from orchestration.execution.sweep import advance_stalled
from orchestration.models import Attempt, File, Item, Job, JobInput, StepRun, User, Workspace
from orchestration.models.entry import Entry, enter_job
from orchestration.services import runner, status
from orchestration.services.files import delete_file
from orchestration.services.jobs import Request, cancel, submit
from orchestration.services.reruns import rerun_items, retry
from orchestration.states import JobState
from orchestration.storage.registry import get_storage
from tests.factories import join, make_file, make_job, make_user, make_workspace, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run, submitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

BRANCHES = """\
pipeline: branches
version: 1.0.0
title: Two branches
steps:
  - {name: short, command: [a]}
  - {name: long, command: [b]}
  - {name: after, needs: [short], command: [c]}
"""
CHAIN = """\
pipeline: chain
version: 1.0.0
title: A fan-out behind a reduction
steps:
  - {name: each, for_each: input, command: [a], tolerate: {failed_items: 50%}}
  - {name: total, needs: [each], command: [b]}
  - {name: normalise, needs: [total], for_each: input, command: [c]}
"""


def finish_with(attempt: Attempt, data: bytes) -> None:
    incoming = get_storage("results").receive(output_key(attempt, 0))
    incoming.write(data)
    incoming.commit()
    digest = hashlib.sha256(data).hexdigest()
    output = {"path": f"{attempt.step}.txt", "size": len(data), "sha256": digest, "media_type": "text/plain"}
    runner.begin(holder=holder(attempt))
    end(attempt, outputs=[output])


def expire(attempt: Attempt, ago: timedelta = timedelta(seconds=1)) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(lease_until=timezone.now() - ago)


@pytest.mark.django_db
def test_step_settled_by_nobody_is_found_beside_a_running_branch(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(owner, publish_pipeline(BRANCHES), (make_file(lab, owner),))
    dispatch()
    attempts = {a.step: a for a in lease()}
    for attempt in attempts.values():
        runner.begin(holder=holder(attempt))
    with monkeypatch.context() as killed:
        killed.setattr(recording, "advance", lambda _: None)
        end(attempts["short"])
    assert StepRun.objects.get(job=job, name="after").state == "WAITING"
    advance_stalled()
    assert StepRun.objects.get(job=job, name="after").state == "RUNNING"


@pytest.mark.django_db
def test_job_with_an_open_attempt_is_not_canceled_yet_and_not_retried(owner: User, lab: Workspace) -> None:
    """As a retry leaves it that was queued while the cancel looked elsewhere."""
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    job = cancel(user=owner, job=job)
    assert job.state == JobState.RUNNING
    Job.objects.filter(pk=job.pk).update(state=JobState.CANCELED, finished_at=timezone.now())
    with pytest.raises(JobNotFinished):
        retry(user=owner, job=job)


@pytest.mark.django_db
def test_one_job_that_cannot_be_advanced_holds_nobody_else_up(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = publish_pipeline()
    jobs = [submitted(owner, version, (make_file(lab, owner),)) for _ in range(3)]

    def poisoned(job_id: UUID, *, wait: bool = True) -> None:
        if job_id == jobs[0].pk:
            raise ValueError("poison")
        advance(job_id, wait=wait)

    monkeypatch.setattr(dispatching, "advance", poisoned)
    monkeypatch.setattr(sweep, "advance", poisoned)
    dispatch()
    advance_stalled()
    assert set(Attempt.objects.values_list("job", flat=True)) == {jobs[1].pk, jobs[2].pk}


@pytest.mark.django_db
def test_rerun_reaches_all_items_of_a_fan_out_behind_a_reduction(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(2))
    job = submitted(owner, publish_pipeline(CHAIN), files)
    dispatch()
    good, bad = lease()
    finish_with(good, b"good")
    run(bad, "failed", failure_kind="INPUT")
    (total,) = lease()
    finish_with(total, b"total of one")
    for attempt in lease():
        finish_with(attempt, b"by one")
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED

    rerun_items(user=owner, job=job)
    dispatch()
    (again,) = lease()
    finish_with(again, b"better")
    (total,) = lease()
    finish_with(total, b"total of two")
    assert sorted(a.item_index for a in lease()) == [0, 1]
    assert not File.objects.current().filter(job=job, step="normalise").exists(), "what was made of the old total"


@pytest.mark.django_db
def test_rerun_of_one_item_of_a_canceled_fan_out_runs_the_rest_too(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(2))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    job = cancel(user=owner, job=job)
    rerun_items(user=owner, job=job, step="convert", items=[0])
    dispatch()
    assert [a.item_index for a in lease()] == [0, 1]


@pytest.mark.django_db
def test_output_of_an_unfinished_job_cannot_be_deleted(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(2))
    submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    finish_with(lease()[0], b"one")
    with pytest.raises(Conflict, match="has not finished"):
        delete_file(user=owner, file=File.objects.get(step="convert"))


@pytest.mark.django_db
def test_job_whose_input_is_gone_is_not_retried(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "gone.csv")
    job = cancel(user=owner, job=submitted(owner, files=(file,)))
    delete_file(user=owner, file=file)
    with pytest.raises(Conflict, match=r"gone\.csv has been deleted"):
        retry(user=owner, job=job)


@pytest.mark.django_db
def test_file_deleted_between_look_and_submit_makes_no_job(owner: User, lab: Workspace) -> None:
    file, version = make_file(lab, owner), publish_pipeline()
    delete_file(user=owner, file=file)
    job = Job(workspace=lab, created_by=owner, pipeline_version=version, input_count=1)
    assert not enter_job(Entry(job, [file.pk], [("nothing", 1)]))
    assert not Job.objects.exists()
    assert not JobInput.objects.exists()
    assert not StepRun.objects.exists()


@pytest.mark.django_db
def test_lease_renewed_between_look_and_record_is_kept(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    expire(attempt, timedelta(minutes=5))
    reports = LocalEngine().report([ExecutionSpec(name=job.execution_name, job_id=job.pk, run=1)]).attempts
    assert len(reports) == 1
    runner.heartbeat(holder=holder(attempt))
    assert not recording.record(reports[0])
    assert Attempt.objects.get(pk=attempt.pk).state == "RUNNING"


@pytest.mark.django_db
def test_reconciler_leaves_a_lease_alone_that_ran_out_just_now(owner: User, lab: Workspace) -> None:
    """After an outage the supervisor renews first; whoever is faster must not give its attempts up."""
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    expire(attempt)
    assert LocalEngine().report([ExecutionSpec(name=job.execution_name, job_id=job.pk, run=1)]) == Report()


@pytest.mark.django_db
def test_old_fence_cannot_begin_what_was_leased_again_meanwhile(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (old,) = lease()
    looked_up = runner._held

    def slow(who: runner.Holder) -> Attempt:
        found = looked_up(who)
        assert leases.give_back(Attempt.objects.select_related("job").get(pk=old.pk))
        assert lease()
        return found

    monkeypatch.setattr(runner, "_held", slow)
    with pytest.raises(AttemptFenced):
        runner.begin(holder=holder(old))
    assert Attempt.objects.get(pk=old.pk).state == "STARTING"


@pytest.mark.django_db
def test_lost_report_of_an_old_lease_does_not_touch_the_new_one(owner: User, lab: Workspace) -> None:
    submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (old,) = lease()
    leases.give_back(old)
    (new,) = lease()
    assert not recording.record(lost_report(old.pk, holder(new).fence - 1))
    assert Attempt.objects.get(pk=new.pk).state == "STARTING"


@pytest.mark.django_db
def test_attempt_that_goes_live_between_two_looks_breaks_no_page(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, inputs=[make_file(lab, owner)])
    item = Item.objects.get(step_run__job=job)
    Attempt.objects.create(
        job=job, item=item, step="nothing", run=1, number=1, state="RUNNING", message="hi",
        leased_by="x", lease_until=timezone.now(), heartbeat_at=None,
    )  # fmt: skip
    assert status.job_status(job).steps[0].message == "hi"


def at_once(*works: Callable[[], object]) -> None:
    """Run in threads with connections of their own."""

    def work(one: Callable[[], object]) -> None:
        try:
            one()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.django_db(transaction=True)
def test_many_dispatchers_at_once_admit_no_more_than_the_limit(owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(max_active_jobs=2)
    file, version = make_file(lab, owner), publish_pipeline()
    for _ in range(6):
        submitted(owner, version, (file,))
    at_once(*[dispatch] * 8)
    dispatch()
    assert Job.objects.active().count() == 2


@pytest.mark.django_db(transaction=True)
def test_sweep_passes_by_a_job_that_somebody_holds(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(BRANCHES), (make_file(lab, owner),))
    dispatch()
    Job.objects.filter(pk=job.pk).update(cancel_requested_at=timezone.now())
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Job.objects.select_for_update(no_key=True).get(pk=job.pk)
            held.set()
            done.wait(20)

    def pass_by() -> None:
        held.wait(5)
        begin = time.monotonic()
        advance_stalled()
        took.append(time.monotonic() - begin)
        done.set()

    took: list[float] = []
    at_once(hold, pass_by)
    assert took[0] < 5, "it waited for the lock's time-out"


@pytest.mark.django_db(transaction=True)
def test_submit_and_delete_at_once_never_leave_a_job_on_a_deleted_file(owner: User, lab: Workspace) -> None:
    publish_pipeline()
    for _ in range(10):
        file = make_file(lab, owner)
        request = Request(pipeline="noop", inputs=(file.pk,), params={})

        def send(request: Request, lost: list[Exception]) -> None:
            try:
                submit(user=owner, request=request)
            except OrchestrationError as exc:
                lost.append(exc)

        def drop(file: File, lost: list[Exception]) -> None:
            try:
                delete_file(user=owner, file=file)
            except Conflict as exc:
                lost.append(exc)

        lost: list[Exception] = []
        at_once(partial(send, request, lost), partial(drop, file, lost))
        used = JobInput.objects.filter(file=file).exists()
        deleted = File.objects.get(pk=file.pk).deleted_at is not None
        assert not (used and deleted)
        assert len(lost) == 1


@pytest.mark.django_db
def test_cancel_of_thousands_of_items_is_quick_and_whole(db: None, campaign: str) -> None:
    items = 10_000 if campaign == "full" else 2_000
    lab, owner = make_workspace("large"), make_user("large")
    join(owner, lab)
    version = publish_pipeline(TWO_STEPS)
    later = timezone.now() + timedelta(days=1)
    files = File.objects.bulk_create(
        File(
            workspace=lab, kind="upload", name=f"{n}.csv", size=1, sha256="0" * 64, media_type="text/csv",
            scan_state="clean", storage="uploads", key=f"aa/{n}", created_by=owner, expires_at=later,
        )
        for n in range(items)
    )  # fmt: skip
    request = Request(pipeline=version.pipeline.name, inputs=tuple(f.pk for f in files), params={})
    job, _ = submit(user=owner, request=request)
    dispatch()
    assert Attempt.objects.filter(job=job).count() == items
    job = cancel(user=owner, job=job)
    assert job.state == JobState.CANCELED
    assert not Item.objects.unfinished().filter(step_run__job=job).exists()
