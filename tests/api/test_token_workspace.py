"""A token for one workspace, at every route, with and without the scope: elsewhere it sees and does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.routing import iter_route_contexts

from api_app.auth import SCOPE
from api_app.main import app
from orchestration.execution.notifying import tell
from orchestration.models import (
    ApiToken,
    Attempt,
    BulkItem,
    BulkOperation,
    File,
    Invitation,
    Item,
    Job,
    Membership,
    Notification,
    ShareLink,
    Upload,
    User,
    WebhookEndpoint,
)
from orchestration.services.invitations import invite
from orchestration.services.live_tickets import use_live_ticket
from orchestration.services.service_accounts import create_service_account
from orchestration.services.shares import Terms, create_share
from orchestration.services.tokens import issue
from orchestration.services.webhook_deliveries import send_test
from orchestration.services.webhooks import create_webhook
from orchestration.states import NotificationKind
from tests.api.door import ALL_SCOPES
from tests.factories import join, make_file, make_job, make_user, make_workspace

if TYPE_CHECKING:
    from orchestration.models import Workspace
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
FACTS = {"job": "0199f6a2-8a31-7c11-a0f2-7d9e0b6c4a52", "name": "x", "pipeline": "noop"}

ROUTES = [
    (method, (context.path or "").removeprefix("/api/v1"), context.name or "")
    for context in iter_route_contexts(app.routes)
    for method in sorted(context.methods or ())
    # A task of TES names no workspace: it goes to the token's own.
    if context.name in SCOPE and context.name != "create_task"
]
# What is asked of no workspace, or answers without anything of one.
NOWHERE = {"show_me", "list_tokens", "show_upload_config", "list_pipelines", "show_pipeline", "create_live_ticket"}
NOWHERE |= {"show_openapi", "list_bulk", "list_jobs", "list_files"}
NOWHERE |= {"show_wes_service", "list_runs", "show_tes_service", "list_tasks"}
# What is answered item by item: 200, and each is missing.
ONE_BY_ONE = {"sign_upload_batch", "complete_upload_batch", "submit_jobs"}
# This job has neither a manifest nor results, and is no task: nobody finds any.
FOUND_BY_NOBODY = {"show_manifest", "download_results", "show_task", "cancel_task"}


@dataclass(frozen=True, slots=True)
class Far:
    """Things of a workspace that the token is not for, though its user manages it."""

    ids: dict[str, Any]

    def path(self, template: str) -> str:
        for name, value in {**self.ids, "slug": "far", "name:path": "new.csv", "name": "noop"}.items():
            template = template.replace(f"{{{name}}}", str(value))
        return template

    def options(self, name: str) -> dict[str, Any]:
        job, file, upload = (str(self.ids[key]) for key in ("job_id", "file_id", "upload_id"))
        part = {"number": 1, "crc64nvme": "rosUhgp5mIg="}
        bodies: dict[str, Any] = {
            "submit_job": {"pipeline": "noop", "workspace": "far"},
            "submit_jobs": {"jobs": [{"pipeline": "noop"}], "workspace": "far"},
            "edit_job": {"name": "x"},
            "resubmit_job": {},
            "create_share": {"days": 1},
            "download_files": {"ids": [file]},
            "create_token": {"name": "x", "workspace": "far"},
            "edit_member": {"role": "viewer"},
            "create_invitation": {"email": "new@example.org"},
            "edit_notification": {"read": True},
            "read_notifications": {"workspace": "far"},
            "edit_notification_settings": {"digest_hour": 9},
            "extend_file": {"days": 1},
            "hold_file": {"reason": "x"},
            "create_upload_or_file": {"name": "a", "size": 1, "workspace": "far"},
            "create_upload_batch": {"uploads": [{"name": "a", "size": 1}], "workspace": "far"},
            "sign_upload_parts": {"parts": [part]},
            "sign_upload_batch": {"parts": [{"id": upload, **part}]},
            "complete_upload_batch": {"ids": [upload]},
            "preview_bulk": {"action": "cancel", "ids": [job]},
            "begin_bulk": {"action": "cancel", "ids": [job]},
            "create_webhook": {"url": "https://other.example/esteira", "workspace": "far"},
            "edit_webhook": {"enabled": False},
            "create_service_account": {"name": "x", "workspace": "far"},
            "edit_service_account": {"enabled": False},
            "create_service_token": {"name": "x"},
        }
        if name == "begin_run":
            said = {"workflow_url": "esteira:noop", "workflow_type": "ESTEIRA", "workflow_type_version": "1.0"}
            said |= {"workflow_engine_parameters": '{"workspace": "far"}'}
            return {"files": {field: (None, text) for field, text in said.items()}}
        if name in bodies:
            return {"json": bodies[name]}
        if name == "put_file":
            return {"content": b"a", "params": {"workspace": "far"}}
        return {"params": {"workspace": "far"}} if name.startswith("list_") else {}


@pytest.fixture
def far_away(manager: User) -> Workspace:
    far = make_workspace("far")
    join(manager, far, "manager")
    return far


@pytest.fixture
def far(door: Door, manager: User, far_away: Workspace) -> Far:
    file = make_file(far_away, manager)
    job = make_job(manager, far_away, inputs=[file])
    done = make_job(manager, far_away, state="SUCCEEDED")
    make_file(far_away, manager, "out.csv", kind="result", job=done)
    attempt = Attempt.objects.create(
        job=job, item=Item.objects.filter(step_run__job=job).get(), step="nothing", run=1, number=1
    )
    operation = BulkOperation.objects.create(created_by=manager, action="cancel", total=1)
    BulkItem.objects.create(operation=operation, job=job, run=1)
    webhook, _ = create_webhook(user=manager, url="https://hooks.example/esteira", workspace="far")
    account = create_service_account(user=manager, name="robot", workspace="far")
    member = join(make_user("rita"), far_away, "manager").user
    tell(kind=NotificationKind.JOB_FAILED, workspace_id=far_away.pk, people=[manager.pk], group="x", data=FACTS)
    upload = door.as_(manager).json("POST", "/uploads", 201, json={"name": "u", "size": 1, "workspace": "far"})
    return Far(
        {
            "job_id": job.pk,
            "file_id": file.pk,
            "attempt_id": attempt.pk,
            "run_id": job.pk,
            "task_id": attempt.pk,
            "upload_id": upload["id"],
            "bulk_id": operation.pk,
            "share_id": create_share(user=manager, job=done, terms=Terms(days=1))[0].pk,
            "webhook_id": webhook.pk,
            "delivery_id": send_test(endpoint=webhook).pk,
            "token_id": issue(user=account, name="t")[0].pk,
            "account_id": account.pk,
            "member_id": member.pk,
            "invitation_id": invite(user=manager, email="ida@example.org", role="viewer", workspace="far").pk,
            "notification_id": Notification.objects.get(user=manager).pk,
        }
    )


def written() -> list[Any]:
    models = (
        Job,
        File,
        Upload,
        ShareLink,
        WebhookEndpoint,
        BulkOperation,
        BulkItem,
        Membership,
        Invitation,
        Notification,
        User,
    )
    rows: list[Any] = [list(model.objects.order_by("pk").values()) for model in models]
    return [*rows, list(ApiToken.objects.order_by("pk").values("pk", "revoked_at", "expires_at"))]


@pytest.mark.parametrize("route", ROUTES, ids=[f"{method} {name}" for method, _, name in ROUTES])
def test_elsewhere_is_as_good_as_missing_at_every_route(
    door: Door, manager: User, far: Far, route: tuple[str, str, str]
) -> None:
    method, template, name = route
    without = tuple(scope for scope in ALL_SCOPES if scope != SCOPE[name])
    here, unscoped = door.as_(manager, ALL_SCOPES, "lab"), door.as_(manager, without, "lab")
    free = door.as_(manager)
    before, options = written(), far.options(name)
    path = far.path(template)

    def ask(who: Visitor) -> Any:
        address = path if path.startswith("/ga4gh/") else f"/api/v1{path}"
        return who.door.send(method, address, who.token, **options)

    assert ask(unscoped).status_code == 403
    said = ask(here)
    if name in NOWHERE | ONE_BY_ONE:
        assert said.status_code < 400
    else:
        # WES says of a form that names what is not there that it is a bad one.
        assert said.status_code == (400 if name == "begin_run" else 404), said.text
    if name in ONE_BY_ONE:
        assert '"not_found"' in said.text
    else:
        assert not [value for value in ("far", *far.ids.values()) if f'"{value}"' in said.text]
    assert written() == before
    if name not in FOUND_BY_NOBODY:
        assert ask(free).status_code not in {401, 403, 404}, "the test proves nothing"


def test_lists_show_what_is_in_its_workspace_alone(door: Door, manager: User, far: Far, lab: Workspace) -> None:
    job, file = make_job(manager, lab), make_file(lab, manager, "here.csv")
    here = door.as_(manager, ALL_SCOPES, "lab")
    for path in ("/jobs", "/files", "/uploads", "/webhooks", "/bulk", "/tokens", "/me", "/service-accounts"):
        text = here("GET", path).text
        assert not [value for value in far.ids.values() if str(value) in text], path
    assert [row["id"] for row in here.json("GET", "/jobs")["items"]] == [str(job.pk)]
    assert [row["id"] for row in here.json("GET", "/files")["items"]] == [str(file.pk)]
    assert [row["slug"] for row in here.json("GET", "/me")["workspaces"]] == ["lab"]


def test_superuser_s_token_for_one_workspace_is_held_to_it(door: Door, manager: User, far: Far, lab: Workspace) -> None:
    User.objects.filter(pk=manager.pk).update(is_superuser=True)
    job = make_job(manager, lab)
    here = door.as_(manager, ALL_SCOPES, "lab")
    for name in ("jobs/{job_id}", "files/{file_id}", "webhooks/{webhook_id}", "attempts/{attempt_id}/log"):
        assert here("GET", far.path(f"/{name}")).status_code == 404, name
    assert here("POST", far.path("/files/{file_id}/hold"), json={"reason": "x"}).status_code == 404
    assert here("GET", f"/jobs/{job.pk}").status_code == 200
    assert door.as_(manager)("GET", far.path("/jobs/{job_id}")).status_code == 200


def test_rows_that_were_found_otherwise_are_refused_by_the_role(manager: User, far_away: Workspace) -> None:
    assert far_away.role_of(manager) == "manager"
    manager.bound_to = make_workspace("third").pk
    assert far_away.role_of(manager) is None


def test_bulk_operation_begun_elsewhere_is_not_answered_to_its_key(
    door: Door, manager: User, far: Far, lab: Workspace
) -> None:
    make_job(manager, lab)
    body = {"action": "cancel", "q": "state:open", "expected": 1}
    BulkOperation.objects.filter(pk=far.ids["bulk_id"]).update(filter="state:open", idempotency_key="k")
    said = door.as_(manager, ALL_SCOPES, "lab")("POST", "/bulk", json=body, headers={"Idempotency-Key": "k"})
    assert (said.status_code, said.json()["code"]) == (422, "idempotency_key_reused")


def test_token_for_a_workspace_makes_tokens_for_that_one_only(door: Door, manager: User, far_away: Workspace) -> None:
    here = door.as_(manager, ALL_SCOPES, "lab")
    assert here.json("POST", "/tokens", 201, json={"name": "x"})["workspace"] == "lab"
    assert here("POST", "/tokens", json={"name": "x", "workspace": "far"}).status_code == 404
    assert door.as_(manager).json("POST", "/tokens", 201, json={"name": "x"})["workspace"] is None


def test_token_for_a_workspace_neither_sees_nor_rotates_one_that_may_more(door: Door, manager: User) -> None:
    here, row = door.as_(manager, ALL_SCOPES, "lab"), issue(user=manager, name="anywhere")[0]
    assert str(row.pk) not in here("GET", "/tokens").text
    assert here("POST", f"/tokens/{row.pk}/rotate").status_code == 404
    assert here("DELETE", f"/tokens/{row.pk}").status_code == 404


def test_token_for_a_workspace_ends_with_the_membership(door: Door, owner: User) -> None:
    here = door.as_(owner, ALL_SCOPES, "lab")
    assert len(here.json("GET", "/me")["workspaces"]) == 1
    Membership.objects.filter(user=owner).delete()
    assert here.json("GET", "/me")["workspaces"] == []


def test_live_ticket_of_it_opens_its_workspace_alone(door: Door, manager: User, far: Far) -> None:
    ticket = door.as_(manager, ALL_SCOPES, "lab").json("POST", "/events:ticket", 201)["ticket"]
    token = use_live_ticket(ticket=ticket)
    assert token is not None
    assert not Job.objects.visible_to(token.user).exists()
