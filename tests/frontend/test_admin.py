from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission

from orchestration.models import ApiToken, Job, Membership, User, Workspace
from orchestration.services.service_accounts import create_service_account
from orchestration.services.tokens import authenticate, issue
from tests.factories import join, make_file, make_job, make_user, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from django.test import Client

pytestmark = pytest.mark.django_db

AT = "/admin/orchestration"


@pytest.fixture
def root(people: object) -> Client:
    return browser(make_user("root", is_staff=True, is_superuser=True))


@pytest.mark.parametrize(
    "model",
    [
        "job",
        "file",
        "pipeline",
        "pipelineversion",
        "user",
        "workspace",
        "apitoken",
        "repair",
        "auditentry",
        "webhookendpoint",
    ],
)
def test_lists_open(root: Client, owner: User, lab: Workspace, model: str) -> None:
    make_job(owner, lab, inputs=[make_file(lab, owner)])
    issue(user=owner, name="x")
    assert root.get(f"{AT}/{model}/?q=noop").status_code == 200


def test_no_field_of_a_job_can_be_edited(root: Client, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab)
    html = root.get(f"{AT}/job/{job.pk}/change/").content.decode()
    assert 'name="state"' not in html
    assert 'name="_save"' not in html
    root.post(f"{AT}/job/{job.pk}/change/", {"state": "SUCCEEDED", "_save": "Save"})
    job.refresh_from_db()
    assert job.state == "WAITING"


@pytest.mark.parametrize("model", ["job", "file", "pipeline", "pipelineversion", "apitoken"])
def test_nothing_can_be_added_or_deleted(root: Client, owner: User, lab: Workspace, model: str) -> None:
    file = make_file(lab, owner)
    job = make_job(owner, lab, inputs=[file])
    token, _ = issue(user=owner, name="x")
    version = job.pipeline_version
    rows = {"job": job, "file": file, "pipeline": version.pipeline, "pipelineversion": version, "apitoken": token}
    assert root.get(f"{AT}/{model}/add/").status_code == 403
    assert root.post(f"{AT}/{model}/{rows[model].pk}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"{AT}/{model}/", {"action": "delete_selected", "_selected_action": [rows[model].pk], "post": "yes"})
    rows[model].refresh_from_db()


def test_job_page_shows_steps_attempts_and_events(root: Client, owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    html = root.get(f"{AT}/job/{job.pk}/change/").content.decode()
    assert "item 0 is broken" in html
    assert "nothing[0] run 1 try 1" in html
    assert "submitted" in html


def test_staff_who_may_only_look_has_no_actions(owner: User, lab: Workspace) -> None:
    clerk = make_user("clerk", is_staff=True)
    join(clerk, lab)
    clerk.user_permissions.add(Permission.objects.get(codename="view_job"))
    job, client = submitted(owner, files=(make_file(lab, owner),)), browser(clerk)
    assert "cancel_jobs" not in client.get(f"{AT}/job/").content.decode()
    client.post(f"{AT}/job/", {"action": "cancel_jobs", "_selected_action": [str(job.pk)]})
    assert Job.objects.get(pk=job.pk).state == "WAITING"


def test_staff_of_no_workspace_is_refused_by_the_service(owner: User, lab: Workspace) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=["view_job", "change_job"]))
    job = submitted(owner, files=(make_file(lab, owner),))
    chosen = {"action": "cancel_jobs", "_selected_action": [str(job.pk)], "sure": "yes", "expected": "1"}
    assert "you may not see them" in browser(clerk).post(f"{AT}/job/", chosen, follow=True).content.decode()
    assert Job.objects.get(pk=job.pk).cancel_requested_at is None


def test_job_is_found_by_its_id(root: Client, owner: User, lab: Workspace) -> None:
    wanted, _ = make_job(owner, lab, name="wanted"), make_job(owner, lab, name="unwanted")
    html = root.get(f"{AT}/job/?q={wanted.pk}").content.decode()
    assert "1 job" in html
    assert "unwanted" not in html


def test_token_s_secret_is_nowhere(root: Client, owner: User) -> None:
    row, secret = issue(user=owner, name="x")
    html = root.get(f"{AT}/apitoken/{row.pk}/change/").content.decode()
    assert row.public_id in html
    assert secret not in html
    assert "Secret hash" not in html


def test_service_account_is_looked_at_and_not_changed(root: Client, manager: User) -> None:
    account = create_service_account(user=manager, name="nightly")
    at = f"{AT}/user/{account.pk}"
    assert "nightly@lab" in root.get(f"{at}/change/").content.decode()
    assert root.post(f"{at}/change/", {"username": "x"}).status_code == 403
    assert root.get(f"{at}/password/").status_code == 403


