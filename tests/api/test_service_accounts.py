"""Accounts for programs: made by managers, held to one workspace, unable to sign in, ended in one move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.test import Client

from orchestration.models import User
from orchestration.services import service_accounts
from tests.api.door import ALL_SCOPES, Visitor
from tests.factories import PASSWORD, join, make_job, make_workspace

if TYPE_CHECKING:
    from orchestration.models import Workspace
    from tests.api.door import Door

pytestmark = pytest.mark.django_db


@pytest.fixture
def mara(door: Door, manager: User) -> Visitor:
    return door.as_(manager)


@pytest.fixture
def robot(mara: Visitor) -> Any:
    return mara.json("POST", "/service-accounts", 201, json={"name": "robot", "role": "submitter"})


def program(mara: Visitor, robot: Any, scopes: tuple[str, ...] = ALL_SCOPES) -> Visitor:
    body = {"name": "nightly", "scopes": list(scopes)}
    made = mara.json("POST", f"/service-accounts/{robot['id']}/tokens", 201, json=body)
    assert made["token"].startswith("est_svc_")
    assert made["workspace"] == "lab"
    return Visitor(mara.door, made["token"])


def test_service_account_works_in_its_workspace_and_nowhere_else(
    mara: Visitor, robot: Any, owner: User, lab: Workspace
) -> None:
    assert robot["user"] == "robot@lab"
    here = program(mara, robot)
    job, far = make_job(owner, lab), make_workspace("far")
    account = User.objects.get(pk=robot["id"])
    join(account, far)
    assert here.json("GET", "/me")["workspaces"] == [
        {"id": str(lab.pk), "slug": "lab", "name": "Lab", "role": "submitter"}
    ]
    assert here.json("POST", f"/jobs/{job.pk}/cancel", 202)["id"] == str(job.pk)
    assert here("GET", f"/jobs/{make_job(account, far).pk}").status_code == 404
    assert here.json("POST", "/tokens", 201, json={"name": "x"})["workspace"] == "lab"


def test_service_account_cannot_sign_in_and_the_database_sees_to_it(door: Door, robot: Any) -> None:
    assert authenticate(username="robot@lab", password="") is None
    assert not Client().login(username="robot@lab", password=PASSWORD)
    said = door.send("POST", "/api/v1/tokens", json={"name": "x"}, auth=("robot@lab", "!"))
    assert said.status_code == 401
    account = User.objects.get(pk=robot["id"])
    account.set_password(PASSWORD)
    for change in ({"password": account.password}, {"is_staff": True}, {"is_superuser": True}):
        with pytest.raises(IntegrityError, match="user_service_cannot_sign_in"), transaction.atomic():
            User.objects.filter(pk=account.pk).update(**change)


def test_only_managers_make_and_see_them(door: Door, robot: Any, ana: Visitor, eva: Visitor) -> None:
    for who, status in ((ana, 403), (eva, 404)):
        body = {"name": "mine", "workspace": "lab"}
        assert who("POST", "/service-accounts", json=body).status_code == status
        assert who("GET", "/service-accounts?workspace=lab").status_code == status
        at = f"/service-accounts/{robot['id']}"
        assert who("PATCH", at, json={"role": "manager"}).status_code == 404
        assert who("POST", f"{at}/tokens", json={"name": "x"}).status_code == 404
        assert who("GET", f"{at}/tokens").status_code == 404


def test_disabled_account_is_refused_at_once_with_all_its_tokens(door: Door, mara: Visitor, robot: Any) -> None:
    one, two = program(mara, robot), program(mara, robot, ("read",))
    assert not mara.json("PATCH", f"/service-accounts/{robot['id']}", json={"enabled": False})["enabled"]
    assert [who("GET", "/me").status_code for who in (one, two)] == [401, 401]
    mara.json("PATCH", f"/service-accounts/{robot['id']}", json={"enabled": True})
    assert [who("GET", "/me").status_code for who in (one, two)] == [200, 200]


def test_role_can_be_changed_and_counts_at_the_next_call(
    mara: Visitor, robot: Any, owner: User, lab: Workspace
) -> None:
    here, job = program(mara, robot), make_job(owner, lab)
    assert mara.json("PATCH", f"/service-accounts/{robot['id']}", json={"role": "viewer"})["role"] == "viewer"
    assert here("POST", f"/jobs/{job.pk}/cancel").status_code == 403


def test_its_tokens_are_listed_rotated_and_revoked_by_managers(
    door: Door, mara: Visitor, robot: Any, ana: Visitor
) -> None:
    here = program(mara, robot)
    (listed,) = mara.json("GET", f"/service-accounts/{robot['id']}/tokens")["items"]
    assert here.token.startswith(listed["start"])
    assert str(listed["id"]) not in mara("GET", "/tokens").text, "one's own are a list of their own"
    for verb, path in (("POST", f"/tokens/{listed['id']}/rotate"), ("DELETE", f"/tokens/{listed['id']}")):
        assert ana(verb, path).status_code == 404
    made = mara.json("POST", f"/tokens/{listed['id']}/rotate", 201)
    assert Visitor(door, made["token"]).json("GET", "/me")["user"] == "robot@lab"
    assert mara("DELETE", f"/tokens/{listed['id']}").status_code == 204
    assert here("GET", "/me").status_code == 401


def test_token_of_a_manager_gives_no_more_than_it_has(door: Door, manager: User, robot: Any) -> None:
    some = door.as_(manager, ("read", "admin"))
    body = {"name": "x", "scopes": ["read", "run"]}
    assert some("POST", f"/service-accounts/{robot['id']}/tokens", json=body).status_code == 403


def test_service_account_that_manages_makes_no_others(mara: Visitor) -> None:
    boss = mara.json("POST", "/service-accounts", 201, json={"name": "boss", "role": "manager"})
    other = mara.json("POST", "/service-accounts", 201, json={"name": "other"})
    here, theirs = program(mara, boss), program(mara, other)
    assert here("POST", "/service-accounts", json={"name": "heir"}).status_code == 403
    assert here("POST", f"/service-accounts/{other['id']}/tokens", json={"name": "x"}).status_code == 404
    (listed,) = mara.json("GET", f"/service-accounts/{other['id']}/tokens")["items"]
    assert here("POST", f"/tokens/{listed['id']}/rotate").status_code == 404
    assert theirs("GET", "/me").status_code == 200


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a b", "a" * 41, "é"])
def test_name_that_does_not_fit_is_refused(mara: Visitor, name: str) -> None:
    assert mara("POST", "/service-accounts", json={"name": name}).status_code == 422


def test_names_are_taken_once_and_a_workspace_has_so_many(
    mara: Visitor, robot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mara("POST", "/service-accounts", json={"name": "robot"}).status_code == 409
    monkeypatch.setattr(service_accounts, "MOST_OF_A_WORKSPACE", 1)
    assert "at most 1" in mara.json("POST", "/service-accounts", 409, json={"name": "second"})["detail"]
