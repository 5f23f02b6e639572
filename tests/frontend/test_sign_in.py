from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings as configured
from django.urls import reverse

from orchestration.models import User
from orchestration.services.service_accounts import create_service_account
from tests.factories import PASSWORD, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings


pytestmark = pytest.mark.django_db

RIGHT = {"login": "ana", "password": PASSWORD}
WRONG = {"login": "ana", "password": "wrong horse"}


def try_in(client: Client, sent: dict[str, str], address: str = "192.0.2.1") -> Any:
    return client.post("/login/", sent, REMOTE_ADDR=address)


def test_right_password_leads_to_the_page_that_was_asked_for(owner: User) -> None:
    client = browser()
    response = client.post("/login/", {**RIGHT, "next": "/files/"})
    assert response["Location"] == "/files/"
    assert client.get("/files/").status_code == 200


def test_mail_address_is_as_good_as_the_user_name(owner: User) -> None:
    owner.email = "ana@example.org"
    owner.save(update_fields=["email"])
    client = browser()
    assert client.post("/login/", {"login": "Ana@Example.org", "password": PASSWORD}).status_code == 302
    assert client.get("/jobs/").status_code == 200


def test_mail_address_is_known_as_an_administrator_has_written_it(owner: User) -> None:
    owner.email = "Ana@Example.org"
    owner.save(update_fields=["email"])
    for login in ("ana@example.org", "Ana@Example.org"):
        assert browser().post("/login/", {"login": login, "password": PASSWORD}).status_code == 302


def test_names_that_differ_only_by_case_are_taken_to_the_letter(owner: User) -> None:
    other = make_user("Ana")
    for user in (owner, other):
        client = browser()
        assert client.post("/login/", {"login": user.username, "password": PASSWORD}).status_code == 302
        assert client.session["_auth_user_id"] == str(user.pk)
    assert browser().post("/login/", {"login": "ANA", "password": PASSWORD}).status_code == 200


@pytest.mark.parametrize(
    "next_page", ["https://evil.example/", "//evil.example/", "/\\evil.example", "https:evil.example"]
)
def test_sign_in_never_leads_to_another_site(owner: User, next_page: str) -> None:
    assert browser().post("/login/", {**RIGHT, "next": next_page})["Location"] == reverse("job-list")


@pytest.mark.parametrize("login", ["ana", "nobody", "nobody@example.org"])
def test_wrong_password_is_said_in_the_same_words_for_whoever_it_is(owner: User, login: str) -> None:
    response = browser().post("/login/", {"login": login, "password": "wrong horse"})
    html = response.content.decode()
    assert response.status_code == 200
    assert html.count("do not fit") == 1
    assert "wrong horse" not in html


