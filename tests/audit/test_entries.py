"""Each thing that must be noted is noted once, with who, where, when and by which request, and without a secret."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from orchestration.asking import current_address, current_request
from orchestration.errors import Forbidden
from orchestration.models import AuditEntry
from orchestration.services import invitations, members, shares, tokens, webhooks
from orchestration.services.bulk import Choice, begin_bulk
from orchestration.services.files import delete_file, note_read, undelete_file
from orchestration.services.quarantine import release_from_quarantine
from orchestration.services.retention import extend_file, hold_file, release_file
from orchestration.services.service_accounts import create_service_account, edit_service_account
from orchestration.states import BulkAction
from tests.factories import PASSWORD, join, make_file, make_job, make_user
from tests.frontend.ask import browser, fetch

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def noted() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


class Room:
    """Mara manages the lab and ana works in it."""

    def __init__(self, manager: User, owner: User, lab: Workspace) -> None:
        self.manager, self.owner, self.lab = manager, owner, lab
        self.file = make_file(lab, owner)

    def token(self) -> Any:
        return tokens.issue(user=self.owner, name="laptop")

    def webhook(self) -> Any:
        return webhooks.create_webhook(user=self.manager, url="https://93.184.216.34/x?key=canary", workspace="lab")

    def share(self) -> Any:
        job = make_job(self.owner, self.lab, state="SUCCEEDED")
        make_file(self.lab, self.owner, kind="result", job=job, step="nothing")
        return shares.create_share(user=self.owner, job=job, terms=shares.Terms(days=1, password="canary-password"))

    def quarantined(self) -> None:
        file = make_file(self.lab, self.owner, scan_state="quarantined")
        root = make_user("root", is_superuser=True)
        release_from_quarantine(user=root, file=file, reason="a false alarm")

    def moved_token(self) -> None:
        row, text = self.token()
        tokens.authenticate(token=text, address="192.0.2.1")
        type(row).objects.update(last_used_at=timezone.now() - timedelta(hours=1))
        for _ in range(2):
            tokens.authenticate(token=text, address="192.0.2.2")

    def held(self) -> None:
        hold_file(user=self.manager, file=self.file, reason="a case")
        hold_file(user=self.manager, file=self.file, reason="a case")

    def deleted(self) -> None:
        delete_file(user=self.owner, file=self.file)
        self.file.refresh_from_db()

    def unheld(self) -> None:
        self.held()
        release_file(user=self.manager, file=self.file)

    def undeleted(self) -> None:
        self.deleted()
        undelete_file(user=self.owner, file=self.file)

    def invited(self) -> Any:
        return invitations.invite(user=self.manager, email="nora@example.org", role="viewer", workspace="lab")

    def bulk(self) -> None:
        job = make_job(self.owner, self.lab)
        begin_bulk(user=self.manager, action=BulkAction.CANCEL, choice=Choice(ids=(job.pk,)))


@pytest.fixture
def room(manager: User, owner: User, lab: Workspace) -> Room:
    return Room(manager, owner, lab)


DONE: list[tuple[list[str], Callable[[Room], object]]] = [
    (["token.created"], lambda r: r.token()),
    (["token.created", "token.rotated"], lambda r: tokens.rotate(user=r.owner, token_id=r.token()[0].pk)),
    (["token.created", "token.revoked"], lambda r: tokens.revoke(user=r.owner, token_id=r.token()[0].pk)),
    (["token.created", "token.revoked"], lambda r: tokens.revoke_leaked(token=r.token()[1])),
    (["token.created", "token.used_from_new_address"], lambda r: r.moved_token()),
    (["webhook.created"], lambda r: r.webhook()),
    (["webhook.created", "webhook.changed"], lambda r: webhooks.edit_webhook(
        user=r.manager, endpoint=r.webhook()[0], changes={"enabled": False})),
    (["webhook.created", "webhook.secret_rotated"], lambda r: webhooks.rotate_secret(
        user=r.manager, endpoint=r.webhook()[0])),
    (["webhook.created", "webhook.deleted"], lambda r: webhooks.delete_webhook(
        user=r.manager, endpoint=r.webhook()[0])),
    (["share.created"], lambda r: r.share()),
    (["share.created", "share.revoked"], lambda r: shares.revoke_share(user=r.owner, share=r.share()[0])),
    (["share.created", "share.used"], lambda r: shares.count_download(r.share()[0])),
    (["member.changed"], lambda r: members.change_role(
        user=r.manager, workspace=r.lab, member_id=r.owner.pk, role="manager")),
    ([], lambda r: members.change_role(user=r.manager, workspace=r.lab, member_id=r.owner.pk, role="submitter")),
    (["member.removed"], lambda r: members.remove_member(user=r.manager, workspace=r.lab, member_id=r.owner.pk)),
    (["member.added"], lambda _: members.join_by_rule(user=make_user("nova"), workspace="lab", role="viewer")),
    (["invitation.sent"], lambda r: r.invited()),
    (["invitation.sent", "invitation.revoked"], lambda r: invitations.revoke_invitation(
        user=r.manager, invitation_id=r.invited().pk)),
    (["invitation.sent", "account.created", "member.added"], lambda r: invitations.accept_as_new(
        key=r.invited().key, username="nora", password=PASSWORD)),
    (["account.created"], lambda r: create_service_account(user=r.manager, name="nightly", workspace="lab")),
    (["account.created", "account.changed"], lambda r: edit_service_account(
        user=r.manager, account=create_service_account(user=r.manager, name="nightly", workspace="lab"),
        enabled=False)),
    (["file.deleted"], lambda r: delete_file(user=r.owner, file=r.file)),
    (["file.deleted", "file.undeleted"], lambda r: r.undeleted()),
    (["file.extended"], lambda r: extend_file(user=r.owner, file=r.file, days=3)),
    (["file.held"], lambda r: r.held()),
    (["file.held", "file.unheld"], lambda r: r.unheld()),
    (["file.released_from_quarantine"], lambda r: r.quarantined()),
    (["file.read"], lambda r: note_read(user=r.manager, file=r.file)),
    ([], lambda r: note_read(user=r.owner, file=r.file)),
    (["jobs.acted_on"], lambda r: r.bulk()),
]  # fmt: skip


@pytest.mark.parametrize(("actions", "do"), DONE, ids=lambda value: "+".join(value) if isinstance(value, list) else "")
def test_what_is_done_is_noted_once(room: Room, actions: list[str], do: Callable[[Room], object]) -> None:
    current_request.set("request-7")
    current_address.set("192.0.2.7")
    do(room)
    assert noted() == actions
    for entry in AuditEntry.objects.all():
        assert (entry.request_id, entry.address) == ("request-7", "192.0.2.7")
        assert (
            entry.action.startswith(("account.", "token.")) or entry.workspace_id == room.lab.pk or not entry.workspace
        )
        assert "canary" not in json.dumps(entry.told())
    current_request.set("")
    current_address.set("")


def test_change_that_is_undone_leaves_no_entry(room: Room) -> None:
    with pytest.raises(Forbidden):
        hold_file(user=room.owner, file=room.file, reason="I may not")
    assert noted() == []


def test_signing_in_and_out_and_failing_to_are_noted(owner: User) -> None:
    client = browser()
    client.post("/login/", {"login": "ana", "password": "wrong horse"})
    client.post("/login/", {"login": "my secret password", "password": "ana"})
    client.post("/login/", {"login": "ana", "password": PASSWORD})
    client.post("/logout/")
    assert noted() == [
        "account.sign_in_failed", "account.sign_in_failed", "account.signed_in", "account.signed_out",
    ]  # fmt: skip
    known, unknown = AuditEntry.objects.filter(action="account.sign_in_failed").order_by("id")
    assert (known.subject, known.subject_id, known.actor_id) == ("ana", str(owner.pk), None)
    assert "secret" not in json.dumps(unknown.told())


def test_refusal_is_noted_with_what_was_asked(room: Room) -> None:
    browser(room.owner).get("/members/")
    entry = AuditEntry.objects.get(action="access.refused")
    assert (entry.actor, entry.after["code"], entry.after["what"]) == ("ana", "forbidden", "GET member_list")


def test_download_by_another_is_noted_and_by_oneself_is_not(room: Room) -> None:
    fetch(room.owner, f"/files/{room.file.pk}/content")
    assert "file.read" not in noted()
    fetch(room.manager, f"/files/{room.file.pk}/content")
    assert noted().count("file.read") == 1


def test_name_with_a_second_line_stays_in_one(room: Room) -> None:
    tokens.issue(user=room.owner, name='x\r\n{"action": "forged"}\x1b[2J')
    said = StringIO()
    call_command("audit", "export", stdout=said)
    (line,) = said.getvalue().splitlines()
    assert json.loads(line)["action"] == "token.created"
    assert "\x1b" not in line


def test_page_says_values_as_people_say_them(room: Room) -> None:
    webhooks.create_webhook(user=room.manager, url="https://example.org/hook")
    html = browser(room.manager).get("/audit/").content.decode()
    assert "<bdi>job.succeeded, job.failed" in html
    assert re.search("enabled</code>\\s*<bdi>yes</bdi>", html)
    assert not re.search("True|None|\\[&#x27;", html)


def test_managers_see_and_take_their_workspace_s_and_no_other(
    room: Room, stranger: User, elsewhere_manager: User
) -> None:
    delete_file(user=room.owner, file=room.file)
    html = browser(room.manager).get("/audit/").content.decode()
    assert "file.deleted" in html
    assert "a.csv" in html
    taken = fetch(room.manager, "/audit/export/?action=file")
    assert [json.loads(line)["action"] for line in taken.body.decode().splitlines()] == ["file.deleted"]
    assert noted()[-1] == "audit.exported"
    assert "a.csv" not in browser(elsewhere_manager).get("/audit/").content.decode()
    assert fetch(elsewhere_manager, "/audit/export/").body.count(b"file.deleted") == 0
    for user in (room.owner, stranger):
        assert browser(user).get("/audit/").status_code == 403
        assert browser(user).get("/audit/export/").status_code == 403


@pytest.fixture
def elsewhere_manager(people: Any) -> User:
    user = make_user("omar")
    join(user, people.elsewhere, "manager")
    return user


def test_days_and_kinds_narrow_what_is_shown(room: Room) -> None:
    delete_file(user=room.owner, file=room.file)
    client = browser(room.manager)
    assert "file.deleted" not in client.get("/audit/?action=token").content.decode()
    assert "file.deleted" not in client.get("/audit/?until=2020-01-01").content.decode()
    assert "file.deleted" in client.get("/audit/?since=2020-01-01&until=2099-01-01&action=file").content.decode()


def test_administrator_s_changes_are_noted_with_before_and_after(people: Any, lab: Workspace, stranger: User) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    client = browser(root)
    form = {"slug": "lab", "name": "Lab", "max_active_jobs": 5, "upload_retention_days": 365, "quota_bytes": 77}
    form |= {"result_retention_days": 1826, "memberships-TOTAL_FORMS": 1, "memberships-INITIAL_FORMS": 0}
    form |= {"budget_warn_percent": 80, "budget_mode": "warn"}
    form |= {"memberships-0-user": str(stranger.pk), "memberships-0-role": "viewer"}
    assert client.post(f"/admin/orchestration/workspace/{lab.pk}/change/", form).status_code == 302
    change, added = AuditEntry.objects.filter(workspace_id=lab.pk).order_by("id")
    assert (change.action, change.actor) == ("workspace.changed", "root")
    assert change.before == {"max_active_jobs": 1000, "quota_bytes": None}
    assert change.after == {"max_active_jobs": 5, "quota_bytes": 77}
    assert (added.action, added.subject, added.after) == ("member.added", "eva", {"role": "viewer"})


def test_what_an_administrator_does_for_somebody_has_her_own_name(room: Room) -> None:
    row, _ = room.token()
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    chosen = {"action": "revoke_tokens", "_selected_action": str(row.pk)}
    assert root.post("/admin/orchestration/apitoken/", chosen).status_code == 302
    entry = AuditEntry.objects.get(action="token.revoked")
    assert (entry.actor, entry.subject.partition(" ")[0]) == ("root", "laptop")
    assert not [app for app in settings.INSTALLED_APPS if re.search("hijack|impersonat|loginas", app)]


def test_time_of_an_entry_is_utc_wherever_somebody_looks(room: Room) -> None:
    with timezone.override("America/Sao_Paulo"), connection.cursor() as cursor:
        room.token()
        said = AuditEntry.objects.get().told()["at"]
        form = "'YYYY-MM-DD\"T\"HH24:MI:SS.US'"
        cursor.execute(f"SELECT to_char(at AT TIME ZONE 'UTC', {form}) FROM orchestration_auditentry")  # noqa: S608  ours
        assert said == f"{cursor.fetchone()[0]}+00:00"


def root_s_form_of(user: User) -> dict[str, Any]:
    form = {"username": user.username, "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    return form | {
        "email": user.email,
        "mail_on": user.mail_on,
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }


def test_groups_and_permissions_that_an_administrator_gives_and_takes_are_noted(people: Any, owner: User) -> None:
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    group, right = Group.objects.create(name="helpers"), Permission.objects.get(codename="change_job")
    at, form = f"/admin/orchestration/user/{owner.pk}/change/", root_s_form_of(owner)
    given = {"is_staff": "on", "groups": group.pk, "user_permissions": right.pk}
    answer = root.post(at, form | given)
    assert answer.status_code == 302, answer.context["adminform"].form.errors or answer.context["errors"]
    assert root.post(at, form | {"is_staff": "on"}).status_code == 302
    gave, took = AuditEntry.objects.filter(action="account.changed").order_by("id")
    assert (gave.actor, gave.subject, gave.before["groups"]) == ("root", "ana", [])
    assert (gave.after["groups"], gave.after["is_staff"]) == (["helpers"], True)
    assert gave.after["user_permissions"] == [str(right)]
    assert (took.before["groups"], took.after["groups"]) == (["helpers"], [])
    assert (took.before["user_permissions"], took.after["user_permissions"]) == ([str(right)], [])


def test_what_a_group_may_is_noted_when_it_changes(people: Any) -> None:
    root, right = (
        browser(make_user("root", is_staff=True, is_superuser=True)),
        Permission.objects.get(codename="view_job"),
    )
    assert root.post("/admin/auth/group/add/", {"name": "helpers", "permissions": right.pk}).status_code == 302
    group = Group.objects.get()
    assert root.post(f"/admin/auth/group/{group.pk}/change/", {"name": "helpers"}).status_code == 302
    assert root.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 302
    made, changed, gone = AuditEntry.objects.filter(action__startswith="group.").order_by("id")
    assert (made.action, made.subject, made.after["permissions"]) == ("group.created", "helpers", [str(right)])
    assert (changed.before, changed.after) == ({"permissions": [str(right)]}, {"permissions": []})
    assert (gone.action, gone.actor, gone.before["name"]) == ("group.deleted", "root", "helpers")


def test_password_that_an_administrator_sets_is_noted_and_not_told(people: Any, owner: User) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    form = {"usable_password": "true", "password1": "canary of a mine", "password2": "canary of a mine"}
    at = f"/admin/orchestration/user/{owner.pk}/password/"
    assert browser(root).post(at, form).status_code == 302
    entry = AuditEntry.objects.get(action="account.password_changed")
    assert (entry.actor, entry.subject) == ("root", "ana")
    assert "canary" not in json.dumps(entry.told())
