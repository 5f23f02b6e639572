"""All jobs of a filter at once, from their page: looked at, confirmed, followed, stopped."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from orchestration.models import BulkOperation, Job
from orchestration.services import bulk
from orchestration.services.bulk_work import work_on_bulk
from tests.factories import make_job
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def jobs(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "nudge_bulk", lambda: None)
    for number in range(12):
        make_job(owner, lab, name=f"scan {number}")
    make_job(owner, lab, name="scan done", state="SUCCEEDED")
    make_job(owner, lab, name="other")


def test_page_of_jobs_offers_it_where_there_is_a_filter(owner: User, viewer: User) -> None:
    assert "All of these:" not in browser(owner).get("/jobs/").content.decode()
    html = browser(owner).get("/jobs/?q=scan+state:open").content.decode()
    assert 'href="/jobs/all/cancel/?q=scan%20state%3Aopen"' in html
    assert "All of these:" not in browser(viewer).get("/jobs/?q=scan").content.decode(), "who may not is not offered it"


def test_jobs_are_looked_at_canceled_and_followed(owner: User) -> None:
    client = browser(owner)
    html = client.get("/jobs/all/cancel/?q=scan").content.decode()
    assert "Cancel 12 jobs?" in html
    assert "It fits 1 more job, for which there is nothing to do." in html
    assert "… and 2 more." in html

    sent = {"q": "scan", "expected": re.search(r'name="expected" value="(\d+)"', html)[1]}  # type: ignore[index]
    where = client.post("/jobs/all/cancel/begin/", sent)["Location"]
    html = client.get(where).content.decode()
    assert "Canceling …" in html
    assert "<b>0</b> of 12 jobs done" in html
    assert "Stop: leave the rest alone" in html
    work_on_bulk()
    html = client.get(f"{where}live/").content.decode()
    assert "Done." in html
    assert "<b>12</b> of 12 jobs done" in html
    assert Job.objects.filter(state="CANCELED").count() == 12


def test_another_number_than_was_seen_begins_nothing(owner: User) -> None:
    answer = browser(owner).post("/jobs/all/cancel/begin/", {"q": "scan", "expected": "11"}, follow=True)
    assert "It is 12 jobs now, and 11 were expected." in answer.content.decode()
    assert "Cancel 12 jobs?" in answer.content.decode(), "to look again"
    assert not BulkOperation.objects.exists()


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30, "\u0661"])
def test_number_that_is_none_begins_nothing(owner: User, number: str) -> None:
    assert browser(owner).post("/jobs/all/cancel/begin/", {"q": "scan", "expected": number}).status_code == 302
    assert not BulkOperation.objects.exists()


def test_filter_that_cannot_be_read_goes_back_to_the_page_that_explains_it(owner: User) -> None:
    answer = browser(owner).get("/jobs/all/cancel/?q=colour:red", follow=True)
    assert "colour is no filter" in answer.content.decode()
    assert browser(owner).get("/jobs/all/explode/?q=scan").status_code == 404


def test_refusals_are_named_and_the_rest_can_be_left_alone(owner: User, stranger: User) -> None:
    client = browser(owner)
    where = client.post("/jobs/all/retry/begin/", {"q": "state:succeeded", "expected": "1"})["Location"]
    assert "/jobs/all/retry/" in where, "there is no job to retry"
    where = client.post("/jobs/all/resubmit/begin/", {"q": "scan", "expected": "13"})["Location"]
    work_on_bulk()
    html = client.get(where).content.decode()
    assert "13 refused" in html
    assert "This pipeline takes 1 to 10000 files; you gave 0." in html

    where = client.post("/jobs/all/cancel/begin/", {"q": "scan", "expected": "12"})["Location"]
    assert "12 left alone" in client.post(f"{where}stop/", follow=True).content.decode()
    assert browser(stranger).get(where).status_code == 404


def test_second_click_follows_the_first_ones_operation(owner: User) -> None:
    client = browser(owner)
    html = client.get("/jobs/all/resubmit/?q=scan").content.decode()
    sent = {name: re.search(rf'name="{name}" value="([^"]+)"', html)[1] for name in ("q", "expected", "key")}  # type: ignore[index]
    first, second = (client.post("/jobs/all/resubmit/begin/", sent)["Location"] for _ in range(2))
    assert first == second
    assert BulkOperation.objects.count() == 1
