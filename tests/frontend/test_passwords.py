"""A forgotten password, and one that is changed: the mail, the link, and what becomes of other sessions."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import signing
from django.utils import timezone

from orchestration.execution import post
from orchestration.execution.post import deliver
from orchestration.models import Letter, User
from orchestration.services.letters import notify
from orchestration.services.service_accounts import create_service_account
from orchestration.services.tokens import authenticate, issue
from tests.factories import PASSWORD, make_user
from tests.frontend.ask import browser
from tests.orchestration.post_office import PostOffice, addressed, post_office, use

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.test import Client
    from pytest_django import Settings

pytestmark = pytest.mark.django_db

NEW = "seven quiet lanterns"


@pytest.fixture(scope="module")
def one_office() -> Iterator[PostOffice]:
    with post_office() as office:
        yield office


@pytest.fixture
def office(one_office: PostOffice, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    one_office.letters, one_office.refuses, one_office.connections = [], {}, 0
    use(one_office.url, settings, monkeypatch)
    settings.PUBLIC_URL = "https://esteira.example"
    settings.DEFAULT_FROM_EMAIL = "Esteira <esteira@example.org>"
    return one_office


@pytest.fixture
def ana(owner: User) -> User:
    return addressed(owner)


def ask(address: str, client: Client | None = None) -> Any:
    return (client or browser()).post("/password/reset/", {"email": address}, follow=True)


def link_of(office: PostOffice) -> str:
    assert deliver() == 1
    found = re.search(r"https://esteira\.example(/password/reset/\S+)", office.letters[-1].get_content())
    assert found, office.letters[-1].get_content()
    return found[1]


def choose(link: str, password: str = NEW, client: Client | None = None) -> Any:
    client = client or browser()
    form = client.get(link, follow=True)
    at = form.redirect_chain[-1][0] if form.redirect_chain else link
    return client.post(at, {"password1": password, "password2": password}, follow=True)


def test_forgotten_password_is_chosen_anew_by_the_mailed_link(office: PostOffice, ana: User) -> None:
    assert "a link is on its way" in ask("Ana@Example.org").content.decode()
    link = link_of(office)
    (mail,) = office.letters
    assert (mail["To"], mail["Subject"]) == ("ana@example.org", "Esteira: a new password")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert "Your password is changed" in choose(link).content.decode()
    ana.refresh_from_db()
    assert ana.check_password(NEW)
    deliver()
    assert office.subjects[-1] == ("Esteira: the password of your account was changed by a link that was mailed to you")


def test_request_talks_to_no_mail_server(office: PostOffice, ana: User) -> None:
    ask("ana@example.org")
    assert office.connections == 0
    assert Letter.objects.count() == 1


def test_nothing_in_the_table_opens_an_account(office: PostOffice, ana: User) -> None:
    ask("ana@example.org")
    (row,) = Letter.objects.values()
    assert {key: value for key, value in row.items() if key not in {"id", "created_at", "due_at"}} == {
        "kind": "reset",
        "address": "ana@example.org",
        "user_id": None,
        "invitation_id": None,
        "about": "",
        "tries": 0,
    }


def test_link_works_once(office: PostOffice, ana: User) -> None:
    ask("ana@example.org")
    link = link_of(office)
    choose(link)
    assert "leads nowhere" in choose(link, "another good phrase").content.decode()
    ana.refresh_from_db()
    assert ana.check_password(NEW)


def test_link_ends_after_an_hour(office: PostOffice, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    ask("ana@example.org")
    link = link_of(office)
    later = timezone.now().replace(tzinfo=None) + timedelta(hours=1, seconds=5)
    monkeypatch.setattr("django.contrib.auth.tokens.PasswordResetTokenGenerator._now", lambda _: later)
    assert "leads nowhere" in browser().get(link, follow=True).content.decode()


def test_link_stands_in_no_address_that_a_page_could_pass_on(office: PostOffice, ana: User) -> None:
    ask("ana@example.org")
    link = link_of(office)
    client = browser()
    seen = client.get(link)
    assert seen.status_code == 302
    assert link.split("/")[-2] not in seen["Location"]


def test_whether_an_address_is_known_is_not_told(office: PostOffice, ana: User) -> None:
    known, unknown = ask("ana@example.org"), ask("nobody@example.org")
    strip = re.compile(r'name="csrfmiddlewaretoken" value="[^"]+"')
    assert strip.sub("", known.content.decode()) == strip.sub("", unknown.content.decode())
    assert known.redirect_chain == unknown.redirect_chain
    assert Letter.objects.count() == 2, "the same work for both"
    deliver()
    assert office.recipients == ["ana@example.org"]


def test_only_accounts_that_have_a_password_get_a_link(office: PostOffice, ana: User, manager: User) -> None:
    robot = create_service_account(user=manager, name="robot")
    off = make_user("off", is_active=False)
    elsewhere = make_user("elsewhere")
    elsewhere.set_unusable_password()
    elsewhere.save(update_fields=["password"])
    for user in (robot, off, elsewhere):
        User.objects.filter(pk=user.pk).update(email="ana@example.org")
    ask("ana@example.org")
    deliver()
    assert len(office.letters) == 1
    assert "the account ana." in office.letters[0].get_content()


def test_mail_goes_to_the_address_on_the_account_and_not_to_a_lookalike(office: PostOffice, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="mike@example.org")
    ask("mıke@example.org")  # a dotless i, which some programs take for an i
    deliver()
    assert "mıke@example.org" not in office.recipients


def test_one_address_is_not_flooded(office: PostOffice, ana: User) -> None:
    said = [ask("ana@example.org").status_code for _ in range(4)]
    assert said == [200, 200, 200, 429]
    assert Letter.objects.count() == 3


def test_address_that_no_account_can_have_is_refused(office: PostOffice) -> None:
    response = ask(f"{'a' * 260}@example.org")
    assert response.status_code == 200
    assert "too long" in response.content.decode()


def test_without_a_mail_server_the_page_says_whom_to_ask(settings: Settings, ana: User) -> None:
    settings.MAILERS = {}
    assert "administrator can give you a new one" in browser().get("/login/").content.decode()
    response = browser().post("/password/reset/", {"email": "ana@example.org"})
    assert response.status_code == 404
    assert "sends no mail" in response.content.decode()
    assert not Letter.objects.exists()


@pytest.mark.parametrize("bad", ["short", "password1234", "1234567890123", "ana@example.org"])
def test_weak_password_is_refused_with_a_reason(office: PostOffice, ana: User, bad: str) -> None:
    ask("ana@example.org")
    html = choose(link_of(office), bad).content.decode()
    assert 'class="error"' in html
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def change(client: Client, old: str = PASSWORD, new: str = NEW) -> Any:
    return client.post("/account/password/", {"oldpassword": old, "password1": new, "password2": new}, follow=True)


def test_changed_password_ends_the_other_sessions_and_keeps_this_one(ana: User) -> None:
    here, elsewhere = browser(ana), browser(ana)
    _, token = issue(user=ana, name="a program")
    html = change(here).content.decode()
    assert "Your password is changed" in html
    assert here.get("/jobs/").status_code == 200
    assert elsewhere.get("/jobs/").status_code == 302
    assert authenticate(token=token), "a program has a secret of its own"


def test_change_needs_the_password_that_holds(ana: User) -> None:
    assert "That is not your password" in change(browser(ana), old="wrong horse").content.decode()
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_open_browser_cannot_be_used_to_guess_the_password(ana: User) -> None:
    client = browser(ana)
    for _ in range(10):
        change(client, old="wrong horse")
    assert change(client).status_code == 429
    ana.refresh_from_db()
    assert ana.check_password(PASSWORD)


def test_change_is_mailed_to_the_owner(office: PostOffice, ana: User) -> None:
    change(browser(ana))
    deliver()
    assert (office.recipients, office.subjects) == (
        ["ana@example.org"],
        ["Esteira: the password of your account was changed"],
    )
    assert not Letter.objects.exists()


def test_server_that_is_down_is_tried_again_later(office: PostOffice, ana: User) -> None:
    office.refuses = {"DATA": "451 later"}
    notify(user=ana, about="password_changed")
    assert deliver() == 0
    letter = Letter.objects.get()
    assert letter.tries == 1
    assert letter.due_at > timezone.now()
    office.refuses = {}
    assert deliver() == 0, "not before its time"
    Letter.objects.update(due_at=timezone.now())
    assert deliver() == 1


def test_refused_mailbox_is_not_asked_again(office: PostOffice, ana: User) -> None:
    office.refuses = {"RCPT TO:<ANA@": "550 no such mailbox"}
    notify(user=ana, about="password_changed")
    deliver()
    assert not Letter.objects.exists()


def test_letter_that_waited_too_long_is_given_up(office: PostOffice, ana: User) -> None:
    ask("ana@example.org")
    Letter.objects.update(created_at=timezone.now() - timedelta(hours=2))
    assert deliver() == 0
    assert not office.letters
    assert not Letter.objects.exists()


class Killed(BaseException):
    """As kill -9 at that line, as far as what is committed goes."""


@pytest.mark.parametrize(("at", "sent"), [("post.claimed", 1), ("post.sent", 2)])
def test_killed_sender_loses_no_letter_and_at_worst_repeats_one(
    office: PostOffice, ana: User, monkeypatch: pytest.MonkeyPatch, at: str, sent: int
) -> None:
    def die(passed: str) -> None:
        if passed == at:
            raise Killed

    notify(user=ana, about="password_changed")
    with monkeypatch.context() as patch:
        patch.setattr(post, "point", die)
        with pytest.raises(Killed):
            deliver()
    assert deliver() == 0, "the claim still stands"
    Letter.objects.update(due_at=timezone.now())
    assert deliver() == 1
    assert len(office.letters) == sent


def test_cookie_of_a_known_browser_tells_nothing_and_cannot_be_made(ana: User) -> None:
    client = browser()
    client.post("/login/", {"login": "ana", "password": PASSWORD})
    name = next(name for name in client.cookies if name.endswith("known"))
    cookie = client.cookies[name]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
    with pytest.raises(signing.BadSignature):
        signing.loads(cookie.value, salt="another")
