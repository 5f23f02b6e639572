"""Name, labels and priority of a job, changed by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, Event, Job
from tests.factories import make_file
from tests.orchestration.play import submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    return submitted(owner, files=(make_file(lab, owner),), name="first", labels={"a": "1"})


def reasons(job: Job) -> list[str]:
    events = Event.objects.filter(job_id=job.pk, reason__contains="changed by").order_by("id")
    return [event.reason for event in events]


def test_what_is_given_changes_and_the_rest_stays(ana: Visitor, job: Job) -> None:
    said = ana.json("PATCH", f"/jobs/{job.pk}", json={"labels": {"b": "2"}})
    assert (said["name"], said["labels"], said["priority"]) == ("first", {"b": "2"}, 0)
    said = ana.json("PATCH", f"/jobs/{job.pk}", json={"name": "", "priority": 7})
    assert (said["name"], said["labels"], said["priority"]) == ("", {"b": "2"}, 7)
    ana.json("PATCH", f"/jobs/{job.pk}", json={"priority": 7})
    assert reasons(job) == ["labels changed by ana", "name and priority changed by ana"]
    assert ana.json("GET", "/jobs", params={"q": "label:b=2 priority:>5"})["items"][0]["id"] == str(job.pk)


def test_what_waits_for_a_machine_has_the_new_priority(ana: Visitor, job: Job) -> None:
    dispatch()
    ana.json("PATCH", f"/jobs/{job.pk}", json={"priority": 50})
    assert Attempt.objects.get(job=job).priority == 50


@pytest.mark.parametrize(
    "body",
    [{"priority": 101}, {"name": "x" * 201}, {"labels": {"k" * 101: "v"}}, {"state": "SUCCEEDED"}, {"name": "\0"}],
)
def test_what_does_not_fit_changes_nothing(ana: Visitor, job: Job, body: dict[str, object]) -> None:
    assert ana("PATCH", f"/jobs/{job.pk}", json=body).status_code == 422
    assert reasons(job) == []


def test_only_who_may_submit_may(door: Door, viewer: User, eva: Visitor, job: Job) -> None:
    assert door.as_(viewer)("PATCH", f"/jobs/{job.pk}", json={"name": "x"}).status_code == 403
    assert eva("PATCH", f"/jobs/{job.pk}", json={"name": "x"}).status_code == 404
    assert Job.objects.get(pk=job.pk).name == "first"
