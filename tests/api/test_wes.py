"""GA4GH's WES: a program of another house submits, follows, reads and cancels our jobs by its own words alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.conf import settings

from api_app.ga4gh.states import OF_FAILURE, OF_JOB, State, state_of
from orchestration.models import File, Job
from orchestration.states import JOB_FAILED, FailureKind, JobState
from tests.api.door import token_of
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import TWO_STEPS, run_all
from tests.s3_double.platform import direct

if TYPE_CHECKING:
    import httpx

    from orchestration.models import User, Workspace
    from orchestration.storage.s3 import S3DirectStorage
    from tests.api.door import Door, Visitor

__all__ = ["direct"]
pytestmark = pytest.mark.django_db
RUN = {"workflow_url": "esteira:knobs", "workflow_type": "ESTEIRA", "workflow_type_version": "1.0"}
KNOBS = """\
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


@dataclass(frozen=True)
class Wes:
    """A client that knows the standard and nothing of ours."""

    door: Door
    token: str
    here: str = ""

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.door.send(method, f"/ga4gh/wes/v1{path}", self.token, **options)

    def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self(method, path, **options)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        assert answer.headers["content-type"] == "application/json"
        return answer.json()

    def run(self, *files: tuple[str, bytes], status: int = 200, **fields: Any) -> Any:
        """Without attachments it reads the file that is here, unless the fields say another."""
        wanted = RUN | ({} if files else {"workflow_params": {"inputs": [self.here]}}) | fields
        data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in wanted.items()}
        attached: Any = [("workflow_attachment", file) for file in files]
        if not files:  # a form with files in it all the same, as the standard has it
            attached = [("workflow_url", (None, data.pop("workflow_url")))]
        return self.json("POST", "/runs", status, data=data, files=attached)


@pytest.fixture
def wes(door: Door, owner: User, lab: Workspace) -> Wes:
    publish_pipeline(KNOBS)
    return Wes(door, token_of(owner), str(make_file(lab, owner).pk))


def inputs_of(job: Job) -> list[File]:
    return [row.file for row in job.job_inputs.select_related("file").order_by("position")]


def test_run_is_a_job_with_its_parameters_files_and_tags(wes: Wes) -> None:
    run_id = wes.run(
        ("new.csv", b"a,b\n1,2\n"),
        workflow_params={"rows": 7, "inputs": [f"esteira:{wes.here}", "new.csv"]},
        tags={"batch": "7"},
        workflow_engine_parameters={"name": "first", "priority": "3", "workspace": "lab"},
    )["run_id"]

    job = Job.objects.get(pk=run_id)
    assert (job.params, job.labels, job.name, job.priority) == ({"rows": 7}, {"batch": "7"}, "first", 3)
    assert [file.name for file in inputs_of(job)] == ["a.csv", "new.csv"]
    said = wes.json("GET", f"/runs/{run_id}")
    assert said["request"]["workflow_url"] == "esteira:knobs@1.0.0"
    assert said["request"]["workflow_params"]["rows"] == 7
    assert said["request"]["workflow_engine_parameters"] == {"name": "first", "workspace": "lab", "priority": "3"}
    again = wes.run(**{k: said["request"][k] for k in ("workflow_url", "workflow_params", "tags")})["run_id"]
    same = Job.objects.get(pk=again)
    assert (same.params, same.labels) == (job.params, job.labels)
    assert inputs_of(same) == inputs_of(job)


def test_attachments_alone_are_the_input_in_their_order_and_keep_their_folders(wes: Wes) -> None:
    run_id = wes.run(("sub/b.csv", b"b"), ("a.csv", b"a"))["run_id"]
    files = inputs_of(Job.objects.get(pk=run_id))
    assert [(file.path, file.name, file.size) for file in files] == [("sub", "b.csv", 1), ("", "a.csv", 1)]


def test_attachments_may_be_larger_than_other_requests(wes: Wes) -> None:
    assert wes.run(("large.bin", b"x" * (2 << 20)))["run_id"]


def test_client_that_sends_every_field_as_a_file_is_understood(wes: Wes) -> None:
    parts = [
        (name, (name, value))
        for name, value in {**RUN, "workflow_params": json.dumps({"rows": 9, "inputs": [wes.here]})}.items()
    ]
    run_id = wes.json("POST", "/runs", files=parts)["run_id"]
    assert Job.objects.get(pk=run_id).params == {"rows": 9}


def test_form_without_files_is_taken(wes: Wes) -> None:
    assert Job.objects.filter(
        pk=wes.json("POST", "/runs", data=RUN | {"workflow_params": json.dumps({"inputs": [wes.here]})})["run_id"]
    ).exists()


