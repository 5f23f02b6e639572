"""Where somebody is signed in, and ending it from afar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from allauth.usersessions.models import UserSession

from frontend_app.people.sessions import browser_of
from tests.factories import PASSWORD
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import Settings

    from orchestration.models import User

pytestmark = pytest.mark.django_db
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0"
SAFARI = "Mozilla/5.0 (iPhone; CPU iPhone OS 20_0 like Mac OS X) AppleWebKit/605.1.15 Version/20.0 Safari/604.1"
EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"


def signed_in(agent: str, address: str, login: str = "ana") -> Client:
    client = browser(headers={"user-agent": agent})
    client.post("/login/", {"login": login, "password": PASSWORD}, REMOTE_ADDR=address)
    return client


def test_every_session_is_shown_and_no_key_of_one(owner: User) -> None:
    here, there = signed_in(FIREFOX, "192.0.2.1"), signed_in(SAFARI, "198.51.100.7")
    html = here.get("/account/").content.decode()
    assert "Firefox on Linux" in html
    assert "Safari on iPhone" in html
    assert "198.51.100.7" in html
    assert html.count("this one") == 1
    for client in (here, there):
        assert str(client.session.session_key) not in html


def test_all_others_are_ended_and_this_one_goes_on(owner: User, stranger: User) -> None:
    here, there, third = (signed_in(FIREFOX, f"192.0.2.{n}") for n in range(3))
    hers = signed_in(FIREFOX, "192.0.2.9", "eva")
    response = here.post("/account/sessions/end/", follow=True)
    assert "Signed out elsewhere: 2" in response.content.decode()
    assert [client.get("/jobs/").status_code for client in (here, there, third, hers)] == [200, 302, 302, 200]


def test_one_is_ended_by_its_owner_alone(owner: User, stranger: User) -> None:
    here, there, third = (signed_in(FIREFOX, f"192.0.2.{n}") for n in range(3))
    number = str(UserSession.objects.get(session_key=there.session.session_key).pk)
    evil = signed_in(FIREFOX, "192.0.2.9", "eva")
    evil.post("/account/sessions/end/", {"session": number})
    assert there.get("/jobs/").status_code == 200
    here.post("/account/sessions/end/", {"session": "none"})
    assert there.get("/jobs/").status_code == 200
    here.post("/account/sessions/end/", {"session": number})
    assert [client.get("/jobs/").status_code for client in (here, there, third)] == [200, 302, 200]


def test_session_that_has_ended_is_not_shown(owner: User) -> None:
    here, there = signed_in(FIREFOX, "192.0.2.1"), signed_in(SAFARI, "198.51.100.7")
    there.post("/logout/")
    assert "198.51.100.7" not in here.get("/account/").content.decode()


def test_session_from_before_they_were_noted_is_noted_now(owner: User) -> None:
    html = browser(owner).get("/account/").content.decode()
    assert re.search(r"Unknown browser</b>.*this one", html)


def test_ending_needs_a_post_with_the_page_s_token(owner: User) -> None:
    client = browser(owner, enforce_csrf_checks=True)
    assert client.get("/account/sessions/end/").status_code == 405
    assert client.post("/account/sessions/end/").status_code == 403


@pytest.mark.parametrize(
    ("agent", "said"),
    [(FIREFOX, "Firefox on Linux"), (SAFARI, "Safari on iPhone"), (EDGE, "Edge on Windows"), ("", "Unknown browser")],
)
def test_browser_is_named_as_people_know_it(agent: str, said: str) -> None:
    assert browser_of(agent) == said


def test_change_of_the_secret_key_ends_no_session_of_those_who_ask_twice_at_once(
    owner: User, settings: Settings
) -> None:
    here = signed_in(FIREFOX, "192.0.2.1")
    same = browser()
    same.cookies[settings.SESSION_COOKIE_NAME] = name = str(here.session.session_key)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key of the server, long enough"
    for client in (here, same, here):
        assert client.get("/jobs/").status_code == 200
    assert here.session.session_key == name
    settings.SECRET_KEY_FALLBACKS = []
    assert here.get("/jobs/").status_code == 200, "it is of the new key now"
    settings.SECRET_KEY = "a third one that never knew of the second"
    assert here.get("/jobs/").status_code == 302
