"""What must never be true of a job is found while the platform runs, once, and is gone when it is mended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.execution import invariants
from orchestration.execution.invariants import INVARIANTS, OF_THE_ENDED, STANDS, look
from orchestration.execution.leader import leading
from orchestration.ids import new_id
from orchestration.models import Attempt, Event, File, InvariantWatch, Job, Violation
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.states import EventKind
from tests.factories import make_file, make_job, make_user, make_workspace, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "REST", timedelta(seconds=-1))


def done(owner: User, lab: Workspace) -> Job:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(2))
    return run_all(submitted(owner, publish_pipeline(TWO_STEPS), files))


def found() -> set[tuple[str, str]]:
    return {(one.invariant, str(one.job_id)) for one in Violation.objects.filter(resolved_at__isnull=True)}


def test_nothing_is_found_where_all_is_well(owner: User, lab: Workspace) -> None:
    job = done(owner, lab)
    failed = run_all(submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),)), failing={0: "USER_CODE"})
    cancel(user=owner, job=submitted(owner, files=(make_file(lab, owner),)))
    assert look() == 0
    retry(user=owner, job=failed)
    run_all(failed)
    make_job(owner, lab, state="RUNNING")
    assert look() == 0
    last = Job.objects.exclude(pk=job.pk).filter(finished_at__isnull=False).latest("finished_at")
    assert InvariantWatch.objects.get().through_at == last.finished_at


def end_twice(job: Job, _owner: User) -> None:
    job.event(EventKind.JOB, old="RUNNING", new="SUCCEEDED").save(force_insert=True)


def jump(job: Job, _owner: User) -> None:
    Event.objects.filter(job_id=job.pk, kind="job", new="RUNNING").update(old="WAITING")


def another_attempt(job: Job, state: str) -> Attempt:
    attempt: Attempt = job.attempts.order_by("pk")[0]
    attempt.pk, attempt.number, attempt.state = new_id(), 9, state
    attempt.save(force_insert=True)
    return attempt


def leave_open(job: Job, _owner: User) -> None:
    Attempt.objects.filter(pk=job.attempts.order_by("pk")[0].pk).update(state="QUEUED", finished_at=None)


def succeed_twice(job: Job, _owner: User) -> None:
    another_attempt(job, "SUCCEEDED")


def output(job: Job, owner: User, name: str, attempt: Attempt | None = None) -> File:
    attempt = attempt or job.attempts.order_by("pk")[0]
    of: dict[str, Any] = {"step": attempt.step, "item_index": 0, "attempt_id": attempt.pk}
    return make_file(job.workspace, owner, name, kind="result", job=job, **of)


def output_twice(job: Job, owner: User) -> None:
    output(job, owner, "same")
    output(job, owner, "same")


def output_of_a_failure(job: Job, owner: User) -> None:
    output(job, owner, "late", another_attempt(job, "FAILED"))


def read_elsewhere(job: Job, _owner: User) -> None:
    stranger = make_user("stranger")
    elsewhere = make_workspace("far-away")
    job.job_inputs.filter(position=0).update(file=make_file(elsewhere, stranger))


def write_elsewhere(job: Job, owner: User) -> None:
    File.objects.filter(pk=output(job, owner, "x").pk).update(workspace=make_workspace("far-away"))


BREAKS = {
    end_twice: "one_end",
    jump: "events_follow",
    leave_open: "work_ended",
    succeed_twice: "one_success",
    output_twice: "outputs_once",
    output_of_a_failure: "outputs_of_success",
    read_elsewhere: "own_files",
    write_elsewhere: "own_files",
}


def test_every_invariant_is_tried() -> None:
    assert {*BREAKS.values(), STANDS} == set(INVARIANTS)


@pytest.mark.parametrize(("broken", "invariant"), BREAKS.items(), ids=lambda one: getattr(one, "__name__", one))
def test_what_must_never_be_is_found(
    owner: User, lab: Workspace, broken: Callable[[Job, User], None], invariant: str
) -> None:
    job = done(owner, lab)
    broken(job, owner)
    look()
    assert (invariant, str(job.pk)) in found()
    assert len(found()) <= 2
    (one,) = Violation.objects.filter(invariant=invariant)
    assert one.detail
    look()
    assert Violation.objects.filter(invariant=invariant).get() == one, "once, however often it is looked at"


def test_what_was_mended_is_resolved(owner: User, lab: Workspace) -> None:
    job = done(owner, lab)
    succeed_twice(job, owner)
    assert look() == 1
    job.attempts.filter(number=9).delete()
    assert look() == 0
    assert Violation.objects.get().resolved_at is not None


def test_job_that_stands_still_is_found_and_one_that_moves_is_not(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    Job.objects.filter(pk=job.pk).update(state="RUNNING")
    Event.objects.filter(job_id=job.pk).update(at=timezone.now() - timedelta(minutes=14))
    assert look() == 0
    Event.objects.filter(job_id=job.pk).update(at=timezone.now() - timedelta(minutes=16))
    assert look() == 1
    assert found() == {(STANDS, str(job.pk))}
    job.event(EventKind.JOB, old="RUNNING", new="RUNNING").save(force_insert=True)
    assert look() == 0


def test_job_is_looked_at_once_and_none_is_left_out(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "AT_ONCE", 2)
    looked: list[str] = []
    settle = invariants._found

    def noted(statement: str, jobs: list[UUID] | None = None) -> dict[UUID, str]:
        if statement == OF_THE_ENDED["one_end"]:
            looked.extend(map(str, jobs or ()))
        return settle(statement, jobs)

    monkeypatch.setattr(invariants, "_found", noted)
    at = timezone.now() - timedelta(minutes=5)
    jobs = [make_job(owner, lab, state="CANCELED", finished_at=at) for _ in range(5)]
    look()
    assert sorted(looked) == sorted(str(job.pk) for job in jobs), "also those of one moment"
    assert look() == 5, "they were made without events, so they have no end: each is found, and looked at again"


def test_ends_that_may_still_be_under_way_are_left_for_later(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariants, "REST", timedelta(minutes=1))
    make_job(owner, lab, state="CANCELED")
    assert look() == 0


def test_one_looks_at_a_time(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="CANCELED")
    with leading(invariants.DUTY):
        assert look() == 0
    assert look() == 1


def test_a_look_reads_by_indexes(owner: User, lab: Workspace) -> None:
    done(owner, lab)
    statements = [invariants.STANDING, *OF_THE_ENDED.values()]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            values: dict[str, Any] = {
                "jobs": [],
                "ends": [],
                "attempt_ends": [],
                "succeeded": "",
                "at_work": [],
                "still": 1,
                "most": 1,
            }
            cursor.execute("EXPLAIN " + statement, values)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "Seq Scan on orchestration" not in plan, plan
