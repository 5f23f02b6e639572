from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from tests.factories import PASSWORD
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User

pytestmark = pytest.mark.django_db


def test_right_password_leads_to_the_page_that_was_asked_for(owner: User) -> None:
    client = browser()
    response = client.post("/login/", {"username": "ana", "password": PASSWORD, "next": "/files/"})
    assert response["Location"] == "/files/"
    assert client.get("/files/").status_code == 200


def test_sign_in_never_leads_to_another_site(owner: User) -> None:
    sent = {"username": "ana", "password": PASSWORD, "next": "https://evil.example/"}
    assert browser().post("/login/", sent)["Location"] == reverse("job-list")


def test_wrong_password_is_said_once_for_both_fields(owner: User) -> None:
    response = browser().post("/login/", {"username": "ana", "password": "wrong"})
    assert "do not fit" in response.content.decode()
    assert "wrong" not in response.content.decode()


def test_signing_out_ends_the_session(owner: User) -> None:
    client = browser(owner)
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert client.get("/jobs/").status_code == 302


def test_unknown_address_is_a_tidy_page(owner: User) -> None:
    response = browser(owner).get("/nothing/here/")
    assert response.status_code == 404
    assert "There is no page at this address" in response.content.decode()


def test_every_page_is_free_of_inline_script_and_style(owner: User) -> None:
    """The content security policy would drop them silently."""
    client = browser(owner)
    for path in ("/login/", "/", "/jobs/", "/files/", "/pipelines/", "/tokens/", "/nothing/"):
        html = client.get(path).content.decode()
        assert " style=" not in html
        assert "<style" not in html
        assert " onclick=" not in html
        assert html.count("<script") == html.count("<script src=")


def test_our_own_fault_is_a_tidy_page_too(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_app.views.jobs.progress_of", None)
    client = browser(owner)
    client.raise_request_exception = False
    response = client.get("/jobs/")
    assert response.status_code == 500
    assert "went wrong on our side" in response.content.decode()


def test_request_for_another_host_is_refused_tidily(db: None) -> None:
    response = browser().get("/login/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "does not fit" in response.content.decode()
