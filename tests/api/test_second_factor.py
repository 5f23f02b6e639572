"""Where a password alone opens no page, it makes no token either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator

from orchestration.models import Workspace
from tests.factories import PASSWORD, join

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User
    from tests.api.door import Door, Visitor
    from tests.conftest import People

pytestmark = pytest.mark.django_db


def basic(door: Door, password: str = PASSWORD) -> Any:
    return door.send("POST", "/api/v1/tokens", json={"name": "laptop"}, auth=("ana", password))


@pytest.mark.parametrize("factor", ["totp", "webauthn"])
def test_password_alone_makes_no_token_where_there_is_a_second_factor(door: Door, owner: User, factor: str) -> None:
    Authenticator.objects.create(user=owner, type=factor, data={})
    answer = basic(door)
    assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")
    assert "page Tokens" in answer.json()["detail"]
    assert not owner.tokens.exists()
    assert basic(door, "wrong horse").status_code == 401, "whoever does not know it learns nothing"


def test_whoever_must_have_one_makes_no_token_by_password(door: Door, owner: User, settings: Settings) -> None:
    settings.SECOND_FACTOR = "everyone"
    assert basic(door).status_code == 403
    settings.SECOND_FACTOR = "admins"
    assert basic(door).status_code == 201


def test_workspace_may_ask_for_it_of_its_members(door: Door, owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(needs_second_factor=True)
    assert basic(door).status_code == 403


def test_token_that_was_made_before_goes_on(door: Door, ana: Visitor, owner: User) -> None:
    """It is a secret of its own, which somebody made who could sign in; she can revoke it."""
    Authenticator.objects.create(user=owner, type="totp", data={})
    assert ana.json("GET", "/me")["user"] == "ana"


def test_token_of_a_member_without_one_is_refused_where_the_workspace_asks_for_it(
    ana: Visitor, owner: User, lab: Workspace, people: People
) -> None:
    bound = ana.json("POST", "/tokens", 201, json={"name": "elsewhere", "workspace": "lab"})["token"]
    Workspace.objects.filter(pk=lab.pk).update(needs_second_factor=True)
    for token in (ana.token, bound):
        answer = ana.door.send("GET", "/api/v1/jobs", token)
        assert (answer.status_code, answer.json()["code"]) == (403, "second_factor_needed")
        assert "Set one up" in answer.json()["detail"]
    Authenticator.objects.create(user=owner, type="totp", data={})
    assert ana("GET", "/jobs").status_code == 200


def test_token_for_another_workspace_goes_on(ana: Visitor, owner: User, lab: Workspace, people: People) -> None:
    join(owner, people.elsewhere)
    bound = ana.json("POST", "/tokens", 201, json={"name": "elsewhere", "workspace": "elsewhere"})["token"]
    Workspace.objects.filter(pk=lab.pk).update(needs_second_factor=True)
    assert ana.door.send("GET", "/api/v1/jobs", bound).status_code == 200


def test_who_signs_in_elsewhere_and_programs_are_not_asked(ana: Visitor, owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(needs_second_factor=True)
    owner.set_unusable_password()
    owner.save(update_fields=["password"])
    assert ana("GET", "/jobs").status_code == 200
