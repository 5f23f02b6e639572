from __future__ import annotations

import re

import pytest

from orchestration.models import ApiToken, User, Workspace
from orchestration.services.tokens import authenticate, issue
from tests.factories import join, make_workspace
from tests.frontend.ask import browser

pytestmark = pytest.mark.django_db


def test_new_token_is_shown_once_and_works(owner: User) -> None:
    client = browser(owner)
    response = client.post("/tokens/", {"name": "nightly", "days": "30", "scope": ["read", "upload"]})
    found = re.search(r"est_pat_[0-9A-Za-z]{49}", response.content.decode())
    assert found
    assert response["Cache-Control"] == "no-store"
    token = authenticate(token=found[0])
    assert token is not None
    assert (token.user, token.scopes) == (owner, ["read", "upload"])
    again = client.get("/tokens/").content.decode()
    assert found[0] not in again
    assert "nightly" in again


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": " ", "days": "30", "scope": "read"}, "Give the token a name"),
        ({"name": "x", "days": "9999", "scope": "read"}, "A token lasts 1 to 366 days"),
        ({"name": "x", "days": "-1", "scope": "read"}, "A token lasts 1 to 366 days"),
        ({"name": "x", "days": "30", "scope": "everything"}, "Unknown scope"),
    ],
)
def test_bad_token_is_refused_with_a_sentence(owner: User, form: dict[str, str], says: str) -> None:
    response = browser(owner).post("/tokens/", form)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert not ApiToken.objects.exists()


def test_revoked_token_is_refused_from_then_on(owner: User) -> None:
    row, secret = issue(user=owner, name="old")
    browser(owner).post(f"/tokens/{row.pk}/revoke/")
    assert authenticate(token=secret) is None


def test_tokens_are_one_s_own(owner: User, teammate: User) -> None:
    row, secret = issue(user=owner, name="mine")
    client = browser(teammate)
    assert "mine" not in client.get("/tokens/").content.decode()
    assert client.post(f"/tokens/{row.pk}/revoke/").status_code == 404
    assert authenticate(token=secret) is not None


SECRET = re.compile(r"est_[a-z]{3}_[0-9A-Za-z]{49}")


def test_token_for_one_workspace_is_made_and_shown_as_that(owner: User) -> None:
    join(owner, make_workspace("second"))
    client = browser(owner)
    assert "Second only" in client.get("/tokens/").content.decode()
    client.post("/tokens/", {"name": "x", "days": "30", "scope": "read", "workspace": "second"})
    assert "in Second only" in client.get("/tokens/").content.decode()
    assert client.post("/tokens/", {"name": "x", "days": "30", "scope": "read", "workspace": "nope"}).status_code == 422
    assert ApiToken.objects.count() == 1


def test_rotated_token_shows_the_new_secret_once_and_until_when_the_old_one_works(owner: User) -> None:
    row, old = issue(user=owner, name="nightly")
    client = browser(owner)
    response = client.post(f"/tokens/{row.pk}/rotate/", {"overlap": "168"})
    found = SECRET.search(response.content.decode())
    assert found
    assert response["Cache-Control"] == "no-store"
    assert authenticate(token=found[0])
    assert authenticate(token=old)
    again = client.get("/tokens/").content.decode()
    assert found[0] not in again
    assert "replaced; works until" in again
    assert client.post(f"/tokens/{row.pk}/rotate/", {"overlap": "24"}).status_code == 422


@pytest.mark.parametrize("overlap", ["", "-1", "169", "x"])
def test_rotation_with_a_bad_overlap_changes_nothing(owner: User, overlap: str) -> None:
    row, _ = issue(user=owner, name="nightly")
    assert browser(owner).post(f"/tokens/{row.pk}/rotate/", {"overlap": overlap}).status_code == 422
    assert ApiToken.objects.count() == 1


def test_nobody_rotates_another_s_token(owner: User, manager: User) -> None:
    row, _ = issue(user=owner, name="mine")
    assert browser(manager).post(f"/tokens/{row.pk}/rotate/", {"overlap": "24"}).status_code == 404


def test_found_token_is_ended_by_anybody_and_its_owner_sees_why(owner: User, stranger: User) -> None:
    _, secret = issue(user=owner, name="lost")
    finder = browser(stranger)
    said = finder.post("/tokens/leaked/", {"token": f" {secret} "}, follow=True).content.decode()
    assert "refused from now on" in said
    assert authenticate(token=secret) is None
    assert "somebody found it and reported it" in browser(owner).get("/tokens/").content.decode()
    said = finder.post("/tokens/leaked/", {"token": secret[:-1]}, follow=True).content.decode()
    assert "mistyped or cut off" in said


def test_last_use_is_shown_with_its_address(owner: User) -> None:
    _, secret = issue(user=owner, name="x")
    authenticate(token=secret, address="203.0.113.9")
    assert "from 203.0.113.9" in browser(owner).get("/tokens/").content.decode()


def test_managers_make_service_accounts_and_end_them(manager: User, lab: Workspace) -> None:
    client = browser(manager)
    made = client.post("/service-accounts/", {"name": "nightly", "role": "submitter"})
    account = User.objects.get(service_of=lab)
    at = f"/service-accounts/{account.pk}/"
    assert made["Location"] == at
    found = SECRET.search(client.post(at, {"name": "s7", "days": "30", "scope": "run"}).content.decode())
    assert found
    assert authenticate(token=found[0])
    html = client.get(at).content.decode()
    assert found[0] not in html
    assert "in Lab only" in html
    assert "nightly@lab" in client.get("/service-accounts/").content.decode()
    client.post(f"{at}edit/", {"on": "no"})
    assert authenticate(token=found[0]) is None
    assert "its tokens are refused" in client.get("/service-accounts/").content.decode()
    client.post(f"{at}edit/", {"on": "yes"})
    assert authenticate(token=found[0])
    row = ApiToken.objects.get(user=account)
    rotated = client.post(f"/tokens/{row.pk}/rotate/", {"overlap": "24"})
    assert rotated.status_code == 200
    assert "<bdi>nightly@lab</bdi></h1>" in rotated.content.decode(), "on the account's own page"
    assert SECRET.search(rotated.content.decode())
    refused = client.post(f"/tokens/{row.pk}/rotate/", {"overlap": "24"})
    assert refused.status_code == 422
    assert "<bdi>nightly@lab</bdi></h1>" in refused.content.decode()
    assert client.post(f"/tokens/{row.pk}/revoke/")["Location"] == at
    assert authenticate(token=found[0]) is None


def test_service_accounts_are_for_managers(owner: User, manager: User, stranger: User) -> None:
    browser(manager).post("/service-accounts/", {"name": "nightly", "role": "submitter"})
    account = User.objects.get(service_of__isnull=False)
    assert browser(owner).get("/service-accounts/").status_code == 403
    for person in (owner, stranger):
        client = browser(person)
        assert client.get(f"/service-accounts/{account.pk}/").status_code == 404
        assert client.post(f"/service-accounts/{account.pk}/edit/", {"on": "no"}).status_code == 404


@pytest.mark.parametrize(("name", "role", "says"), [("No", "viewer", "1 to 40 of"), ("x", "king", "There is no role")])
def test_bad_service_account_is_refused_with_a_sentence(manager: User, name: str, role: str, says: str) -> None:
    response = browser(manager).post("/service-accounts/", {"name": name, "role": role})
    assert response.status_code == 422
    assert says in response.content.decode()
    assert not User.objects.filter(service_of__isnull=False).exists()
