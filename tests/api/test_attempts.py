"""Attempts and their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, Job
from orchestration.services import runner
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt(owner: User, lab: Workspace) -> Attempt:
    submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner, name="sales.csv"),))
    dispatch()
    (leased,) = lease()
    runner.begin(holder=holder(leased))
    runner.append_log(holder=holder(leased), offset=0, data=b"hello \xff world\n")
    return leased


def test_attempts_are_listed_with_the_file_they_stand_for(ana: Visitor, eva: Visitor, attempt: Attempt) -> None:
    end(attempt)
    run_all(Job.objects.get())
    listed = ana.json("GET", f"/jobs/{attempt.job_id}/attempts")["items"]
    assert [(a["step"], a["item"], a["source"], a["number"], a["state"]) for a in listed] == [
        ("convert", 0, "sales.csv", 1, "SUCCEEDED"),
        ("report", 0, None, 1, "SUCCEEDED"),
    ]
    assert listed[0]["log_size"] == 14
    page = ana.json("GET", f"/jobs/{attempt.job_id}/attempts?limit=1")
    rest = ana.json("GET", f"/jobs/{attempt.job_id}/attempts?limit=1&cursor={page['next_cursor']}")
    assert page["items"] + rest["items"] == listed
    assert eva("GET", f"/jobs/{attempt.job_id}/attempts").status_code == 404


def test_log_is_read_from_any_place_until_it_is_complete(ana: Visitor, eva: Visitor, attempt: Attempt) -> None:
    path = f"/attempts/{attempt.pk}/log"
    answer = ana("GET", path)
    assert answer.content == b"hello \xff world\n"
    assert answer.headers["content-type"].startswith("text/plain")
    assert (answer.headers["esteira-log-end"], answer.headers["esteira-log-complete"]) == ("14", "false")
    assert ana("GET", f"{path}?offset=6&limit=3").content == b"\xff w"
    assert ana("GET", f"{path}?offset=6&limit=3").headers["esteira-log-end"] == "9"
    assert ana("GET", f"{path}?offset=-3").content == b"ld\n"
    assert ana("GET", f"{path}?offset=99").headers["esteira-log-end"] == "14"
    end(attempt)
    assert ana("GET", f"{path}?offset=6&limit=3").headers["esteira-log-complete"] == "false"
    assert ana("GET", f"{path}?offset=14").headers["esteira-log-complete"] == "true"
    assert ana("GET", f"{path}?limit=1048577").status_code == 422
    assert eva("GET", path).status_code == 404
