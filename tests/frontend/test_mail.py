"""What a person, and an administrator for her, can choose about mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from orchestration.models import Job, User, Workspace
from tests.factories import make_job, make_user
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail_server(settings: Settings) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def page_of(user: User) -> str:
    return browser(user).get("/tokens/").content.decode()


def test_choice_is_shown_and_saved(mail_server: None, owner: User) -> None:
    assert '<option value="failures" selected>' in page_of(owner)
    response = browser(owner).post("/mail/", {"mail_on": "always"}, follow=True)
    assert response.redirect_chain == [("/tokens/#mail", 302)]
    html = response.content.decode()
    assert "Your choice is saved" in html
    assert '<option value="always" selected>' in html
    assert User.objects.get(pk=owner.pk).mail_on == "always"


def test_choice_is_one_s_own(mail_server: None, owner: User, teammate: User) -> None:
    browser(owner).post("/mail/", {"mail_on": "never", "user": str(teammate.pk)})
    assert User.objects.get(pk=teammate.pk).mail_on == "failures"


@pytest.mark.parametrize("mail_on", ["sometimes", ""])
def test_what_is_no_choice_is_refused_with_a_sentence(mail_server: None, owner: User, mail_on: str) -> None:
    response = browser(owner).post("/mail/", {"mail_on": mail_on}, follow=True)
    assert "Mail comes never, on failures, or always" in response.content.decode()
    assert User.objects.get(pk=owner.pk).mail_on == "failures"


def test_choice_needs_somebody_and_a_post_with_the_page_s_token(owner: User) -> None:
    assert browser().post("/mail/", {"mail_on": "never"})["Location"].startswith("/login/")
    assert browser(owner).get("/mail/").status_code == 405
    assert browser(owner, enforce_csrf_checks=True).post("/mail/", {"mail_on": "never"}).status_code == 403


def test_without_a_mail_server_there_is_nothing_to_choose(settings: Settings, owner: User) -> None:
    settings.MAILERS = {}
    assert 'id="mail"' not in page_of(owner)


def test_address_and_what_is_wrong_with_it_are_said(mail_server: None, owner: User) -> None:
    assert "no mail address" in page_of(owner)
    User.objects.filter(pk=owner.pk).update(email="ana@example.org", mail_problem="550 no such <mailbox>")
    html = page_of(owner)
    assert "ana@example.org" in html
    assert "refused: 550 no such &lt;mailbox&gt;" in html


def form_of(admin_page: Any) -> dict[str, Any]:
    """What a browser would send back unchanged."""
    form = admin_page.context["adminform"].form
    values: dict[str, Any] = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    sent = {name: value for name, value in values.items() if value and name not in {"password", "last_login"}}
    sent |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    return sent | {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}


def test_administrator_chooses_for_a_person_and_mends_the_address(owner: User, lab: Workspace) -> None:
    User.objects.filter(pk=owner.pk).update(email="old@example.org", mail_problem="550 unknown", mail_tries=3)
    make_job(owner, lab, state="SUCCEEDED")
    root = browser(make_user("root", is_staff=True, is_superuser=True))
    at = f"/admin/orchestration/user/{owner.pk}/change/"
    page = root.get(at)
    assert "550 unknown" in page.content.decode()
    sent = form_of(page) | {"mail_on": "always", "email": "new@example.org"}
    assert root.post(at, sent).status_code == 302
    owner.refresh_from_db()
    assert (owner.mail_on, owner.email) == ("always", "new@example.org")
    assert (owner.mail_problem, owner.mail_tries, owner.mail_next_at) == ("", 0, None)
    assert not Job.objects.untold().exists(), "what ended before is not mailed afterwards"
