from __future__ import annotations

import re

import pytest

from orchestration.models import ApiToken, User
from orchestration.services.tokens import authenticate, issue
from tests.frontend.ask import browser

pytestmark = pytest.mark.django_db


def test_new_token_is_shown_once_and_works(owner: User) -> None:
    client = browser(owner)
    response = client.post("/tokens/", {"name": "nightly", "days": "30", "scope": ["read", "upload"]})
    found = re.search(r"est_[0-9A-Za-z]{49}", response.content.decode())
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