def test_run_is_followed_to_its_end_with_tasks_logs_and_outputs(wes: Wes, owner: User, lab: Workspace) -> None:
    publish_pipeline(TWO_STEPS)
    files = [make_file(lab, owner, name) for name in ("a.csv", "b.csv")]
    inputs = [str(file.pk) for file in files]
    run_id = wes.run(workflow_url="two-steps", workflow_params={"inputs": inputs})["run_id"]
    assert wes.json("GET", f"/runs/{run_id}/status") == {"run_id": run_id, "state": "QUEUED"}
    job = run_all(Job.objects.get(pk=run_id))
    make_file(lab, owner, "report.html", kind="result", job=job, step="report", item_index=0)

    assert wes.json("GET", f"/runs/{run_id}/status") == {"run_id": run_id, "state": "COMPLETE"}
    said = wes.json("GET", f"/runs/{run_id}")
    assert said["run_log"]["end_time"].endswith("Z")
    assert said["task_logs_url"] == f"{settings.PUBLIC_URL}/ga4gh/wes/v1/runs/{run_id}/tasks"
    output = said["outputs"]["files"][0]
    assert (output["name"], output["step"]) == ("report.html", "report")
    path = output["url"].removeprefix(settings.PUBLIC_URL)
    assert wes.door.send("GET", path, wes.token).content == b"a,b\n1,2\n"

    first = wes.json("GET", f"/runs/{run_id}/tasks?page_size=2")
    rest = wes.json("GET", f"/runs/{run_id}/tasks?page_size=2&page_token={first['next_page_token']}")
    tasks = first["task_logs"] + rest["task_logs"]
    assert [task["name"] for task in tasks] == ["convert[0]", "convert[1]", "report"]
    assert rest["next_page_token"] == ""
    assert tasks[2]["cmd"] == ["report"]
    assert wes.json("GET", f"/runs/{run_id}/tasks/{tasks[1]['id']}") == tasks[1]
    log = tasks[0]["stdout"].removeprefix(settings.PUBLIC_URL)
    assert wes.door.send("GET", log, wes.token).status_code == 200


def test_task_of_another_run_is_not_this_runs(wes: Wes, owner: User, lab: Workspace) -> None:
    one, other = run_all(Job.objects.get(pk=wes.run()["run_id"])), make_job(owner, lab)
    task = one.attempts.get()
    assert wes("GET", f"/runs/{one.pk}/tasks/{task.pk}").status_code == 200
    assert wes.json("GET", f"/runs/{other.pk}/tasks/{task.pk}", 404)["status_code"] == 404


def test_runs_are_listed_in_pages_newest_first(wes: Wes, owner: User, lab: Workspace) -> None:
    made = [str(make_job(owner, lab, labels={"n": str(n)}).pk) for n in range(5)]
    seen, token = [], ""
    while page := wes.json("GET", "/runs", params={"page_size": 2} | ({"page_token": token} if token else {})):
        assert len(page["runs"]) <= 2
        seen += page["runs"]
        token = page["next_page_token"]
        if not token:
            break
    assert [run["run_id"] for run in seen] == made[::-1]
    assert seen[0] == {"run_id": made[4], "state": "QUEUED", "tags": {"n": "4"}}
    assert wes.json("GET", "/runs?page_size=100000")["next_page_token"] == ""


def test_cancel_stops_the_run_and_a_second_one_is_told_that_it_has_finished(wes: Wes) -> None:
    run_id = wes.run()["run_id"]
    assert wes.json("POST", f"/runs/{run_id}/cancel") == {"run_id": run_id}
    assert wes.json("GET", f"/runs/{run_id}/status")["state"] == "CANCELED"
    assert "finished" in wes.json("POST", f"/runs/{run_id}/cancel", 409)["msg"]


def test_service_info_says_what_can_be_run_and_how(wes: Wes, owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state=JobState.RUNNING)
    make_job(owner, lab, state=JobState.WAITING)
    make_job(owner, lab, state=JobState.QUEUED)
    said = wes.json("GET", "/service-info")
    assert said["type"] == {"group": "org.ga4gh", "artifact": "wes", "version": "1.1.0"}
    assert said["supported_wes_versions"] == ["1.1.0"]
    assert said["workflow_type_versions"] == {"ESTEIRA": {"workflow_type_version": ["1.0"]}}
    assert said["system_state_counts"] == {"RUNNING": 1, "QUEUED": 2}
    assert "knobs" in said["tags"]["pipelines"]
    assert {"id", "name", "organization", "version", "auth_instructions_url"} <= said.keys()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"workflow_url": "esteira:nothing"}, "There is no pipeline 'nothing'"),
        ({"workflow_url": "https://example.org/main.nf"}, "There is no pipeline"),
        ({"workflow_type": "CWL"}, "workflow_type is 'CWL'; here it is 'ESTEIRA'"),
        ({"workflow_type_version": "2.0"}, "workflow_type_version is '2.0'"),
        ({"workflow_engine": "cromwell"}, "workflow_engine is 'cromwell'"),
        ({"workflow_params": "{"}, "workflow_params is not JSON"),
        ({"workflow_params": [1]}, "workflow_params"),
        ({"workflow_params": {"rows": 0}}, "rows must be at least 1"),
        ({"workflow_params": {"wrong": 0}}, "wrong"),
        ({"workflow_params": {"inputs": "a.csv"}}, "is a list of texts"),
        ({"workflow_params": {"inputs": ["missing.csv"]}}, "is not a file that is here"),
        ({"workflow_params": {"inputs": ["s3://bucket/a.csv"]}}, "is not a file that is here"),
        ({"workflow_engine_parameters": {"speed": "1"}}, "speed"),
        ({"workflow_engine_parameters": {"workspace": "elsewhere"}}, "There is no workspace 'elsewhere'"),
        ({"tags": {"a": 1}}, "tags"),
    ],
)
def test_run_that_does_not_fit_is_refused_with_a_reason(wes: Wes, fields: dict[str, Any], says: str) -> None:
    said = wes.run(status=400, **fields)
    assert says in said["msg"]
    assert said["status_code"] == 400
    assert not Job.objects.exists()


