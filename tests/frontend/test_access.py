"""Each page for four people: who may, a teammate, a stranger, and nobody in particular."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchestration.models import Attempt, File, Item, Job, StepRun, User, Workspace
from tests.factories import join, make_file, make_job, make_user, publish_pipeline
from tests.frontend.ask import browser

pytestmark = pytest.mark.django_db

SHARED = [
    "/",
    "/home/live/",
    "/home/storage/",
    "/jobs/",
    "/jobs/live/",
    "/jobs/new/",
    "/files/",
    "/pipelines/",
    "/pipelines/noop/",
    "/settings/",
    "/tokens/",
]
SHARED += ["/notifications/", "/notifications/bell/", "/notifications/settings/"]
SHARED += ["/files/deleted/", "/files/usage/", "/home/live/", "/home/storage/"]
OF_A_JOB = ["/jobs/{job}/", "/jobs/{job}/live/", "/jobs/{job}/share/", "/jobs/new/?from={job}", "/files/?job={job}"]
OF_ROWS = [*OF_A_JOB, "/attempts/{attempt}/", "/attempts/{attempt}/log/", "/files/{file}/", "/files/{file}/preview"]
TO_A_FILE = [f"/files/{{file}}/{verb}/" for verb in ("delete", "undelete", "extend", "hold", "release")]
POSTS = ["/jobs/{job}/cancel/", "/jobs/{job}/retry/", "/jobs/{job}/rerun/", *TO_A_FILE]


@dataclass(frozen=True, slots=True)
class Things:
    job: Job
    file: File
    attempt: Attempt

    def path(self, template: str) -> str:
        return template.format(job=self.job.pk, file=self.file.pk, attempt=self.attempt.pk)


@pytest.fixture
def things(owner: User, lab: Workspace) -> Things:
    publish_pipeline()
    file = make_file(lab, owner)
    job = make_job(owner, lab, inputs=[file])
    item = Item.objects.get(step_run=StepRun.objects.get(job=job))
    attempt = Attempt.objects.create(job=job, item=item, step="nothing", run=1, number=1)
    return Things(job, file, attempt)


@pytest.mark.parametrize("path", SHARED + OF_ROWS)
def test_nobody_in_particular_is_sent_to_sign_in(things: Things, path: str) -> None:
    response = browser().get(things.path(path))
    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=")


@pytest.mark.parametrize("path", SHARED + [p for p in OF_ROWS if p != "/files/{file}/preview"])
def test_owner_and_teammate_see_the_page(things: Things, owner: User, teammate: User, path: str) -> None:
    for person in (owner, teammate):
        assert browser(person).get(things.path(path)).status_code == 200, person.username


@pytest.mark.parametrize("path", OF_ROWS)
def test_stranger_finds_nothing(things: Things, stranger: User, path: str) -> None:
    response = browser(stranger).get(things.path(path))
    assert response.status_code == 404
    assert things.job.pipeline_version.pipeline.name not in response.content.decode()


@pytest.mark.parametrize("path", POSTS)
def test_stranger_can_change_nothing(things: Things, stranger: User, path: str) -> None:
    assert browser(stranger).post(things.path(path)).status_code == 404
    things.job.refresh_from_db()
    things.file.refresh_from_db()
    assert things.job.cancel_requested_at is None
    assert things.file.deleted_at is None


@pytest.mark.parametrize("path", POSTS)
def test_viewer_may_look_and_not_touch(things: Things, lab: Workspace, path: str) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    assert browser(viewer).post(things.path(path)).status_code == 403


def test_viewer_is_told_instead_of_shown_a_form(lab: Workspace) -> None:
    viewer = make_user("vera")
    join(viewer, lab, "viewer")
    client = browser(viewer)
    assert "Your role in Lab is viewer" in client.get("/jobs/new/").content.decode()
    assert client.post("/jobs/new/").status_code == 200


@pytest.mark.parametrize("path", POSTS)
def test_changes_need_a_post(things: Things, owner: User, path: str) -> None:
    assert browser(owner).get(things.path(path)).status_code == 405


@pytest.mark.parametrize("path", [*POSTS, "/jobs/new/", "/tokens/", "/workspace/", "/logout/"])
def test_changes_need_the_page_s_own_token(things: Things, owner: User, path: str) -> None:
    client = browser(owner, enforce_csrf_checks=True)
    response = client.post(things.path(path))
    assert response.status_code == 403
    assert "open for too long" in response.content.decode()


def test_user_without_a_workspace_is_told_what_to_do(db: None) -> None:
    client = browser(make_user("nobody"))
    for path in ("/", "/jobs/", "/files/"):
        assert client.get(path).status_code == 200
    assert "in no workspace yet" in client.get("/").content.decode()


def test_workspace_is_chosen_among_one_s_own_only(owner: User, stranger: User, lab: Workspace) -> None:
    client = browser(stranger)
    assert client.post("/workspace/", {"workspace": "lab"}).status_code == 404
    join(stranger, lab)
    make_job(owner, lab, name="Of the lab")
    client.post("/workspace/", {"workspace": "elsewhere"})
    assert "Of the lab" not in client.get("/jobs/").content.decode()
    assert client.post("/workspace/", {"workspace": "lab"}).status_code == 302
    assert "Of the lab" in client.get("/jobs/").content.decode()
