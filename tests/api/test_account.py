"""Who am I, and tokens: made by password or by a token, never worth more than their maker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from api_app import passwords
from orchestration.models import ApiToken, User
from tests.factories import PASSWORD, join, make_workspace

if TYPE_CHECKING:
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


def test_me_lists_only_my_workspaces_with_my_role(ana: Visitor, owner: User) -> None:
    join(owner, make_workspace("second"), role="viewer")
    me = ana.json("GET", "/me")
    assert me["user"] == "ana"
    assert [(w["slug"], w["role"]) for w in me["workspaces"]] == [("lab", "submitter"), ("second", "viewer")]


def test_password_makes_a_token_that_works_and_may_not_administer(door: Door, owner: User) -> None:
    answer = door.send("POST", "/api/v1/tokens", json={"name": "laptop"}, auth=("ana", PASSWORD))
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert made["scopes"] == ["read", "upload", "run"]
    assert door.send("GET", "/api/v1/me", made["token"]).json()["user"] == "ana"
    assert made["token"] not in str(ApiToken.objects.values())
    assert "token" not in door.send("GET", "/api/v1/tokens", made["token"]).json()["items"][0]


def test_password_opens_nothing_but_tokens(door: Door, owner: User) -> None:
    assert door.send("GET", "/api/v1/me", auth=("ana", PASSWORD)).status_code == 401
    assert door.send("GET", "/api/v1/tokens", auth=("ana", PASSWORD)).status_code == 401


@pytest.mark.parametrize("pair", [("ana", "wrong"), ("nobody", PASSWORD), ("ana", "nul\0")])
def test_wrong_password_and_unknown_user_are_answered_alike(door: Door, owner: User, pair: tuple[str, str]) -> None:
    answer = door.send("POST", "/api/v1/tokens", json={"name": "x"}, auth=pair)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_inactive_user_gets_no_token(door: Door, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert door.send("POST", "/api/v1/tokens", json={"name": "x"}, auth=("ana", PASSWORD)).status_code == 401


def test_guessing_is_braked_for_this_account_from_this_address_only(
    door: Door, owner: User, teammate: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def attempt(user: str, password: str) -> int:
        return door.send("POST", "/api/v1/tokens", json={"name": "x"}, auth=(user, password)).status_code

    assert [attempt("ana", "wrong") for _ in range(passwords.TRIES)] == [401] * passwords.TRIES
    answer = door.send("POST", "/api/v1/tokens", json={"name": "x"}, auth=("ANA", PASSWORD))
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert attempt("bruno", PASSWORD) == 201
    brake = passwords.brake
    brake.check(("ana", "10.0.0.9"))  # from elsewhere the owner still gets in
    later = time.monotonic() + passwords.WINDOW_S + 1
    monkeypatch.setattr("api_app.passwords.time.monotonic", lambda: later)
    assert attempt("ana", PASSWORD) == 201


def test_token_makes_tokens_only_with_scope_admin_and_never_beyond_its_own(door: Door, owner: User) -> None:
    plain, admin = door.as_(owner, ("read", "run")), door.as_(owner, ("read", "admin"))
    assert plain("POST", "/tokens", json={"name": "x"}).status_code == 403
    assert admin("POST", "/tokens", json={"name": "x", "scopes": ["read", "run"]}).status_code == 403
    made = admin.json("POST", "/tokens", 201, json={"name": "x", "scopes": ["read"], "expires_in_days": 1})
    assert made["scopes"] == ["read"]


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "x", "scopes": ["root"]}, {"name": "x", "expires_in_days": 9999}, {"name": "x", "user": "eva"}],
)
def test_token_form_refuses_what_it_does_not_know(ana: Visitor, body: dict[str, object]) -> None:
    problem = ana.json("POST", "/tokens", 422, json=body)
    assert problem["code"] == "invalid"
    assert problem["errors"][0]["loc"][0] == "body"
    assert "input" not in problem["errors"][0], "what was sent may be a secret"


def test_token_revokes_itself_at_once_and_others_only_as_admin(door: Door, owner: User, stranger: User) -> None:
    mine, other = door.as_(owner, ("read",)), door.as_(owner, ("read",))
    ids = {t.public_id: t.pk for t in ApiToken.objects.filter(user=owner)}
    of = {v: ids[v.token[8:20]] for v in (mine, other)}
    assert mine("DELETE", f"/tokens/{of[other]}").status_code == 403
    assert door.as_(stranger)("DELETE", f"/tokens/{of[other]}").status_code == 404
    assert mine("DELETE", f"/tokens/{of[mine]}").status_code == 204
    assert mine("GET", "/me").status_code == 401
    assert door.as_(owner, ("read", "admin"))("DELETE", f"/tokens/{of[other]}").status_code == 204
    assert other("GET", "/me").status_code == 401