def test_token_can_be_revoked(root: Client, owner: User) -> None:
    row, secret = issue(user=owner, name="x")
    root.post(f"{AT}/apitoken/", {"action": "revoke_tokens", "_selected_action": [str(row.pk)]})
    assert authenticate(token=secret) is None
    assert ApiToken.objects.get(pk=row.pk).revoked_at is not None


def test_members_are_added_on_the_workspace_s_page(root: Client, stranger: User, lab: Workspace) -> None:
    form = {"slug": "lab", "name": "Laboratory", "max_active_jobs": 5, "upload_retention_days": 1}
    form |= {"result_retention_days": 2, "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0}
    form |= {"budget_warn_percent": 80, "budget_mode": "warn"}
    form |= {"memberships-0-user": str(stranger.pk), "memberships-0-role": "viewer"}
    assert root.post(f"{AT}/workspace/{lab.pk}/change/", form).status_code == 302
    assert Membership.objects.get(workspace=lab, user=stranger).role == "viewer"
    lab.refresh_from_db()
    assert lab.name == "Laboratory"


def test_user_can_be_added(root: Client) -> None:
    password = "a long new password"
    form = {"username": "novo", "usable_password": "true", "password1": password, "password2": password}
    form |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    assert root.post(f"{AT}/user/add/", form).status_code == 302
    assert User.objects.get(username="novo").check_password(password)


def test_version_page_shows_its_source(root: Client) -> None:
    version = publish_pipeline()
    assert "Do nothing" in root.get(f"{AT}/pipelineversion/{version.pk}/change/").content.decode()


def test_files_are_deleted_brought_back_and_released_through_the_services(
    root: Client, owner: User, lab: Workspace
) -> None:
    free, held = make_file(lab, owner, "free.csv"), make_file(lab, owner, "held.csv", hold=True)
    chosen = [str(free.pk), str(held.pk)]

    def act(action: str) -> str:
        form = {"action": action, "_selected_action": chosen}
        return root.post(f"{AT}/file/", form, follow=True).content.decode()

    html = act("delete_files")
    assert "Free.csv: deleted." in html
    assert "held.csv is on hold" in html
    assert "free.csv" in root.get(f"{AT}/file/?life=deleted").content.decode()
    assert "free.csv" not in root.get(f"{AT}/file/?life=current").content.decode()
    assert "Free.csv: back." in act("undelete_files")
    assert "Held.csv: no longer on hold." in act("release_files")
    html = root.get(f"{AT}/file/{held.pk}/change/").content.decode()
    assert "Released from its hold · root" in html


def test_staff_who_may_only_look_changes_no_file(owner: User, lab: Workspace) -> None:
    clerk = make_user("clerk", is_staff=True)
    join(clerk, lab)
    clerk.user_permissions.add(Permission.objects.get(codename="view_file"))
    file, client = make_file(lab, owner), browser(clerk)
    client.post(f"{AT}/file/", {"action": "delete_files", "_selected_action": [str(file.pk)]})
    file.refresh_from_db()
    assert file.deleted_at is None


def test_redrive_asks_for_a_reason_first_and_says_why_it_cannot_be(root: Client, owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="FAILED", name="lost")
    chosen = {"action": "redrive_jobs", "_selected_action": [str(job.pk)]}
    asked = root.post(f"{AT}/job/", chosen).content.decode()
    assert "Why are they to go on?" in asked
    assert f"{job.pk}-r1" in asked
    html = root.post(f"{AT}/job/", chosen | {"sure": "1", "reason": "AWS was away."}, follow=True).content.decode()
    assert "Lost (Failed): The job has ended" in html
    assert "A retry goes on from its failed steps" in html


def test_redrive_goes_through_the_service(
    root: Client, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(owner, lab, state="RUNNING", name="lost")
    given: list[dict[str, object]] = []
    monkeypatch.setattr("frontend_app.admin.jobs.redrive", lambda **said: given.append(said))
    chosen = {"action": "redrive_jobs", "_selected_action": [str(job.pk)], "sure": "1", "reason": "AWS was away."}
    assert "Lost (Running): redriven." in root.post(f"{AT}/job/", chosen, follow=True).content.decode()
    assert [(said["job"], said["reason"]) for said in given] == [(job, "AWS was away.")]


def test_staff_who_may_only_look_redrives_nothing(owner: User, lab: Workspace) -> None:
    clerk = make_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_job"))
    job, client = make_job(owner, lab, state="RUNNING"), browser(clerk)
    assert "redrive_jobs" not in client.get(f"{AT}/job/").content.decode()
    chosen = {"action": "redrive_jobs", "_selected_action": [str(job.pk)]}
    assert "Why are they to go on?" not in client.post(f"{AT}/job/", chosen, follow=True).content.decode()
