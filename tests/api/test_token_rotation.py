"""A new token in place of an old one, tokens that were found, and what a mistyped one is told."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from django.utils import timezone

from orchestration.models import ApiToken, User
from orchestration.services.tokens import issue
from tests.api.door import ALL_SCOPES

if TYPE_CHECKING:
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


def row_of(who: Visitor) -> ApiToken:
    return ApiToken.objects.get(public_id=who.token[8:20])


def works(door: Door, token: str) -> bool:
    return door.send("GET", "/api/v1/me", token).status_code == 200


def test_rotated_token_and_its_successor_work_together_until_the_overlap_ends(door: Door, ana: Visitor) -> None:
    row = row_of(ana)
    made = ana.json("POST", f"/tokens/{row.pk}/rotate", 201)
    assert works(door, ana.token)
    assert works(door, made["token"])
    assert (made["name"], made["scopes"]) == (row.name, row.scopes)
    old, new = ApiToken.objects.get(pk=row.pk), ApiToken.objects.get(pk=made["id"])
    hours = (old.expires_at - timezone.now()).total_seconds() / 3600
    assert 23.9 < hours <= 24
    assert new.expires_at - new.created_at == row.expires_at - row.created_at
    listed = {one["id"]: one["replaced_by"] for one in ana.json("GET", "/tokens")["items"]}
    assert listed == {str(row.pk): made["id"], made["id"]: None}
    ApiToken.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert not works(door, ana.token)
    assert works(door, made["token"])


def test_overlap_of_nothing_ends_the_old_one_at_once(door: Door, ana: Visitor) -> None:
    made = ana.json("POST", f"/tokens/{row_of(ana).pk}/rotate", 201, json={"overlap_hours": 0})
    assert not works(door, ana.token)
    assert works(door, made["token"])


def test_overlap_never_prolongs_the_old_one(ana: Visitor) -> None:
    soon = timezone.now() + timedelta(hours=1)
    ApiToken.objects.update(expires_at=soon)
    ana.json("POST", f"/tokens/{row_of(ana).pk}/rotate", 201, json={"overlap_hours": 168})
    assert row_of(ana).expires_at == soon


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "x"])
def test_overlap_is_at_most_a_week(ana: Visitor, hours: object) -> None:
    said = ana("POST", f"/tokens/{row_of(ana).pk}/rotate", json={"overlap_hours": hours})
    assert said.status_code == 422


def test_token_that_rotates_itself_does_not_prolong_itself(door: Door, owner: User) -> None:
    plain = door.as_(owner, ("read", "run"))
    ApiToken.objects.update(created_at=timezone.now() - timedelta(days=80))
    made = plain.json("POST", f"/tokens/{row_of(plain).pk}/rotate", 201)
    end = ApiToken.objects.get(pk=made["id"]).expires_at
    assert abs(end - (timezone.now() + timedelta(days=90))) < timedelta(minutes=1), "as the old one would have ended"


def test_only_admin_rotates_others_and_never_to_more_than_its_own(door: Door, owner: User, stranger: User) -> None:
    other = row_of(door.as_(owner, ("read", "run")))
    path = f"/tokens/{other.pk}/rotate"
    assert door.as_(owner, ("read", "run"))("POST", path).status_code == 403
    assert door.as_(owner, ("read", "admin"))("POST", path).status_code == 403
    assert door.as_(stranger)("POST", path).status_code == 404
    assert door.as_(owner, ALL_SCOPES)("POST", path).status_code == 201


def test_token_is_rotated_once_and_not_after_its_end(door: Door, ana: Visitor, owner: User) -> None:
    first = f"/tokens/{row_of(ana).pk}/rotate"
    ana.json("POST", first, 201)
    assert "was rotated before" in ana.json("POST", first, 409)["detail"]
    ended = row_of(door.as_(owner))
    ApiToken.objects.filter(pk=ended.pk).update(expires_at=timezone.now())
    assert "has ended" in ana.json("POST", f"/tokens/{ended.pk}/rotate", 409)["detail"]


def test_successor_of_a_token_for_a_workspace_is_for_that_one(door: Door, owner: User) -> None:
    here = door.as_(owner, ALL_SCOPES, "lab")
    assert here.json("POST", f"/tokens/{row_of(here).pk}/rotate", 201)["workspace"] == "lab"


def test_new_secret_is_kept_by_no_idempotency_key(ana: Visitor) -> None:
    key = {"Idempotency-Key": "once"}
    ana.json("POST", f"/tokens/{row_of(ana).pk}/rotate", 201, headers=key)
    assert ana("POST", f"/tokens/{row_of(ana).pk}/rotate", headers=key).status_code == 409


def report(door: Door, token: Any, **options: Any) -> Any:
    return door.send("POST", "/api/v1/tokens:revoke-leaked", json={"token": token}, **options)


def test_whoever_found_a_token_ends_it_with_nothing_but_itself(door: Door, ana: Visitor, bruno: Visitor) -> None:
    said = report(door, f" {ana.token}\n", headers={"Idempotency-Key": "any"})
    assert (said.status_code, said.text) == (204, "")
    assert not works(door, ana.token)
    assert works(door, bruno.token)
    assert row_of(ana).revoked_why == "leaked"
    assert report(door, ana.token).status_code == 204, "any number of times"


def test_report_of_what_is_no_token_of_ours_says_why(door: Door, owner: User) -> None:
    row, token = issue(user=owner, name="x")
    assert report(door, token[:-1]).json()["detail"].startswith("This token is mistyped")
    row.delete()
    assert report(door, token).status_code == 404
    assert report(door, str(uuid4())).status_code == 422
    assert door.send("POST", "/api/v1/tokens:revoke-leaked", content=b"token=x").status_code == 415


def test_mistyped_token_is_told_so_and_the_database_is_not_asked(
    door: Door, ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(**_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("api_app.auth.authenticate", asked)
    said = door.send("GET", "/api/v1/me", ana.token[:-1])
    assert (said.status_code, said.json()["code"]) == (401, "not_authenticated")
    assert said.json()["detail"].startswith("This token is mistyped or cut off")
    assert said.headers["www-authenticate"].startswith("Bearer")
    assert ana.token[:-1] not in said.text
    assert "mistyped" not in door.send("GET", "/api/v1/me", "something-else").text


def test_use_is_listed_with_its_address(ana: Visitor) -> None:
    (listed,) = ana.json("GET", "/tokens")["items"]
    assert listed["last_used_ip"] == "127.0.0.1"
    assert listed["last_used_at"]
    assert ana.token.startswith(listed["start"])