@pytest.mark.parametrize("login", ["ana", "ana@example.org", "nobody", "nobody@example.org"])
def test_wrong_password_is_hashed_once_for_whoever_it_is(
    owner: User, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the time it takes tells whose addresses there are."""
    type(owner).objects.filter(pk=owner.pk).update(email="ana@example.org")
    hashed = []
    for name in ("check_password", "set_password"):
        monkeypatch.setattr(type(owner), name, lambda _user, password: hashed.append(password))
    browser().post("/login/", {"login": login, "password": "wrong horse"})
    assert hashed == ["wrong horse"]


def test_session_begins_anew_with_the_sign_in(owner: User) -> None:
    """A session that somebody else has planted in this browser is not the one that is signed in."""
    client = browser()
    planted = client.session
    planted["workspace"] = "lab"
    planted.save()
    client.cookies[configured.SESSION_COOKIE_NAME] = planted.session_key or ""
    client.post("/login/", RIGHT)
    assert client.session.session_key != planted.session_key
    assert not client.session.exists(planted.session_key or "")


def test_account_that_is_switched_off_stays_out(owner: User) -> None:
    owner.is_active = False
    owner.save(update_fields=["is_active"])
    client = browser()
    response = client.post("/login/", RIGHT, follow=True)
    assert "switched off" in response.content.decode()
    assert client.get("/jobs/").status_code == 302


def test_service_account_has_no_way_in(manager: User) -> None:
    robot = create_service_account(user=manager, name="robot")
    client = browser()
    for password in (" ", robot.password):
        assert "do not fit" in client.post("/login/", {"login": "robot@lab", "password": password}).content.decode()


def test_one_address_cannot_go_on_guessing(owner: User) -> None:
    for _ in range(10):
        assert "do not fit" in try_in(browser(), WRONG).content.decode()
    said = try_in(browser(), RIGHT).content.decode()
    assert "Too many wrong passwords" in said


def test_name_and_address_of_one_person_have_one_count(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="Ana@example.org")
    for typed in ("ana", "ana@example.org") * 5:
        try_in(browser(), {"login": typed, "password": "wrong horse"})
    assert "Too many wrong passwords" in try_in(browser(), {**RIGHT, "login": "ANA@example.org"}).content.decode()


def test_nobody_is_kept_out_by_another_address(owner: User) -> None:
    for _ in range(12):
        try_in(browser(), WRONG, "192.0.2.66")
    assert try_in(browser(), RIGHT, "192.0.2.1").status_code == 302


def test_many_addresses_together_are_bounded_and_do_not_keep_the_owner_out(owner: User, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "20/h/key"}
    own = browser()
    assert try_in(own, RIGHT).status_code == 302
    own.post("/logout/")
    said = [try_in(browser(), WRONG, f"198.51.100.{n}").content.decode() for n in range(22)]
    assert ["do not fit" in one for one in said] == [True] * 20 + [False] * 2
    assert "Too many" in try_in(browser(), RIGHT, "203.0.113.7").content.decode()
    assert try_in(own, RIGHT, "203.0.113.8").status_code == 302, "the owner's own browser is known"


def test_known_browser_is_known_for_its_own_account_only(owner: User, stranger: User, settings: Settings) -> None:
    """Else whoever has an account of her own could guess at all others from anywhere."""
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "5/h/key"}
    evil = browser()
    try_in(evil, {"login": "eva", "password": PASSWORD})
    evil.post("/logout/")
    for n in range(5):
        try_in(evil, WRONG, f"198.51.100.{n}")
    assert "Too many" in try_in(evil, WRONG, "198.51.100.200").content.decode()


def test_right_password_in_between_does_not_begin_the_count_anew(owner: User, stranger: User) -> None:
    for round_ in range(2):
        for n in range(10):
            try_in(browser(), {"login": f"x{round_}{n}", "password": "wrong horse"})
        try_in(browser(), {"login": "eva", "password": PASSWORD})
    assert "Too many" in try_in(browser(), {"login": "another", "password": "wrong horse"}).content.decode()


def test_client_of_a_unix_socket_has_no_address_and_signs_in(owner: User) -> None:
    assert try_in(browser(), RIGHT, "").status_code == 302


def test_administrator_comes_in_by_the_same_door(db: None) -> None:
    """The admin's own page knows neither limits nor second factors."""
    make_user("root", is_staff=True, is_superuser=True)
    client = browser()
    sent = {"username": "root", "password": PASSWORD, "next": "/admin/"}
    assert client.post("/admin/login/", sent)["Location"].startswith("/login/?")
    assert client.get("/admin/").status_code == 302
    client.post("/login/", {"login": "root", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


def test_signing_out_ends_the_session(owner: User) -> None:
    client = browser(owner)
    key = client.session.session_key
    assert client.get("/logout/").status_code == 405
    client.post("/logout/")
    assert client.get("/jobs/").status_code == 302
    assert not client.session.exists(key or "")


def test_unknown_address_is_a_tidy_page(owner: User) -> None:
    response = browser(owner).get("/nothing/here/")
    assert response.status_code == 404
    assert "There is no page at this address" in response.content.decode()


PUBLIC = ("/login/", "/password/reset/sent/", "/password/reset/done/", "/password/reset/x/y/", "/account/inactive/")
ACCOUNT = ("/account/", "/account/password/", "/account/confirm/", "/account/second-factor/")
OWN = ("/", "/jobs/", "/files/", "/pipelines/", "/tokens/", *ACCOUNT)


def test_every_page_is_free_of_inline_script_and_style(owner: User) -> None:
    """The content security policy would drop them silently."""
    for client, paths in ((browser(), PUBLIC), (browser(owner), (*OWN, "/nothing/"))):
        for path in paths:
            html = client.get(path).content.decode()
            assert "Esteira" in html, path
            assert " style=" not in html
            assert "<style" not in html
            assert " onclick=" not in html
            assert html.count("<script") == html.count("<script src=")
            assert "//" not in html.replace("http://www.w3.org", ""), f"{path} asks another host"


@pytest.mark.parametrize("path", ["/signup/", "/account/signup/", "/account/email/", "/accounts/login/"])
def test_what_is_not_offered_is_not_there(owner: User, path: str) -> None:
    assert browser(owner).get(path).status_code == 404


def test_our_own_fault_is_a_tidy_page_too(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_app.views.job_list.progress_of", None)
    client = browser(owner)
    client.raise_request_exception = False
    response = client.get("/jobs/")
    assert response.status_code == 500
    assert "went wrong on our side" in response.content.decode()


def test_request_for_another_host_is_refused_tidily(db: None) -> None:
    response = browser().get("/login/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "does not fit" in response.content.decode()
