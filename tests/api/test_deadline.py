"""A job that has not ended by its deadline is stopped, and says so."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from orchestration.execution.dispatch import dispatch
from orchestration.execution.overdue import stop_overdue
from orchestration.models import Event, Job
from orchestration.services.jobs import cancel, cancel_unstarted
from orchestration.services.reruns import retry
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import end, lease, run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return submitted(owner, files=(make_file(lab, owner),), deadline_s=3_600)


def pass_deadline(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(deadline=Now() - timedelta(seconds=1))


def test_deadline_is_said_as_a_moment_or_in_seconds(ana: Visitor, owner: User, lab: Workspace) -> None:
    publish_pipeline()
    body = {"pipeline": "noop", "inputs": [str(make_file(lab, owner).pk)]}
    made = ana.json("POST", "/jobs", 201, json=body | {"deadline": "2027-01-02T03:04:05-03:00"})
    assert made["deadline"] == "2027-01-02T06:04:05Z"
    assert ana.json("GET", f"/jobs/{made['id']}")["deadline"] == "2027-01-02T06:04:05Z"
    made = ana.json("POST", "/jobs", 201, json=body | {"deadline_s": 60})
    deadline = Job.objects.get(pk=made["id"]).deadline
    assert deadline is not None
    left = deadline - timezone.now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=61)
    assert ana.json("POST", "/jobs", 201, json=body)["deadline"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"deadline": "2020-01-01T00:00:00Z"}, "has passed already"),
        ({"deadline": "2050-01-01T00:00:00Z"}, "at most 366 days away"),
        ({"deadline": "2027-01-02T03:04:05"}, "deadline (Input should have timezone info)"),
        ({"deadline": "2027-01-02T03:04:05Z", "deadline_s": 60}, "not both"),
        ({"deadline_s": 0}, "deadline_s"),
    ],
)
def test_deadline_that_cannot_be_is_refused(ana: Visitor, job: Job, given: dict[str, Any], said: str) -> None:
    body = {"pipeline": "noop", "inputs": [str(job.inputs.get().pk)]}
    assert said in ana.json("POST", "/jobs", 422, json=body | given)["detail"]
    assert said in ana.json("PATCH", f"/jobs/{job.pk}", 422, json=given)["detail"]
    assert Job.objects.count() == 1


def test_deadline_is_part_of_what_a_key_stands_for(ana: Visitor, job: Job) -> None:
    body = {"pipeline": "noop", "inputs": [str(job.inputs.get().pk)], "deadline_s": 60}
    key = {"Idempotency-Key": "k"}
    made = ana.json("POST", "/jobs", 201, json=body, headers=key)
    assert ana.json("POST", "/jobs", 200, json=body, headers=key)["id"] == made["id"]
    assert ana("POST", "/jobs", json=body | {"deadline_s": 61}, headers=key).status_code == 422


def test_what_waits_is_stopped_at_once(ana: Visitor, job: Job, owner: User) -> None:
    in_time = submitted(owner, files=(job.inputs.get(),), deadline_s=3_600)
    without = submitted(owner, files=(job.inputs.get(),))
    pass_deadline(job)
    assert stop_overdue() == 1
    said = ana.json("GET", f"/jobs/{job.pk}")
    assert (said["state"], said["failure_kind"]) == ("TIMED_OUT", "RESOURCES")
    assert "had not ended by its deadline" in said["failure_detail"]
    reasons = list(Event.objects.filter(job_id=job.pk, kind="job").order_by("id").values_list("reason", flat=True))
    assert reasons[-2:] == ["deadline passed", ""]
    for other in (in_time, without):
        other.refresh_from_db()
        assert other.state == "WAITING"
    assert stop_overdue() == 0, "once"


def test_what_runs_is_canceling_until_it_has_ended(job: Job) -> None:
    dispatch()
    (attempt,) = lease()
    pass_deadline(job)
    stop_overdue()
    job.refresh_from_db()
    assert job.is_canceling
    assert job.is_overdue
    end(attempt, "canceled")
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == ("TIMED_OUT", "RESOURCES")


def test_job_that_is_done_in_time_stays_what_it_is(job: Job) -> None:
    run_all(job)
    pass_deadline(job)
    assert stop_overdue() == 0
    job.refresh_from_db()
    assert job.state == "SUCCEEDED"


def test_cancel_before_the_deadline_is_a_cancel_and_after_it_is_not(owner: User, job: Job) -> None:
    other = submitted(owner, files=(job.inputs.get(),), deadline_s=3_600)
    cancel(user=owner, job=job)
    pass_deadline(other)
    assert cancel_unstarted(user=owner, jobs=[other]) == set()
    cancel(user=owner, job=other)
    assert [Job.objects.get(pk=one.pk).state for one in (job, other)] == ["CANCELED", "TIMED_OUT"]


def test_deadline_is_moved_and_taken_away(ana: Visitor, job: Job) -> None:
    path = f"/jobs/{job.pk}"
    assert ana.json("PATCH", path, json={"name": "x"})["deadline"] is not None
    moved = ana.json("PATCH", path, json={"deadline": "2027-01-02T03:04:05Z"})
    assert moved["deadline"] == "2027-01-02T03:04:05Z"
    assert ana.json("PATCH", path, json={"deadline": None})["deadline"] is None
    reasons = Event.objects.filter(job_id=job.pk, reason="deadline changed by ana")
    assert reasons.count() == 2
    pass_deadline(job)
    assert ana.json("PATCH", path, json={"deadline_s": 60})["state"] == "WAITING"
    assert stop_overdue() == 0, "it has got more time"


def test_no_deadline_for_what_has_ended_or_is_being_stopped(
    ana: Visitor, job: Job, owner: User, lab: Workspace
) -> None:
    ended = make_job(owner, lab, state="SUCCEEDED")
    assert ana.json("PATCH", f"/jobs/{ended.pk}", 409, json={"deadline_s": 60})["code"] == "job_finished"
    dispatch()
    lease()
    ana.json("POST", f"/jobs/{job.pk}/cancel", 202)
    assert ana.json("PATCH", f"/jobs/{job.pk}", 409, json={"deadline_s": 60})["code"] == "conflict"


def test_retry_after_the_deadline_runs_without_it(owner: User, job: Job) -> None:
    pass_deadline(job)
    stop_overdue()
    job.refresh_from_db()
    retry(user=owner, job=job)
    assert (job.state, job.deadline) == ("WAITING", None)
    assert stop_overdue() == 0
    other = submitted(owner, files=(job.inputs.get(),), deadline_s=3_600)
    run_all(other, failing={0: "USER_CODE"})
    retry(user=owner, job=other)
    assert other.deadline is not None, "there is time left"
