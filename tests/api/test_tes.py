"""GA4GH's TES: who may send commands, which, and what is said of them. tests/live/test_tes.py runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client

from orchestration.errors import Forbidden
from orchestration.execution.dispatch import dispatch
from orchestration.models import File, Job, Pipeline, PipelineVersion
from orchestration.services.pipelines import publish_built_ins
from orchestration.services.work_orders import work_order
from tests.api.tes_client import ECHO, TASK, Tes, leased, release
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import lease

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.api.door import Door

pytestmark = pytest.mark.django_db


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
    # Not only because no version of it counts as the newest.
    Pipeline.objects.filter(pk=version.pipeline_id).update(latest=version)
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
    tools = {"image": "tools", "command": ["x"], "workdir": "/task/here", "stdout": "/logs/out"}
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
    assert order["places"] == ["data", "logs", "out", "task", "vol"]
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


def test_resources_become_those_of_the_attempt_and_equal_ones_share_a_version(tes: Tes) -> None:
    big = {"cpu_cores": 3, "ram_gb": 1.5, "disk_gb": 20, "preemptible": True, "zones": ["a"]}
    first, second, other = tes.create(resources=big), tes.create(resources=big), tes.create()
    dispatch()
    attempt = next(one for one in lease() if str(one.job_id) == first)
    assert (attempt.vcpu, attempt.memory_bytes) == (3, 1431 << 20)
    versions = [Job.objects.get(pk=task).pipeline_version_id for task in (first, second, other)]
    assert versions[0] == versions[1] != versions[2]
    assert PipelineVersion.objects.filter(pipeline__is_internal=True).count() == 2


def test_text_of_more_than_a_megabyte_is_taken(tes: Tes) -> None:
    task_id = tes.create(inputs=[{"path": "/data/a", "content": "x" * (3 << 19)}])
    assert Job.objects.get(pk=task_id).inputs.get().size == 3 << 19


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
