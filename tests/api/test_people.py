"""Members, invitations and notifications over REST: the same services as the pages', held to the same roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator

from orchestration.execution.notifying import tell
from orchestration.models import Invitation, Membership
from orchestration.services.service_accounts import create_service_account
from orchestration.states import NotificationKind
from tests.factories import join

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor
    from tests.conftest import People

pytestmark = pytest.mark.django_db
LAB = "/workspaces/lab"


@pytest.fixture
def mara(door: Door, manager: User) -> Visitor:
    return door.as_(manager)


def told(user: User, lab: Workspace, name: str = "a.csv") -> None:
    data = {"file": str(uuid4()), "name": name, "what": "damaged", "detail": "It differs."}
    tell(kind=NotificationKind.FILE_TROUBLE, workspace_id=lab.pk, people=[user.pk], group=name, data=data)


# Members


def test_managers_see_who_is_in_the_workspace(mara: Visitor, owner: User, manager: User) -> None:
    create_service_account(user=manager, name="robot", workspace="lab")
    Authenticator.objects.create(user=owner, type="totp", data={})
    rows = mara.json("GET", f"{LAB}/members")["items"]
    assert [(one["user"], one["role"], one["has_second_factor"]) for one in rows] == [
        ("ana", "submitter", True),
        ("bruno", "submitter", False),
        ("mara", "manager", False),
    ]


def test_manager_changes_a_role_and_removes(mara: Visitor, owner: User, lab: Workspace) -> None:
    assert mara("PATCH", f"{LAB}/members/{owner.pk}", json={"role": "viewer"}).status_code == 204
    assert lab.role_of(owner) == "viewer"
    assert mara("DELETE", f"{LAB}/members/{owner.pk}").status_code == 204
    assert lab.role_of(owner) is None


def test_last_manager_cannot_go(mara: Visitor, manager: User) -> None:
    for answer in (
        mara("POST", f"{LAB}/leave"),
        mara("DELETE", f"{LAB}/members/{manager.pk}"),
        mara("PATCH", f"{LAB}/members/{manager.pk}", json={"role": "viewer"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_anybody_may_leave_and_her_token_sees_nothing_of_it(ana: Visitor, lab: Workspace, owner: User) -> None:
    assert ana("POST", f"{LAB}/leave").status_code == 204
    assert lab.role_of(owner) is None
    assert ana.json("GET", "/me")["workspaces"] == []


def test_others_look_after_nobody(ana: Visitor, teammate: User, manager: User, owner: User) -> None:
    assert ana("GET", f"{LAB}/members").status_code == 403
    assert ana("GET", f"{LAB}/invitations").status_code == 403
    for person in (teammate, manager):
        assert ana("PATCH", f"{LAB}/members/{person.pk}", json={"role": "viewer"}).status_code == 404
        assert ana("DELETE", f"{LAB}/members/{person.pk}").status_code == 404
    assert ana("PATCH", f"{LAB}/members/{owner.pk}", json={"role": "manager"}).status_code == 403


def test_stranger_learns_of_no_workspace(eva: Visitor, owner: User) -> None:
    for method, path in (("GET", "members"), ("GET", "invitations"), ("DELETE", f"members/{owner.pk}")):
        assert eva(method, f"{LAB}/{path}").status_code == 404, path
    assert eva("POST", f"{LAB}/invitations", json={"email": "x@example.org"}).status_code == 404


# Invitations


def test_invitation_is_made_listed_and_taken_back(mara: Visitor, settings: Settings) -> None:
    settings.MAILERS = {"default": {}}
    made = mara.json("POST", f"{LAB}/invitations", 201, json={"email": "Ida@Example.org", "role": "viewer"})
    assert (made["email"], made["role"], made["invited_by"], made["link"]) == (
        "ida@example.org",
        "viewer",
        "mara",
        None,
    )
    (listed,) = mara.json("GET", f"{LAB}/invitations")["items"]
    assert listed == {key: value for key, value in made.items() if key != "link"}
    assert mara("DELETE", f"/invitations/{made['id']}").status_code == 204
    assert mara.json("GET", f"{LAB}/invitations")["items"] == []
    assert mara("DELETE", f"/invitations/{made['id']}").status_code == 404


def test_link_is_said_once_where_no_mail_brings_it_and_never_kept(mara: Visitor, settings: Settings) -> None:
    settings.MAILERS = {}
    again: dict[str, Any] = {"json": {"email": "ida@example.org"}, "headers": {"Idempotency-Key": "k"}}
    first, second = (mara.json("POST", f"{LAB}/invitations", 201, **again) for _ in range(2))
    assert Invitation.objects.by_key(second["link"].split("/")[-2]).exists()
    assert first["link"] != second["link"], "each one that is said ends the one before"
    assert not Invitation.objects.by_key(first["link"].split("/")[-2]).exists()


@pytest.mark.parametrize("body", [{"email": "ida"}, {"email": "ida@example.org", "role": "owner"}, {}])
def test_invitation_that_cannot_be_is_refused(mara: Visitor, body: dict[str, str]) -> None:
    assert mara("POST", f"{LAB}/invitations", json=body).status_code == 422


def test_service_account_looks_after_no_people(mara: Visitor, manager: User, owner: User, door: Door) -> None:
    robot = create_service_account(user=manager, name="robot", role="manager", workspace="lab")
    program = door.as_(robot)
    assert program("POST", f"{LAB}/invitations", json={"email": "x@example.org"}).status_code == 403
    assert program("PATCH", f"{LAB}/members/{owner.pk}", json={"role": "viewer"}).status_code == 403
    assert Membership.objects.filter(user=owner, role="submitter").exists()


# Notifications


def test_notifications_are_listed_read_and_marked_back(ana: Visitor, owner: User, lab: Workspace) -> None:
    told(owner, lab)
    told(owner, lab, "b.csv")
    second, first = ana.json("GET", "/notifications")["items"]
    assert (first["title"], first["detail"], first["kind"]) == ("a.csv is damaged", "It differs.", "file.trouble")
    assert first["url"].endswith(f"/files/{first['data']['file']}/")
    assert ana.json("PATCH", f"/notifications/{first['id']}", json={"read": True})["read_at"]
    assert [one["id"] for one in ana.json("GET", "/notifications?unread=true")["items"]] == [second["id"]]
    assert ana.json("PATCH", f"/notifications/{first['id']}", json={"read": False})["read_at"] is None
    assert ana.json("POST", "/notifications:read", json={}) == {"marked": 2}
    assert ana.json("GET", "/notifications?unread=true")["items"] == []


def test_workspaces_are_told_apart(ana: Visitor, owner: User, lab: Workspace, people: People) -> None:
    join(owner, people.elsewhere)
    told(owner, lab)
    told(owner, people.elsewhere)
    assert len(ana.json("GET", "/notifications")["items"]) == 2
    assert [one["workspace"] for one in ana.json("GET", "/notifications?workspace=lab")["items"]] == ["lab"]
    assert ana.json("POST", "/notifications:read", json={"workspace": "lab"}) == {"marked": 1}


def test_other_people_s_are_as_good_as_missing(ana: Visitor, teammate: User, lab: Workspace) -> None:
    told(teammate, lab)
    hers = teammate.notifications.get()
    assert ana.json("GET", "/notifications")["items"] == []
    assert ana("PATCH", f"/notifications/{hers.pk}", json={"read": True}).status_code == 404
    assert ana.json("POST", "/notifications:read", json={}) == {"marked": 0}


def test_choices_are_changed_and_the_others_stay(ana: Visitor) -> None:
    body = {"choices": [{"kind": "job.failed", "in_app": False, "mail": "daily"}], "digest_hour": 18}
    made = ana.json("PATCH", f"{LAB}/notification-settings", json=body)
    assert made == ana.json("GET", f"{LAB}/notification-settings")
    assert made["digest_hour"] == 18
    by_kind = {one["kind"]: one for one in made["choices"]}
    assert by_kind["job.failed"] == {"kind": "job.failed", "in_app": False, "mail": "daily", "is_chosen": True}
    assert by_kind["file.trouble"] == {"kind": "file.trouble", "in_app": True, "mail": "at_once", "is_chosen": False}
    assert "budget.near" not in by_kind
    of_managers = {"choices": [{"kind": "budget.near", "in_app": True, "mail": "daily"}]}
    assert ana("PATCH", f"{LAB}/notification-settings", json=of_managers).status_code == 422
