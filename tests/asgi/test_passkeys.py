"""Passkeys in a real browser, with a key that Chromium makes up, against the real process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import expect, sync_playwright

from tests.asgi.server import serving
from tests.factories import PASSWORD, join, make_user, make_workspace
from tests.live.browsing import FLAGS, chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page
    from pytest_django import Settings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def ana(settings: Settings) -> None:
    """With a password that the server can read: it knows no other kind."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    join(make_user("ana"), make_workspace())


@contextmanager
def browser_with_a_key() -> Iterator[tuple[Page, list[str]]]:
    """While it is open Django's ORM cannot be used in this thread: the browser's loop runs in it."""
    said: list[str] = []
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        key: dict[str, Any] = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        session.send("WebAuthn.addVirtualAuthenticator", {"options": key})
        yield page, said
        browser.close()


def type_password(page: Page) -> None:
    page.fill("#id_username", "ana")
    page.fill("#id_password", PASSWORD)
    page.click("button.primary")
    expect(page.locator("#id_username")).to_have_count(0, timeout=20_000)


def test_passkey_is_added_then_stands_beside_the_password_and_alone(ana: None) -> None:
    with serving() as server, browser_with_a_key() as (page, said):
        home = f"http://localhost:{server.port}"
        page.goto(f"{home}/login/")
        type_password(page)
        page.goto(f"{home}/account/second-factor/passkeys/add/")
        page.fill("#id_password", PASSWORD)
        page.click("text=Go on")
        page.fill("#id_name", "My laptop")
        page.click("button:text-is('Add')")
        expect(page.locator("h1")).to_have_text("Recovery codes")
        page.click("text=I have kept them")
        expect(page.locator("main")).to_contain_text("My laptop")

        page.click("text=Sign out")
        type_password(page)
        expect(page.locator("h1")).to_have_text("One more thing")
        page.click("text=Use a passkey")
        expect(page.locator("h1")).to_have_text("Jobs")

        page.click("text=Sign out")
        page.click("text=Sign in with a passkey")
        expect(page.locator("h1")).to_have_text("Jobs")

        # A key of the same account, shown once more, in place of the password.
        page.goto(f"{home}/account/second-factor/app/")
        page.click("text=use a security key")
        page.click("text=Use a passkey")
        expect(page.locator("h1")).to_have_text("Set up an authenticator app")
        assert not said
    assert Authenticator.objects.filter(type="webauthn", user__username="ana", last_used_at__isnull=False).count() == 1


def test_key_that_nobody_has_registered_opens_nothing(ana: None) -> None:
    with serving() as server, browser_with_a_key() as (page, _):
        page.goto(f"http://localhost:{server.port}/login/")
        page.click("text=Sign in with a passkey")
        expect(page.locator("[data-trouble]")).not_to_be_empty()
        page.goto(f"http://localhost:{server.port}/jobs/")
        expect(page.locator("#id_password")).to_be_visible()
