"""Jobs through the API: submitted once for each key, listed, moved by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from orchestration.cost.table import PACKAGED, load
from orchestration.models import Event, File, Job, StepRun
from orchestration.services import ahead
from orchestration.services.whole import visible_whole
from orchestration.states import JobState, ScanState
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db

WITH_PARAMS = """\
pipeline: knobs
version: 1.0.0
title: Knobs
params:
  type: object
  properties: {rows: {type: integer, minimum: 1, default: 5}}
steps:
  - name: nothing
    command: ["true"]
"""


@pytest.fixture
def body(owner: User, lab: Workspace) -> dict[str, Any]:
    publish_pipeline()
    return {"pipeline": "noop", "inputs": [str(make_file(lab, owner).pk)]}


def test_submit_answers_with_the_job_and_where_it_is(ana: Visitor, body: dict[str, Any]) -> None:
    answer = ana("POST", "/jobs", json=body | {"name": "first", "labels": {"team": "x"}, "priority": 3})
    assert answer.status_code == 201, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["name"], job["labels"], job["priority"]) == ("WAITING", "first", {"team": "x"}, 3)
    assert (job["pipeline"], job["pipeline_version"], job["workspace"]) == ("noop", "1.0.0", "lab")
    assert [f["id"] for f in job["inputs"]] == body["inputs"]
    later = ana.json("GET", f"/jobs/{job['id']}")
    assert later["queue_position"] == 1
    assert {**later, "queue_position": None} == job, "the first answer is what a later look says"


def test_same_key_is_the_same_job_and_another_body_is_refused(ana: Visitor, body: dict[str, Any]) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = ana("POST", "/jobs", json=body, headers=key)
    again = ana("POST", "/jobs", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["location"] == first.headers["location"]
    other = ana("POST", "/jobs", json=body | {"name": "other"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert Job.objects.count() == 1
    assert ana("POST", "/jobs", json=body, headers={"Idempotency-Key": "x" * 65}).status_code == 422


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"pipeline": "unknown"}, 404),
        ({"pipeline": "noop@9.9.9"}, 404),
        ({"pipeline": "no\0op"}, 422),
        ({"inputs": []}, 422),
        ({"inputs": [str(uuid4())]}, 404),
        ({"inputs": ["not an id"]}, 422),
        ({"params": {"unknown": 1}}, 422),
        ({"params": {"unknown": "\ud800"}}, 422),
        ({"name": "x" * 201}, 422),
        ({"name": "a\0b"}, 422),
        ({"name": "\ud800"}, 422),
        ({"labels": {"a": "\u0000"}}, 422),
        ({"labels": {str(n): "x" for n in range(33)}}, 422),
        ({"priority": 101}, 422),
        ({"workspace": "elsewhere"}, 404),
        ({"state": "SUCCEEDED"}, 422),
        ({"created_by": "eva"}, 422),
    ],
)
def test_submit_refuses_what_does_not_fit(
    ana: Visitor, body: dict[str, Any], change: dict[str, Any], status: int
) -> None:
    answer = ana("POST", "/jobs", json=body | change)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not Job.objects.exists()


def test_problem_names_each_parameter(ana: Visitor, body: dict[str, Any]) -> None:
    publish_pipeline(WITH_PARAMS)
    problem = ana.json("POST", "/jobs", 422, json=body | {"pipeline": "knobs", "params": {"rows": 0}})
    assert problem["code"] == "invalid"
    assert problem["errors"][0]["loc"] == ["params", "rows"]


def test_file_of_a_stranger_is_no_input(eva: Visitor, body: dict[str, Any]) -> None:
    assert eva("POST", "/jobs", json=body).status_code == 404
    assert not Job.objects.exists()


def test_list_filters_by_state_pipeline_and_person(
    ana: Visitor, eva: Visitor, owner: User, teammate: User, lab: Workspace
) -> None:
    other = publish_pipeline(name="other")
    make_job(owner, lab)
    make_job(owner, lab, state=JobState.SUCCEEDED)
    make_job(teammate, lab, other, state=JobState.RUNNING)

    def states(query: str) -> list[str]:
        return [j["state"] for j in ana.json("GET", f"/jobs?{query}")["items"]]

    assert states("") == ["RUNNING", "SUCCEEDED", "WAITING"]
    assert states("state=WAITING&state=RUNNING") == ["RUNNING", "WAITING"]
    assert states("pipeline=other") == ["RUNNING"]
    assert states("created_by=bruno") == ["RUNNING"]
    assert ana("GET", "/jobs?state=ODD").status_code == 422
    assert eva.json("GET", "/jobs")["items"] == []
    item = ana.json("GET", "/jobs")["items"][0]
    assert not {"inputs", "steps", "results"} & item.keys()


def test_list_goes_page_by_page(ana: Visitor, owner: User, lab: Workspace) -> None:
    ids = [str(make_job(owner, lab).pk) for _ in range(3)]
    first = ana.json("GET", "/jobs?limit=2")
    make_job(owner, lab)
    second = ana.json("GET", f"/jobs?limit=2&cursor={first['next_cursor']}")
    assert [j["id"] for j in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None


def queries(ana: Visitor, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        ana.json("GET", path)
    return len(captured)


def test_number_of_queries_does_not_grow_with_the_rows(ana: Visitor, owner: User, lab: Workspace) -> None:
    two = publish_pipeline(TWO_STEPS)
    few = make_job(owner, lab, two, [make_file(lab, owner)])
    ana("GET", f"/jobs/{few.pk}")  # notes the token's use, once a minute, and reads what a version is, once
    listed = queries(ana, "/jobs")
    shown = queries(ana, f"/jobs/{few.pk}")
    many = make_job(owner, lab, two, [make_file(lab, owner) for _ in range(8)])
    for _ in range(5):
        make_job(owner, lab, two)
    assert queries(ana, "/jobs") == listed == 2, "who asks, and what is there"
    assert queries(ana, f"/jobs/{many.pk}") == shown == 1, "both together"


def test_job_is_made_by_two_statements(ana: Visitor, body: dict[str, Any]) -> None:
    """With its key: one tells who asks, where, which version and which files, the other writes it."""
    ana.json("POST", "/jobs", 201, json=body)
    with CaptureQueriesContext(connection) as captured:
        made = ana.json("POST", "/jobs", 201, json=body, headers={"Idempotency-Key": "k"})
    assert len(captured) == 2
    assert [file["id"] for file in made["inputs"]] == body["inputs"]
    assert made["inputs"] == ana.json("GET", f"/jobs/{made['id']}")["inputs"]


def test_key_gives_its_job_though_the_file_has_gone_since(ana: Visitor, body: dict[str, Any]) -> None:
    headers = {"Idempotency-Key": "k"}
    made = ana.json("POST", "/jobs", 201, json=body, headers=headers)
    gone = timezone.now()
    File.objects.update(deleted_at=gone, expires_at=gone)
    assert ana.json("POST", "/jobs", 200, json=body, headers=headers)["id"] == made["id"]
    assert ana.json("POST", "/jobs", 404, json=body)["code"] == "not_found"


def test_finished_job_shows_steps_and_results(ana: Visitor, owner: User, lab: Workspace, body: dict[str, Any]) -> None:
    publish_pipeline(TWO_STEPS)
    job_id = ana.json("POST", "/jobs", 201, json=body | {"pipeline": "two-steps"})["id"]
    run_all(Job.objects.get(pk=job_id))
    job = ana.json("GET", f"/jobs/{job_id}")
    assert (job["state"], job["progress"]) == ("SUCCEEDED", 1.0)
    assert [(s["name"], s["state"], s["items_succeeded"]) for s in job["steps"]] == [
        ("convert", "SUCCEEDED", 1),
        ("report", "SUCCEEDED", 1),
    ]
    make_file(lab, owner, name="b.html", kind="result", job=Job.objects.get(), step="report", item_index=0)
    make_file(lab, owner, name="a.csv", kind="result", job=Job.objects.get(), step="convert", item_index=0)
    first = ana.json("GET", f"/jobs/{job_id}/results?limit=1")
    second = ana.json("GET", f"/jobs/{job_id}/results?limit=1&cursor={first['next_cursor']}")
    names = [(f["name"], f["step"], f["item"]) for f in first["items"] + second["items"]]
    assert names == [("b.html", "report", 0), ("a.csv", "convert", 0)]
    assert second["next_cursor"] is None
    assert [f["name"] for f in ana.json("GET", f"/jobs/{job_id}")["results"]] == ["b.html", "a.csv"]
    assert ana("GET", f"/jobs/{job_id}/results?cursor=x").status_code == 422


@pytest.fixture
def two_files_shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("orchestration.services.whole.MOST_FILES", 2)
    monkeypatch.setattr("api_app.answers.MOST_FILES", 2)
    written_once = (visible_whole, ahead._show)
    for one in written_once:
        one.cache_clear()
    yield
    for one in written_once:
        one.cache_clear()


@pytest.mark.usefixtures("two_files_shown")
def test_job_of_very_many_files_shows_the_first_and_tells_how_many(ana: Visitor, owner: User, lab: Workspace) -> None:
    publish_pipeline(TWO_STEPS)
    files = [str(make_file(lab, owner, name=f"{n}.csv").pk) for n in range(3)]
    job_id = ana.json("POST", "/jobs", 201, json={"pipeline": "two-steps", "inputs": files})["id"]
    for n in range(5):
        make_file(lab, owner, name=f"{n}.html", kind="result", job=Job.objects.get(), step="report", item_index=n)
    job = ana.json("GET", f"/jobs/{job_id}")
    assert [f["name"] for f in job["inputs"]] == ["0.csv", "1.csv"]
    assert [f["name"] for f in job["results"]] == ["0.html", "1.html"]
    assert (job["input_count"], job["result_count"]) == (3, 5)


def test_cancel_is_accepted_once(ana: Visitor, body: dict[str, Any]) -> None:
    job_id = ana.json("POST", "/jobs", 201, json=body)["id"]
    assert ana.json("POST", f"/jobs/{job_id}/cancel", 202, json={})["state"] == "CANCELED"
    assert ana.json("POST", f"/jobs/{job_id}/cancel", 409)["code"] == "job_finished"


def test_retry_and_rerun_need_something_that_failed(ana: Visitor, owner: User, lab: Workspace) -> None:
    publish_pipeline(TWO_STEPS)
    files = [str(make_file(lab, owner, name=f"{n}.csv").pk) for n in range(3)]
    job_id = ana.json("POST", "/jobs", 201, json={"pipeline": "two-steps", "inputs": files})["id"]
    assert ana.json("POST", f"/jobs/{job_id}/retry", 409)["code"] == "job_not_finished"
    run_all(Job.objects.get(pk=job_id), failing={1: "INPUT"})
    done = ana.json("GET", f"/jobs/{job_id}")
    assert (done["state"], done["steps"][0]["items_failed"]) == ("SUCCEEDED", 1)
    refused = ana.json("POST", f"/jobs/{job_id}/rerun-items", 409, json={"step": "convert", "items": [0]})
    assert refused["code"] == "nothing_to_retry"
    again = ana.json("POST", f"/jobs/{job_id}/rerun-items", 202, json={"step": "convert", "items": [1]})
    assert (again["state"], again["run"]) == ("WAITING", 2)
    run_all(Job.objects.get(pk=job_id))
    assert ana.json("POST", f"/jobs/{job_id}/retry", 409)["code"] == "nothing_to_retry"


def test_resubmit_makes_a_new_job_with_the_changes(ana: Visitor, body: dict[str, Any]) -> None:
    publish_pipeline(WITH_PARAMS)
    old = ana.json("POST", "/jobs", 201, json=body | {"pipeline": "knobs", "name": "n"})
    path = f"/jobs/{old['id']}/resubmit"
    new = ana("POST", path, json={"params": {"rows": 9}}, headers={"Idempotency-Key": "r1"})
    assert new.status_code == 201, new.text
    said = new.json()
    assert (said["params"], said["name"], said["resubmitted_from"]) == ({"rows": 9}, "n", old["id"])
    assert said["inputs"] == old["inputs"]
    assert ana("POST", path, json={"params": {"rows": 9}}, headers={"Idempotency-Key": "r1"}).status_code == 200
    assert ana("POST", path).status_code == 201, "a body is not needed"
    assert ana("POST", path, json={"owner": "eva"}).status_code == 422


def test_viewer_may_look_and_not_touch(bruno: Visitor, owner: User, teammate: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    teammate.memberships.update(role="viewer")
    assert bruno("GET", f"/jobs/{job.pk}").status_code == 200
    for verb in ("cancel", "retry", "resubmit", "rerun-items"):
        assert bruno("POST", f"/jobs/{job.pk}/{verb}", json={}).status_code == 403, verb


def test_submit_leaves_job_steps_and_event_or_nothing(ana: Visitor, body: dict[str, Any]) -> None:
    ana("POST", "/jobs", json=body)
    assert (Job.objects.count(), StepRun.objects.count(), Event.objects.count()) == (1, 1, 1)


def test_validate_only_says_what_would_become_of_it_and_makes_nothing(
    ana: Visitor, owner: User, lab: Workspace, settings: Settings
) -> None:
    settings.PRICES = load(PACKAGED)
    publish_pipeline(TWO_STEPS)
    files = [str(make_file(lab, owner, f"{n}.csv").pk) for n in range(3)]
    asked = {"pipeline": "two-steps", "inputs": files, "validate_only": True}
    said = ana.json("POST", "/jobs", json=asked, headers={"Idempotency-Key": "k"})
    assert said["steps"] == [{"name": "convert", "items": 3}, {"name": "report", "items": 1}]
    assert (said["pipeline_version"], said["workspace"], said["waits"]) == ("1.0.0", "lab", [])
    assert (float(said["estimate_usd"]) > 0, said["estimate_basis"]) == (True, "timeouts")
    assert not Job.objects.exists()

    lab.max_active_jobs = 1
    lab.save()
    make_job(owner, lab, state="RUNNING")
    File.objects.filter(pk=files[0]).update(scan_state=ScanState.RECEIVED)
    said = ana.json("POST", "/jobs", json=asked)
    assert [(wait["reason"], wait["detail"]) for wait in said["waits"]] == [
        ("scan", "1 of 3 files are still to be checked."),
        ("concurrency", "The workspace already has 1 active jobs, its limit."),
    ]
    assert (said["active_jobs"], said["max_active_jobs"]) == (1, 1)
    ana.json("POST", "/jobs", 201, json=asked | {"validate_only": False}, headers={"Idempotency-Key": "k"})


def test_validate_only_refuses_what_submit_would(ana: Visitor, lab: Workspace) -> None:
    publish_pipeline(WITH_PARAMS)
    asked = {"pipeline": "knobs", "params": {"rows": 0}, "validate_only": True}
    assert ana.json("POST", "/jobs", 422, json=asked)["errors"][0]["loc"] == ["params", "rows"]
    said = ana.json("POST", "/jobs", 422, json=asked | {"params": {}})
    assert "This pipeline takes" in said["detail"]
