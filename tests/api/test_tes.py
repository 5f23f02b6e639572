"""GA4GH's TES: who may send commands, which, and what is said of them. tests/live/test_tes.py runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from api_app.ga4gh.states import State, jobs_in, state_of
from orchestration.errors import Forbidden
from orchestration.execution.dispatch import dispatch
from orchestration.models import File, Job, Pipeline, PipelineVersion
from orchestration.services import logs, runner
from orchestration.services.pipelines import publish_built_ins
from orchestration.services.work_orders import work_order
from orchestration.states import JOB_FAILED, JOB_FINISHED, FailureKind, JobState
from orchestration.storage.registry import get_storage
from tests.api.door import token_of
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import end, holder, lease

if TYPE_CHECKING:
    import httpx
    from pytest_django import Settings

    from orchestration.models import Attempt, User, Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
ECHO: dict[str, Any] = {"image": "debian:13", "command": ["echo", "hello"]}
TASK: dict[str, Any] = {"executors": [ECHO]}


class Tes:
    """A client that knows the standard and nothing of ours."""

    def __init__(self, door: Door, user: User) -> None:
        self.door, self.token = door, token_of(user)

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.door.send(method, f"/ga4gh/tes/v1{path}", self.token, **options)

    def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self(method, path, **options)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json()

    def create(self, **fields: Any) -> str:
        return str(self.json("POST", "/tasks", json=TASK | fields)["id"])

    def refused(self, status: int, **fields: Any) -> str:
        return str(self.json("POST", "/tasks", status, json=TASK | fields)["detail"])


@pytest.fixture
def allowed(settings: Settings) -> None:
    settings.TES_IMAGES = {"debian:13": "", "tools": "/opt/tools"}


@pytest.fixture
def tes(allowed: None, door: Door, manager: User) -> Tes:
    return Tes(door, manager)


def leased(task_id: str) -> Attempt:
    dispatch()
    attempt = lease()[0]
    assert str(attempt.job_id) == task_id
    return runner.begin(holder=holder(attempt))


def test_tasks_are_off_unless_an_administrator_allows_images(door: Door, manager: User) -> None:
    assert "ESTEIRA_TES_IMAGES" in Tes(door, manager).refused(403)
    assert Tes(door, manager).json("GET", "/tasks") == {"tasks": []}


def test_submitter_may_not_send_commands_unless_the_setting_says_so(
    allowed: None, door: Door, owner: User, settings: Settings
) -> None:
    tes = Tes(door, owner)
    assert "role manager" in tes.refused(403)
    assert not Job.objects.exists()
    settings.TES_ROLE = "submitter"
    assert tes.create()


def test_viewer_never_sends_commands(allowed: None, door: Door, viewer: User, settings: Settings) -> None:
    settings.TES_ROLE = "submitter"
    assert "role submitter" in Tes(door, viewer).refused(403)


def test_image_that_nobody_allowed_is_refused_with_those_that_are(tes: Tes) -> None:
    said = tes.refused(403, executors=[ECHO, ECHO | {"image": "alpine"}])
    assert "'alpine'" in said
    assert "no containers" in said
    assert "debian:13, tools" in said
    assert not Job.objects.exists()


def test_nobody_gets_around_the_door(tes: Tes, door: Door, manager: User, owner: User, lab: Workspace) -> None:
    """The pipeline behind it is not for submitting, by its name or by what was submitted before."""
    task_id = tes.create()
    version = Job.objects.get(pk=task_id).pipeline_version
    boss = door.as_(manager)
    body = {"params": {"task": json.dumps(TASK)}, "inputs": [str(make_file(lab, owner).pk)]}
    for name in ("task", "tes_task", str(version)):
        assert "There is no pipeline" in boss.json("POST", "/jobs", 404, json=body | {"pipeline": name})["detail"]
    assert boss("POST", f"/jobs/{task_id}/resubmit", json={}).status_code == 404
    assert [p["name"] for p in boss.json("GET", "/pipelines")["items"]] == []
    publish_built_ins()
    assert not Pipeline.objects.filter(name="task").exists()
    assert not Pipeline.objects.filter(name="tes_task", is_internal=False).exists()


def test_page_of_a_task_shows_it_as_a_job_and_leads_to_no_pipeline(tes: Tes, manager: User) -> None:
    browser = Client()
    browser.force_login(manager)
    page = browser.get(f"/jobs/{tes.create(name='sort numbers')}/")
    assert page.status_code == 200
    assert "sort numbers" in page.text
    assert "/pipelines/" not in page.text.replace('href="/pipelines/"', "")


def test_work_order_has_walls_places_and_programs(tes: Tes, settings: Settings) -> None:
    settings.STEP_ISOLATION = "none"
    tools = {"image": "tools", "command": ["x"], "workdir": "/work/here", "stdout": "/logs/out"}
    task_id = tes.create(
        executors=[ECHO, tools],
        inputs=[{"path": "/data/in/a.txt", "content": "x"}],
        outputs=[{"path": "/out/o/*.txt", "url": "esteira:o"}],
        volumes=["/vol/a"],
    )
    release(task_id)
    order = work_order(leased(task_id))
    assert order["isolation"] == "bubblewrap", "whatever our own steps have"
    assert order["network"] is False
    assert order["places"] == ["data", "logs", "out", "vol", "work"]
    assert order["layers"] == ["/opt/tools"]
    assert json.loads(order["env"]["TASK_LAYERS"]) == {"debian:13": "", "tools": "/opt/tools"}
    assert order["inputs"][0]["index"]["file_id"] == json.loads(order["params"]["task"])["inputs"][0]["file"]


def test_image_that_is_allowed_no_more_is_not_run(tes: Tes, settings: Settings) -> None:
    task_id = tes.create()
    attempt = leased(task_id)
    settings.TES_IMAGES = {"other": ""}
    with pytest.raises(Forbidden, match="debian:13"):
        work_order(attempt)


def test_pipeline_that_somebody_called_the_same_is_not_touched(tes: Tes) -> None:
    own = publish_pipeline(name="task")
    assert Job.objects.get(pk=tes.create()).pipeline_version.pipeline != own.pipeline
    own.pipeline.refresh_from_db()
    assert (own.pipeline.latest, own.pipeline.versions.count()) == (own, 1)


def test_task_is_a_run_of_wes_that_says_where_it_stands_here(tes: Tes) -> None:
    task_id = tes.create()
    leased(task_id)
    answer = tes.door.send("GET", f"/ga4gh/wes/v1/runs/{task_id}/tasks", tes.token)
    uri = answer.json()["task_logs"][0]["tes_uri"].removeprefix(settings.PUBLIC_URL)
    assert tes.door.send("GET", uri, tes.token).json() == {"id": task_id, "state": "RUNNING"}


def test_network_is_a_setting(tes: Tes, settings: Settings) -> None:
    settings.TES_NETWORK = True
    assert work_order(leased(tes.create()))["network"] is True


def release(task_id: str) -> None:
    """Its texts have been looked at."""
    for file in Job.objects.get(pk=task_id).inputs.all():
        File.objects.filter(pk=file.pk).update(scan_state="clean")


def test_resources_become_those_of_the_attempt_and_equal_ones_share_a_version(tes: Tes) -> None:
    big = {"cpu_cores": 3, "ram_gb": 1.5, "disk_gb": 20, "preemptible": True, "zones": ["a"]}
    first, second, other = tes.create(resources=big), tes.create(resources=big), tes.create()
    dispatch()
    attempt = next(one for one in lease() if str(one.job_id) == first)
    assert (attempt.vcpu, attempt.memory_bytes) == (3, 1431 << 20)
    versions = [Job.objects.get(pk=task).pipeline_version_id for task in (first, second, other)]
    assert versions[0] == versions[1] != versions[2]
    assert PipelineVersion.objects.filter(pipeline__is_internal=True).count() == 2


def test_same_file_may_be_two_inputs(tes: Tes, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    url = f"{settings.PUBLIC_URL}/api/v1/files/{file.pk}/content"
    task_id = tes.create(inputs=[{"path": "/data/a", "url": f"esteira:{file.pk}"}, {"path": "/data/b", "url": url}])
    assert Job.objects.get(pk=task_id).inputs.get() == file


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"executors": []}, "executors"),
        ({"executors": [{"image": "debian:13", "command": []}]}, "command"),
        ({"inputs": [{"path": "/data/a"}]}, "neither `content` nor `url`"),
        ({"inputs": [{"path": "/data/a", "url": "s3://x/y"}]}, "is not a file that is here"),
        ({"inputs": [{"path": "/data/a", "url": "file:///etc/passwd"}]}, "is not a file that is here"),
        ({"inputs": [{"path": "/data", "content": "x", "type": "DIRECTORY"}]}, "files lie in a folder"),
        ({"inputs": [{"path": "/data/a", "content": "x", "type": "DIRECTORY"}]}, "name each of its files"),
        ({"inputs": [{"path": "data/a", "content": "x"}]}, "absolute path"),
        ({"inputs": [{"path": "/data/../etc/a", "content": "x"}]}, "absolute path"),
        ({"inputs": [{"path": "/data//a", "content": "x"}]}, "absolute path"),
        ({"inputs": [{"path": "/etc/passwd", "content": "x"}]}, "/etc cannot be had"),
        ({"inputs": [{"path": "/usr/bin/env", "content": "x"}]}, "/usr cannot be had"),
        ({"outputs": [{"path": "/*/a", "url": "esteira:x"}]}, "cannot be had"),
        ({"outputs": [{"path": "/_intermediate/a", "url": "esteira:x"}]}, "cannot be had"),
        ({"outputs": [{"path": "/data/a", "url": "s3://bucket/a"}]}, "results are kept here"),
        ({"volumes": ["/"]}, "volumes[0]"),
        ({"volumes": ["/proc"]}, "/proc cannot be had"),
        ({"executors": [ECHO | {"workdir": "../x"}]}, "workdir"),
        ({"executors": [ECHO | {"stdout": "/dev/sda"}]}, "/dev cannot be had"),
        ({"resources": {"cpu_cores": 0}}, "cpu_cores"),
        ({"resources": {"backend_parameters": {"a": "b"}, "backend_parameters_strict": True}}, "no backend_parameters"),
        ({"tags": {"a": 1}}, "tags"),
    ],
)
def test_task_that_does_not_fit_is_refused_and_leaves_nothing(tes: Tes, fields: dict[str, Any], says: str) -> None:
    assert says in tes.refused(422, **fields)
    assert not Job.objects.exists()
    assert not File.objects.exists()


def test_parameters_of_other_backends_are_passed_over_and_not_kept(tes: Tes) -> None:
    task_id = tes.create(resources={"cpu_cores": 2, "backend_parameters": {"VmSize": "x"}}, later="field")
    assert tes.json("GET", f"/tasks/{task_id}?view=FULL")["resources"] == {"cpu_cores": 2}


def test_file_and_workspace_of_others_are_as_good_as_missing(tes: Tes, stranger: User, people: Any) -> None:
    theirs = make_file(people.elsewhere, stranger)
    said = tes.refused(404, inputs=[{"path": "/data/a", "url": str(theirs.pk)}])
    assert str(theirs.pk) in said
    assert "elsewhere" in tes.refused(404, tags={"workspace": "elsewhere"})


def test_views_say_little_more_and_all(tes: Tes) -> None:
    text = {"path": "/data/a.txt", "content": "3\n1\n", "name": "in"}
    sent = {
        "name": "sort",
        "description": "numbers",
        "inputs": [text],
        "outputs": [{"path": "/data/out.txt", "url": "esteira:out"}],
        "tags": {"batch": "7"},
        "volumes": ["/vol"],
    }
    task_id = tes.create(**sent)
    release(task_id)
    assert tes.json("GET", f"/tasks/{task_id}") == {"id": task_id, "state": "QUEUED"}
    basic = tes.json("GET", f"/tasks/{task_id}?view=BASIC")
    assert "content" not in basic["inputs"][0]
    full = tes.json("GET", f"/tasks/{task_id}?view=FULL")
    assert full["inputs"][0] == text | {"type": "FILE"}
    assert (full["executors"], full["tags"], full["volumes"]) == ([ECHO], {"batch": "7"}, ["/vol"])
    assert full["logs"] == []
    assert full["creation_time"]
    assert tes("GET", f"/tasks/{task_id}?view=SOME").status_code == 422


def said_by(attempt: Attempt, text: str) -> None:
    get_storage(logs.STORAGE).append(attempt.log_key, 0, text.encode())
    type(attempt).objects.filter(pk=attempt.pk).update(log_size=len(text))


TIMES = '"start_time": "2026-01-01T10:00:00+00:00", "end_time": "2026-01-01T10:00:01+00:00"'
ENDS = f'::executors [{{"exit_code": 75, {TIMES}}}]'


def test_each_try_has_its_log(tes: Tes) -> None:
    task_id = tes.create()
    first = leased(task_id)
    end(first, "failed", failure_kind=FailureKind.INTERRUPTED, detail="The machine went away.")
    type(first).objects.filter(job=first.job).update(available_at=first.created_at)
    second = leased(task_id)
    said_by(second, f"[esteira] isolation\nhello\n::progress 0\n\n{ENDS}\n")
    end(second, "failed", failure_kind=FailureKind.USER_CODE, detail="Executor 1 ended with exit code 75.", exit_code=1)

    full = tes.json("GET", f"/tasks/{task_id}?view=FULL")
    assert full["state"] == "EXECUTOR_ERROR"
    assert [log["logs"] for log in full["logs"]] == [
        [],
        [
            {
                "exit_code": 75,
                "start_time": "2026-01-01T10:00:00Z",
                "end_time": "2026-01-01T10:00:01Z",
                "stdout": "hello",
            }
        ],
    ]
    assert full["logs"][0]["system_logs"] == ["The machine went away."]
    basic = tes.json("GET", f"/tasks/{task_id}?view=BASIC")
    assert "stdout" not in basic["logs"][1]["logs"][0]
    assert "system_logs" not in basic["logs"][1]


@pytest.mark.parametrize("line", ["::executors [", "::executors [1]", '::executors [{"exit_code": "x"}]'])
def test_line_that_a_command_made_up_breaks_nothing(tes: Tes, line: str) -> None:
    task_id = tes.create()
    attempt = leased(task_id)
    said_by(attempt, f"{line}\n")
    end(attempt, "failed", failure_kind=FailureKind.USER_CODE, exit_code=4)
    assert tes.json("GET", f"/tasks/{task_id}?view=FULL")["state"] == "EXECUTOR_ERROR"


def test_tasks_are_listed_by_name_state_and_tags_in_pages(tes: Tes, owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="no task")
    one = tes.create(name="sort one", tags={"foo": "bar", "n": "1"})
    two = tes.create(name="sort two", tags={"foo": "bat"})
    three = tes.create(name="other")
    tes.json("POST", f"/tasks/{three}:cancel")

    def ids(**query: Any) -> list[str]:
        return [task["id"] for task in tes.json("GET", "/tasks", params=query)["tasks"]]

    assert ids() == [three, two, one]
    assert ids(name_prefix="sort") == [two, one]
    assert ids(state="QUEUED") == [two, one]
    assert ids(state="CANCELED") == [three]
    assert ids(state="PREEMPTED") == []
    assert ids(tag_key="foo", tag_value="bar") == [one]
    assert ids(tag_key="foo") == [two, one]
    assert ids(tag_key=["foo", "n"], tag_value=["bar", "1"]) == [one]
    assert ids(tag_key=["foo", "n"], tag_value=["bat", "1"]) == []
    first = tes.json("GET", "/tasks?page_size=2&view=BASIC")
    assert [task["name"] for task in first["tasks"]] == ["other", "sort two"]
    rest = tes.json("GET", f"/tasks?page_size=2&page_token={first['next_page_token']}")
    assert rest == {"tasks": [{"id": one, "state": "QUEUED"}]}


def test_job_that_is_no_task_is_none_here(tes: Tes, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    assert tes("GET", f"/tasks/{job.pk}").status_code == 404
    assert tes("POST", f"/tasks/{job.pk}:cancel").status_code == 404
    assert tes("GET", "/tasks/no-id").status_code == 404


def test_task_of_another_workspace_is_as_good_as_missing(tes: Tes, eva: Visitor, stranger: User) -> None:
    task_id = tes.create()
    theirs = Tes(tes.door, stranger)
    for method, verb in [("GET", ""), ("POST", ":cancel")]:
        real = theirs.json(method, f"/tasks/{task_id}{verb}", 404)
        assert real["detail"] == theirs.json(method, f"/tasks/{uuid4()}{verb}", 404)["detail"]
    assert theirs.json("GET", "/tasks") == {"tasks": []}


def test_canceled_task_says_so_and_cannot_be_canceled_again(tes: Tes) -> None:
    task_id = tes.create()
    assert tes.json("POST", f"/tasks/{task_id}:cancel") == {}
    assert tes.json("GET", f"/tasks/{task_id}")["state"] == "CANCELED"
    assert "finished" in tes.json("POST", f"/tasks/{task_id}:cancel", 409)["detail"]


@pytest.mark.parametrize("state", JobState)
def test_filter_by_state_finds_what_says_it_is_in_it(owner: User, lab: Workspace, state: JobState) -> None:
    kinds = list(FailureKind) if state in JOB_FAILED else [""]
    jobs = [make_job(owner, lab, state=state, failure_kind=kind) for kind in kinds]
    if state not in JOB_FINISHED:
        jobs.append(make_job(owner, lab, state=state, cancel_requested_at=jobs[0].created_at))
    for theirs in State:
        found = set(Job.objects.filter(jobs_in(theirs)))
        assert found == {job for job in jobs if state_of(job) == theirs}, theirs