def test_nothing_is_kept_of_a_run_that_is_refused(wes: Wes) -> None:
    assert "rows" in wes.run(("a.csv", b"a"), status=400, workflow_params={"rows": 0})["msg"]
    assert (
        "nothing would read them: b.csv"
        in wes.run(("a.csv", b"a"), ("b.csv", b"b"), status=400, workflow_params={"inputs": ["a.csv"]})["msg"]
    )
    assert "Two attachments" in wes.run(("a.csv", b"a"), ("a.csv", b"b"), status=400)["msg"]
    assert File.objects.count() == 1


@pytest.mark.parametrize("name", ["../a.csv", "a/../../b", "a\u202eb.csv"])
def test_attachment_with_a_bad_name_is_refused(wes: Wes, name: str) -> None:
    assert wes.run((name, b"a"), status=400)["msg"]
    assert File.objects.count() == 1


def test_file_of_another_workspace_is_as_good_as_missing(wes: Wes, stranger: User, people: Any) -> None:
    theirs = make_file(people.elsewhere, stranger)
    said = wes.run(status=404, workflow_params={"inputs": [str(theirs.pk)]})
    assert said == wes.run(status=404, workflow_params={"inputs": [str(theirs.pk)]})
    assert str(theirs.pk) in said["msg"]


def test_attaching_needs_the_scope_upload_too(wes: Wes, owner: User) -> None:
    only_run = Wes(wes.door, token_of(owner, ("read", "run")), wes.here)
    assert "upload" in only_run.run(("a.csv", b"a"), status=403)["msg"]
    assert only_run.run()["run_id"]


def test_viewer_may_look_and_not_run(wes: Wes, viewer: User, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    vera = Wes(wes.door, token_of(viewer), wes.here)
    assert vera.json("GET", f"/runs/{job.pk}/status")["state"] == "QUEUED"
    assert "submitter" in vera.run(status=403)["msg"]
    assert vera.json("POST", f"/runs/{job.pk}/cancel", 403)["status_code"] == 403


def test_run_of_another_workspace_is_as_good_as_missing(wes: Wes, eva: Visitor, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    stranger = Wes(wes.door, eva.token)
    for method, path in [("GET", ""), ("GET", "/status"), ("POST", "/cancel"), ("GET", "/tasks")]:
        real = stranger.json(method, f"/runs/{job.pk}{path}", 404)
        assert real == stranger.json(method, f"/runs/{uuid4()}{path}", 404)
        assert stranger.json(method, f"/runs/no-id{path}", 404)["msg"]
    assert stranger.json("GET", "/runs") == {"runs": [], "next_page_token": ""}


def test_every_refusal_has_the_form_of_the_standard(wes: Wes) -> None:
    nobody = Wes(wes.door, "")
    assert "Bearer" in nobody.json("GET", "/runs", 401)["msg"]
    assert wes.json("GET", "/nothing-here", 404)["status_code"] == 404
    assert wes.json("DELETE", "/runs", 405)["status_code"] == 405
    assert wes.json("GET", "/runs?page_size=0", 400)["status_code"] == 400
    assert "cursor" in wes.json("GET", "/runs?page_token=x", 400)["msg"]
    assert "multipart" in wes.json("POST", "/runs", 415, json=RUN)["msg"]
    assert wes.json("POST", "/runs", 400, content=b"x", headers={"Content-Type": "multipart/form-data"})["msg"]
    too_long = {"Content-Length": str(1 << 40), "Content-Type": "multipart/form-data; boundary=x"}
    assert "larger" in wes.json("POST", "/runs", 413, content=b"x", headers=too_long)["msg"]


def test_attachments_are_refused_where_files_go_to_object_storage(wes: Wes, direct: S3DirectStorage) -> None:
    assert "uploads" in wes.run(("a.csv", b"a"), status=413)["msg"]


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("kind", FailureKind)
def test_every_state_of_ours_has_a_word_of_theirs(state: JobState, kind: FailureKind) -> None:
    job = Job(state=state, failure_kind=kind if state in JOB_FAILED else "")
    assert state_of(job) == (OF_FAILURE[kind] if state in JOB_FAILED else OF_JOB[state])


def test_canceling_is_said_until_it_is_done(wes: Wes, owner: User, lab: Workspace) -> None:
    run_id = wes.run()["run_id"]
    job = Job.objects.get(pk=run_id)
    Job.objects.filter(pk=run_id).update(state=JobState.RUNNING, cancel_requested_at=job.created_at)
    assert wes.json("GET", f"/runs/{run_id}/status")["state"] == State.CANCELING
