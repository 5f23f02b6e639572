"""Second factors: set up, asked for, used once, lost; and who must have one."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.core.management import CommandError, call_command

from orchestration.models import Letter, User, Workspace
from tests.factories import PASSWORD, join, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from django.test import Client
    from pytest_django import Settings

pytestmark = pytest.mark.django_db
SETUP = "/account/second-factor/app/"


class App:
    """An authenticator app. Each code it shows is a new one: time goes on by half a minute."""

    def __init__(self, secret: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.secret, self._patch, self._now = secret, monkeypatch, time.time()

    def code(self) -> str:
        self._now += 30
        self._patch.setattr("allauth.mfa.totp.internal.auth.time.time", lambda: self._now)
        return format_hotp_value(hotp_value(self.secret, int(self._now) // 30))


def confirmed(client: Client, path: str) -> str:
    """The page, after the password was typed once more."""
    asked = client.get(path)
    assert asked["Location"].startswith("/account/confirm/?next="), "not without the password"
    shown = client.post(asked["Location"], {"password": PASSWORD, "next": path}, follow=True)
    assert shown.status_code == 200
    return str(shown.content.decode())


def set_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> tuple[App, list[str]]:
    html = confirmed(client, SETUP)
    assert 'src="data:image/svg+xml;base64,' in html
    found = re.search(r'<code class="secret">([A-Z2-7]+)</code>', html)
    assert found
    app = App(found[1], monkeypatch)
    codes = client.post(SETUP, {"code": app.code()}, follow=True).content.decode()
    shown = re.search(r'id="codes"[^>]*>([\d\s]+)<', codes)
    assert shown, codes
    return app, shown[1].split()


@pytest.fixture
def ready(owner: User, monkeypatch: pytest.MonkeyPatch) -> tuple[App, list[str]]:
    return set_up(browser(owner), monkeypatch)


def password_in(login: str = "ana") -> Client:
    client = browser()
    response = client.post("/login/", {"login": login, "password": PASSWORD, "next": "/files/"})
    assert response["Location"] == "/login/second-factor/"
    return client


def type_code(client: Client, code: str) -> Any:
    return client.post("/login/second-factor/", {"code": code})


def test_password_alone_opens_nothing_then_the_code_does(ready: tuple[App, list[str]]) -> None:
    client = password_in()
    assert client.get("/files/").status_code == 302
    assert type_code(client, ready[0].code())["Location"] == "/files/"
    assert client.get("/files/").status_code == 200


def test_second_step_cannot_be_had_without_the_first(ready: tuple[App, list[str]]) -> None:
    client = browser()
    assert type_code(client, ready[0].code())["Location"] == "/login/"
    assert client.get("/files/").status_code == 302


def test_code_works_once(ready: tuple[App, list[str]]) -> None:
    code = ready[0].code()
    type_code(password_in(), code)
    assert "did not fit" in type_code(password_in(), code).content.decode()


def test_recovery_codes_are_shown_once_and_each_works_once(ready: tuple[App, list[str]], owner: User) -> None:
    codes = ready[1]
    assert len(set(codes)) == 10
    first = password_in()
    assert type_code(first, codes[0])["Location"] == "/files/"
    assert "did not fit" in type_code(password_in(), codes[0]).content.decode()
    again = confirmed(first, "/account/second-factor/codes/")
    assert "not shown again" in again
    assert not any(code in again for code in codes)


def test_codes_cannot_be_tried_out(ready: tuple[App, list[str]]) -> None:
    client = password_in()
    wrong = [type_code(client, "000000").content.decode() for _ in range(11)]
    assert "did not fit" in wrong[9]
    assert "Too many" in wrong[10]
    assert "Too many" in type_code(password_in(), ready[0].code()).content.decode(), "nor from a second session"


def test_what_the_table_holds_makes_no_codes(ready: tuple[App, list[str]], settings: Settings) -> None:
    app, codes = ready
    kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
    assert app.secret not in kept
    assert not any(code in kept for code in codes)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another key of the server, long enough"
    assert type_code(password_in(), app.code())["Location"] == "/files/", "an earlier key still reads it"


def test_factor_is_removed_only_by_somebody_who_knows_the_password(ready: tuple[App, list[str]], owner: User) -> None:
    client = password_in()
    type_code(client, ready[0].code())
    assert client.post(f"{SETUP}remove/")["Location"].startswith("/account/confirm/")
    confirmed(client, f"{SETUP}remove/")
    client.post(f"{SETUP}remove/")
    assert not Authenticator.objects.filter(user=owner).exists(), "its recovery codes go with it"
    assert browser().post("/login/", {"login": "ana", "password": PASSWORD})["Location"] == "/jobs/"


def test_owner_is_mailed_of_every_change(
    owner: User,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]],
) -> None:
    monkeypatch.setattr("orchestration.services.letters.nudge_post", lambda: None)
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
    User.objects.filter(pk=owner.pk).update(email="ana@example.org")
    client = browser(User.objects.get(pk=owner.pk))
    with django_capture_on_commit_callbacks(execute=True):
        set_up(client, monkeypatch)
    client.post(f"{SETUP}remove/")
    assert list(Letter.objects.order_by("pk").values_list("about", flat=True)) == ["totp_activated", "totp_deactivated"]


def test_new_password_by_mail_does_not_go_around_it(ready: tuple[App, list[str]], owner: User) -> None:
    from django.contrib.auth.tokens import default_token_generator

    key = default_token_generator.make_token(User.objects.get(pk=owner.pk))
    client = browser()
    client.get(f"/password/reset/{owner.pk.hex}/{key}/")
    new = {"password1": "seven quiet lanterns", "password2": "seven quiet lanterns"}
    client.post(f"/password/reset/{owner.pk.hex}/set-password/", new)
    assert client.get("/jobs/").status_code == 302
    again = client.post("/login/", {"login": "ana", "password": "seven quiet lanterns"})
    assert again["Location"] == "/login/second-factor/"


# Who must have one


def test_everyone_who_must_is_led_to_set_one_up_and_no_further(
    owner: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SECOND_FACTOR = "everyone"
    client = browser(owner)
    for path in ("/", "/jobs/", "/files/", "/tokens/", "/admin/", "/upload-ticket"):
        assert client.get(path)["Location"] == "/account/second-factor/", path
    assert client.post("/tokens/", {"name": "x", "scope": "read", "days": "7"}).status_code == 302
    assert not owner.tokens.exists()
    assert "needs a second factor" in client.get("/jobs/", follow=True).content.decode()
    assert client.get("/account/").status_code == 200
    app, _ = set_up(client, monkeypatch)
    assert client.get("/jobs/").status_code == 200
    client.post("/logout/")
    again = password_in()
    type_code(again, app.code())
    confirmed(again, f"{SETUP}remove/")
    assert "need a second factor here" in again.post(f"{SETUP}remove/").content.decode()
    assert Authenticator.objects.filter(user=owner, type="totp").exists()


def test_administrators_must_where_the_setting_says_so(owner: User, settings: Settings) -> None:
    settings.SECOND_FACTOR = "admins"
    root = make_user("root", is_staff=True, is_superuser=True)
    assert browser(root).get("/admin/")["Location"] == "/account/second-factor/"
    assert browser(owner).get("/jobs/").status_code == 200


def test_members_of_a_workspace_must_where_it_says_so(owner: User, stranger: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(needs_second_factor=True)
    assert browser(owner).get("/jobs/").status_code == 302
    assert browser(stranger).get("/jobs/").status_code == 200
    join(stranger, lab, "viewer")
    assert browser(stranger).get("/jobs/").status_code == 302


def test_manager_requires_it_of_everybody_and_has_one_herself_first(manager: User, owner: User, lab: Workspace) -> None:
    hers = browser(manager)
    refused = hers.post("/members/second-factor/", {"needed": "yes"}, follow=True)
    assert "Set up a second factor of your own first" in refused.content.decode()
    Authenticator.objects.create(user=manager, type="totp", data={})
    done = hers.post("/members/second-factor/", {"needed": "yes"}, follow=True).content.decode()
    assert "everybody here needs a second factor" in done
    assert done.count("no second factor</span>") == 2, "ana and bruno"
    assert browser(owner).get("/jobs/")["Location"] == "/account/second-factor/"
    hers.post("/members/second-factor/", {"needed": "no"})
    assert browser(owner).get("/jobs/").status_code == 200


@pytest.mark.parametrize("who", ["owner", "viewer", "stranger"])
def test_others_require_nothing(who: str, request: pytest.FixtureRequest, lab: Workspace) -> None:
    user = request.getfixturevalue(who)
    Authenticator.objects.create(user=user, type="totp", data={})
    assert browser(user).post("/members/second-factor/", {"needed": "yes"}).status_code == 403
    lab.refresh_from_db()
    assert not lab.needs_second_factor


def test_who_has_no_password_here_is_asked_for_more_where_she_signs_in(owner: User, settings: Settings) -> None:
    settings.SECOND_FACTOR = "everyone"
    owner.set_unusable_password()
    owner.save(update_fields=["password"])
    assert browser(owner).get("/jobs/").status_code == 200


# Lost


def test_administrator_helps_who_has_lost_hers(ready: tuple[App, list[str]], owner: User) -> None:
    chosen = {"action": "remove_factors", "_selected_action": [str(owner.pk)]}
    staff = make_user("staff", is_staff=True)
    browser(staff).post("/admin/orchestration/user/", chosen)
    assert Authenticator.objects.filter(user=owner).count() == 2
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    root.post("/admin/orchestration/user/", chosen)
    assert not Authenticator.objects.filter(user=owner).exists()


def test_administrator_helps_herself_on_the_machine(ready: tuple[App, list[str]], owner: User) -> None:
    call_command("second_factor", "--remove", "ana")
    assert not Authenticator.objects.filter(user=owner).exists()
    with pytest.raises(CommandError, match="no account nobody"):
        call_command("second_factor", "--remove", "nobody")


def test_admin_shows_nobody_s_secrets(db: None) -> None:
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    assert root.get("/admin/mfa/authenticator/").status_code == 404
    assert root.get("/admin/account/emailaddress/").status_code == 404


@pytest.mark.parametrize(("host", "offered"), [("localhost", True), ("127.0.0.1", False), ("[::1]", False)])
def test_passkeys_are_offered_only_where_browsers_keep_them(db: None, host: str, offered: bool) -> None:  # noqa: FBT001
    html = browser().get("/login/", headers={"host": f"{host}:8000"}).content.decode()
    assert ("with a passkey" in html) is offered
