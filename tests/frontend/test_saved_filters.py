"""Filters that people save, and the columns of their lists."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.models import SavedFilter
from orchestration.services import job_lists
from tests.factories import join, make_job, make_workspace
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def chips(client: Client, path: str = "/jobs/") -> list[str]:
    html = client.get(path).content.decode()
    return re.findall(r'class="saved"><a [^>]*><bdi>([^<]*)</bdi>', html)


def save(client: Client, name: str, filter: str = "state:failed") -> str:  # noqa: A002  its name everywhere
    return client.post("/jobs/filters/", {"name": name, "q": filter}, follow=True).content.decode()


def test_filter_is_saved_found_again_and_lit(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    assert "Save this filter" not in client.get("/jobs/").content.decode(), "there is none to save"
    assert "Save this filter" in client.get("/jobs/?q=owner:me+label:night").content.decode()
    assert "Save this filter" not in client.get("/jobs/?q=colour:red").content.decode()
    html = save(client, "  Tonight's   runs ", "owner:me label:night")
    assert 'value="owner:me label:night"' in html, "the page is of that filter still"
    assert "Save this filter" not in html
    assert re.search(r'title="owner:me label:night" aria-current="true"><bdi>Tonight&#x27;s runs</bdi>', html)


def test_filters_are_of_one_person_in_one_workspace(owner: User, teammate: User, lab: Workspace) -> None:
    other = make_workspace("other")
    join(owner, other)
    save(browser(owner), "Failed here")
    assert chips(browser(owner)) == ["Failed here"]
    assert chips(browser(owner), "/jobs/?workspace=other") == []
    assert chips(browser(teammate)) == []
    row = SavedFilter.objects.get()
    for verb in ("rename", "delete", "undelete"):
        assert browser(teammate).post(f"/jobs/filters/{row.pk}/{verb}/", {"name": "mine"}).status_code == 404
    owner.memberships.filter(workspace=lab).delete()
    assert browser(owner).post(f"/jobs/filters/{row.pk}/rename/", {"name": "x"}).status_code == 404, "she has left"


def test_name_that_is_taken_gets_the_new_filter(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "Failed", "state:failed")
    save(client, "failed", "state:failed,timed-out label:night")
    assert SavedFilter.objects.get().filter == "state:failed,timed-out label:night"


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [
        ("", "state:failed", "A saved filter needs a name"),
        ("x" * 61, "state:failed", "of at most 60 characters"),
        ("x", " ", "Write a filter first"),
        ("x", "colour:red", "colour is no filter"),
    ],
)
def test_what_cannot_be_saved_says_why(owner: User, lab: Workspace, name: str, wanted: str, said: str) -> None:
    assert said in save(browser(owner), name, wanted)
    assert not SavedFilter.objects.exists()


def test_there_is_room_for_so_many(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_lists, "MOST_FILTERS", 2)
    client = browser(owner)
    for name in ("a", "b"):
        save(client, name)
    assert "You have 2 saved filters here. Delete one first." in save(client, "c")
    assert chips(client) == ["a", "b"]


def test_filter_is_renamed_unless_another_is_called_so(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "one")
    save(client, "two", "state:open")
    row = SavedFilter.objects.get(name="one")
    client.post(f"/jobs/filters/{row.pk}/rename/", {"name": "ONE"})
    assert chips(client) == ["ONE", "two"]
    said = client.post(f"/jobs/filters/{row.pk}/rename/", {"name": "Two"}, follow=True).content.decode()
    assert "You have a saved filter called Two already." in said
    assert chips(client) == ["ONE", "two"]


def test_deleted_filter_comes_back_by_undo(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "one")
    row = SavedFilter.objects.get()
    html = client.post(f"/jobs/filters/{row.pk}/delete/", follow=True).content.decode()
    assert "one is deleted." in html
    assert chips(client) == []
    undo = re.search(r'formaction="([^"]+)"[^>]*>Undo', html)
    assert undo
    client.post(undo[1])
    assert chips(client) == ["one"]


def test_undo_is_refused_where_the_name_is_taken_by_now(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "one")
    row = SavedFilter.objects.get()
    client.post(f"/jobs/filters/{row.pk}/delete/")
    save(client, "One", "state:open")
    said = client.post(f"/jobs/filters/{row.pk}/undelete/", follow=True).content.decode()
    assert "You have a saved filter called one already." in said


def test_what_was_deleted_long_ago_goes_with_the_next_one_saved(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "old")
    SavedFilter.objects.update(deleted_at=timezone.now() - timedelta(days=2))
    save(client, "new")
    assert [row.name for row in SavedFilter.objects.all()] == ["new"]


def test_after_a_change_the_list_is_as_it_was_and_nowhere_else(owner: User, lab: Workspace) -> None:
    client = browser(owner)
    for came, goes in (
        ("http://testserver/jobs/?q=label:a", "http://testserver/jobs/?q=label:a"),
        ("http://evil/", "/jobs/"),
    ):
        assert client.post("/jobs/columns/", {"column": "by"}, headers={"referer": came})["Location"] == goes


def test_link_opens_the_list_in_its_workspace(owner: User, teammate: User, lab: Workspace) -> None:
    client = browser(owner)
    save(client, "night", "label:night")
    make_job(owner, lab, name="tonight", labels={"night": ""})
    link = re.search(r'<code class="secret" id="link-[^"]+">([^<]+)<', client.get("/jobs/").content.decode())
    assert link
    there = make_workspace("aaa")
    join(teammate, there)
    reader = browser(teammate)
    reader.post("/workspace/", {"workspace": "aaa"})
    path = link[1].removeprefix("http://testserver").replace("&amp;", "&")
    assert "<bdi>tonight</bdi>" in reader.get(path).content.decode()


def heads(client: Client) -> list[str]:
    return re.findall(r'<th scope="col"(?: class="right")?>([^<]+)</th>', client.get("/jobs/").content.decode())


def test_columns_are_chosen_and_remembered(owner: User, teammate: User, lab: Workspace) -> None:
    make_job(owner, lab, labels={"batch": "7"}, priority=3, cost_usd="1.5")
    client = browser(owner)
    usual = ["Job", "State", "Files", "By", "Created", "Took"]
    assert heads(client) == usual
    client.post("/jobs/columns/", {"column": ["cost", "labels", "nonsense", "priority"]})
    assert heads(browser(owner)) == ["Job", "Labels", "Priority", "Cost"], "in one order, whatever was sent"
    html = client.get("/jobs/").content.decode()
    assert "<bdi>batch</bdi>=<bdi>7</bdi>" in html
    assert "$1.5" in html
    assert heads(browser(teammate)) == usual
    client.post("/jobs/columns/", {})
    assert heads(client) == ["Job"]
    client.post("/jobs/columns/", {"usual": "1"})
    assert heads(client) == usual


def test_every_column_can_be_shown(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="FAILED", deadline=timezone.now())
    make_job(owner, lab, state="RUNNING", started_at=timezone.now())
    client = browser(owner)
    client.post("/jobs/columns/", {"column": job_lists.COLUMNS})
    assert len(heads(client)) == len(job_lists.COLUMNS) + 1
