"""The bell, the list behind it, and the choice of what one is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.execution.notifying import tell
from orchestration.models import Notification, NotificationChoice, User, Workspace
from orchestration.states import NotificationKind
from tests.factories import join
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from tests.conftest import People

pytestmark = pytest.mark.django_db
TROUBLE = NotificationKind.FILE_TROUBLE
JOB = "019e7a3c-0000-7000-8000-000000000001"


def told(user: User, lab: Workspace, name: str = "a.csv") -> Notification:
    data = {"file": JOB, "name": name, "what": "damaged", "detail": "It differs."}
    tell(kind=TROUBLE, workspace_id=lab.pk, people=[user.pk], group=name, data=data)
    found: Notification = Notification.objects.get(user=user, group=name)
    return found


def text(answer: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def test_bell_counts_what_is_unread_on_every_page(owner: User, teammate: User, lab: Workspace) -> None:
    told(owner, lab)
    told(owner, lab, "b.csv")
    for path in ("/", "/account/", "/account/password/"):
        assert "Notifications, 2 unread" in text(browser(owner).get(path)), path
    assert "unread" not in text(browser(teammate).get("/notifications/bell/"))


def test_list_leads_to_the_thing_and_marks_it_read(owner: User, lab: Workspace) -> None:
    row = told(owner, lab, "<b>x</b>.csv")
    page = browser(owner).get("/notifications/")
    assert "&lt;b&gt;x&lt;/b&gt;.csv is damaged" in page.content.decode()
    assert browser(owner).get(f"/notifications/{row.pk}/")["Location"] == f"/files/{JOB}/"
    assert "unread" not in text(browser(owner).get("/notifications/bell/"))
    assert "Nothing is unread" in text(browser(owner).get("/notifications/?show=unread"))


def test_all_are_marked_and_brought_back(owner: User, lab: Workspace) -> None:
    told(owner, lab)
    told(owner, lab, "b.csv")
    mine = browser(owner)
    after = mine.post("/notifications/read/", follow=True)
    assert "All are marked as read." in text(after)
    at = re.search(r'name="at" value="([^"]+)"', after.content.decode())
    assert at
    assert "Notifications, 2 unread" in text(mine.post("/notifications/undo/", {"at": at[1]}, follow=True))


def test_one_is_marked_and_marked_back(owner: User, lab: Workspace) -> None:
    row = told(owner, lab)
    for how, is_read in (("read", True), ("unread", False)):
        browser(owner).post(f"/notifications/{row.pk}/{how}/")
        row.refresh_from_db()
        assert (row.read_at is not None) is is_read


@pytest.mark.parametrize("how", ["", "read/", "unread/"])
def test_other_people_s_are_as_good_as_missing(owner: User, teammate: User, lab: Workspace, how: str) -> None:
    path = f"/notifications/{told(owner, lab).pk}/{how}"
    hers = browser(teammate)
    assert (hers.post(path) if how else hers.get(path)).status_code == 404


def test_newcomer_is_told_what_will_stand_here(owner: User) -> None:
    assert "No notifications yet" in text(browser(owner).get("/notifications/"))


@pytest.mark.parametrize("query", ["before=x", "before=2026-99-01", "undo=x", "before=2026-01-01T00:00:00Z"])
def test_address_that_says_nonsense_is_taken_as_none(owner: User, query: str) -> None:
    assert browser(owner).get(f"/notifications/?{query}").status_code == 200


def test_long_list_goes_on_by_pages(owner: User, lab: Workspace) -> None:
    for n in range(51):
        told(owner, lab, f"{n}.csv")
    first = browser(owner).get("/notifications/").content.decode()
    older = re.search(r'href="(\?before=[^"]+)"', first)
    assert older
    second = browser(owner).get(f"/notifications/{older[1].replace('&amp;', '&')}").content.decode()
    assert (first.count("is damaged</bdi>"), second.count("is damaged</bdi>")) == (50, 1)


def test_choice_is_saved_for_the_workspace_shown(owner: User, lab: Workspace, people: People) -> None:
    join(owner, people.elsewhere)
    form = {"mail-job.failed": "daily", "mail-file.trouble": "never", "app-file.trouble": "on", "digest_hour": "18"}
    mine = browser(owner)
    assert "Your choice is saved." in text(mine.post("/notifications/settings/?workspace=elsewhere", form, follow=True))
    rows = NotificationChoice.objects.filter(user=owner).order_by("kind")
    assert [(row.workspace.slug, row.kind, row.in_app, row.mail) for row in rows] == [
        ("elsewhere", "file.trouble", True, "never"),
        ("elsewhere", "job.failed", False, "daily"),
    ]
    owner.refresh_from_db()
    assert owner.digest_hour == 18
    assert owner.digest_next_at
    assert owner.digest_next_at.hour == 18


@pytest.mark.parametrize("form", [{"mail-job.failed": "hourly"}, {"digest_hour": "24"}])
def test_choice_that_cannot_be_is_refused_with_a_sentence(owner: User, lab: Workspace, form: dict[str, str]) -> None:
    said = text(browser(owner).post("/notifications/settings/", form, follow=True))
    assert "There is no such choice" in said or "0 to 23" in said
    assert not NotificationChoice.objects.exists()


def test_only_managers_are_asked_about_the_budget(owner: User, manager: User) -> None:
    assert "The budget is nearly used up" not in text(browser(owner).get("/notifications/settings/"))
    assert "The budget is nearly used up" in text(browser(manager).get("/notifications/settings/"))
