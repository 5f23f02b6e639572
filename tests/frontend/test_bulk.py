"""All jobs of a filter at once, from their page: looked at, confirmed, followed, stopped."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from frontend_app import bulk_standing
from frontend_app.bulk_words import BULK
from frontend_app.views import bulk as bulk_pages
from orchestration.ids import new_id
from orchestration.models import BulkOperation, Job
from orchestration.services import bulk
from orchestration.services.bulk_work import work_on_bulk
from orchestration.states import BulkAction
from tests.factories import make_file, make_job
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


def test_page_of_jobs_lets_rows_be_chosen_by_those_who_may(owner: User, viewer: User) -> None:
    html = browser(owner).get("/jobs/?q=scan+state:open").content.decode()
    assert html.count('form="bulk" name="id"') == 12
    assert re.findall(r'formaction="/jobs/all/(\w+)/"', html) == [str(action) for action in BULK]
    assert 'name="all"' in html
    assert 'name="all"' not in browser(owner).get("/jobs/").content.decode(), "without a filter it would be everything"
    html = browser(viewer).get("/jobs/?q=scan").content.decode()
    assert 'name="id"' not in html, "who may not is not offered it"
    assert "/jobs/all/" not in html


def test_jobs_are_looked_at_canceled_and_followed(owner: User) -> None:
    client = browser(owner)
    html = client.get("/jobs/all/cancel/?q=scan").content.decode()
    assert "Cancel 12 jobs?" in html
    assert "1 more job is among them with nothing to do for." in html
    assert "… and 2 more." in html

    sent = {"q": "scan", "expected": re.search(r'name="expected" value="(\d+)"', html)[1]}  # type: ignore[index]
    where = client.post("/jobs/all/cancel/begin/", sent)["Location"]
    html = client.get(where).content.decode()
    assert "Canceling …" in html
    assert "<b>0</b> of 12 jobs done" in html
    assert "Stop: leave the rest alone" in html
    work_on_bulk()
    html = client.get(f"{where}live/").content.decode()
    assert re.search(r"Cancel jobs:\s+<b>12</b>", html)
    assert "data-live-ended" in html
    assert "<b>12</b> of 12 jobs done" in html
    assert Job.objects.filter(state="CANCELED").count() == 12


def test_another_number_than_was_seen_begins_nothing(owner: User) -> None:
    answer = browser(owner).post("/jobs/all/cancel/begin/", {"q": "scan", "expected": "11"})
    assert answer.status_code == 422
    assert "It is 12 jobs now, and 11 were expected." in answer.content.decode()
    assert "Cancel 12 jobs?" in answer.content.decode(), "to look again"
    assert not BulkOperation.objects.exists()


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 30, "\u0661"])
def test_number_that_is_none_begins_nothing(owner: User, number: str) -> None:
    assert browser(owner).post("/jobs/all/cancel/begin/", {"q": "scan", "expected": number}).status_code == 422
    assert not BulkOperation.objects.exists()


def test_filter_that_cannot_be_read_goes_back_to_the_page_that_explains_it(owner: User) -> None:
    answer = browser(owner).get("/jobs/all/cancel/?q=colour:red", follow=True)
    assert "colour is no filter" in answer.content.decode()
    assert browser(owner).get("/jobs/all/explode/?q=scan").status_code == 404


def test_refusals_are_named_and_the_rest_can_be_left_alone(owner: User, stranger: User) -> None:
    client = browser(owner)
    answer = client.post("/jobs/all/retry/begin/", {"q": "state:succeeded", "expected": "1"})
    assert (answer.status_code, "No job to retry" in answer.content.decode()) == (422, True)
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


def test_chosen_jobs_are_acted_on_and_no_others(owner: User) -> None:
    client = browser(owner)
    chosen = [str(job.pk) for job in Job.objects.filter(name__in=["scan 3", "scan 7", "scan done"])]
    html = client.get("/jobs/all/cancel/", {"id": chosen}).content.decode()
    assert "Cancel 2 jobs?" in html
    assert "3 jobs were chosen." in html
    where = client.post("/jobs/all/cancel/begin/", {"id": chosen, "expected": "2"})["Location"]
    work_on_bulk()
    assert set(Job.objects.filter(state="CANCELED").values_list("name", flat=True)) == {"scan 3", "scan 7"}
    assert "<b>2</b> of 2 jobs done" in client.get(where).content.decode()


def test_all_that_fit_are_meant_once_that_is_ticked(owner: User) -> None:
    one = str(Job.objects.get(name="scan 3").pk)
    html = browser(owner).get("/jobs/all/cancel/", {"id": one, "q": "scan", "all": "1"}).content.decode()
    assert "Cancel 12 jobs?" in html


def test_job_of_strangers_cannot_be_chosen(owner: User, stranger: User) -> None:
    theirs = str(Job.objects.get(name="other").pk)
    assert browser(stranger).get("/jobs/all/cancel/", {"id": theirs}).status_code == 404
    for wrong in ("nonsense", str(new_id())):
        assert browser(owner).get("/jobs/all/cancel/", {"id": wrong}).status_code == 404


def test_labels_and_priority_are_asked_for_and_what_is_wrong_is_kept_to_be_mended(owner: User) -> None:
    client, chosen = browser(owner), str(Job.objects.get(name="scan 3").pk)
    sent = {"id": chosen, "expected": "1"}
    assert 'name="set"' in client.get("/jobs/all/label/", {"id": chosen}).content.decode()
    answer = client.post("/jobs/all/label/begin/", sent | {"set": "=7", "remove": "kept"})
    assert answer.status_code == 422
    assert "Write each label as name=value" in answer.content.decode()
    assert ">=7</textarea>" in answer.content.decode()
    where = client.post("/jobs/all/label/begin/", sent | {"set": "batch=7\n", "remove": "old, older"})["Location"]
    assert "Labels set: batch=7. Labels removed: old, older." in client.get(where).content.decode()

    for wrong in ("", "x", "101", "--1"):
        assert client.post("/jobs/all/priority/begin/", sent | {"priority": wrong}).status_code == 422, wrong
    where = client.post("/jobs/all/priority/begin/", sent | {"priority": "-5"})["Location"]
    assert "Priority -5." in client.get(where).content.decode()
    work_on_bulk()
    job = Job.objects.get(pk=chosen)
    assert (job.labels, job.priority) == ({"batch": "7"}, -5)


def test_outcome_of_each_job_is_a_page_further_and_none_is_lost(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_pages, "ITEMS", 5)
    client = browser(owner)
    path = client.post("/jobs/all/cancel/begin/", {"q": "scan", "expected": "12"})["Location"]
    work_on_bulk()
    where, seen = path, list[str]()
    while path:
        html = client.get(path).content.decode()
        seen += re.findall(r"<bdi>(scan \d+)</bdi>", html)
        more = re.search(r'href="([^"]*)">More<', html)
        path = where + more[1].replace("&amp;", "&") if more else ""
    assert sorted(seen) == sorted(f"scan {number}" for number in range(12))


def test_what_runs_anew_leads_to_the_new_job(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="whole", inputs=[make_file(lab, owner)])
    client = browser(owner)
    where = client.post("/jobs/all/resubmit/begin/", {"q": "whole", "expected": "1"})["Location"]
    work_on_bulk()
    made = Job.objects.get(resubmitted_from__isnull=False)
    assert f'href="/jobs/{made.pk}/">made whole</a>' in client.get(where).content.decode()


def test_operation_under_way_is_on_the_page_of_jobs_of_whoever_began_it(
    owner: User, teammate: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = browser(owner)
    where = client.post("/jobs/all/cancel/begin/", {"q": "scan", "expected": "12"})["Location"]
    html = client.get("/jobs/live/").content.decode()
    assert f'href="{where}"' in html
    assert "Canceling …" in html
    assert f'href="{where}"' not in browser(teammate).get("/jobs/live/").content.decode()
    work_on_bulk()
    assert "Cancel jobs:" in client.get("/jobs/live/").content.decode()
    monkeypatch.setattr(bulk_standing, "SHOWN_AFTER", timedelta(0))
    assert f'href="{where}"' not in client.get("/jobs/live/").content.decode()


def test_more_than_can_be_acted_on_is_not_counted_to_its_end(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MOST_JOBS", 5)
    html = browser(owner).get("/jobs/all/cancel/?q=scan").content.decode()
    assert "That is more than the 5 jobs that can be acted on at once." in html
    assert bulk.preview(user=owner, action=BulkAction.CANCEL, choice=bulk.Choice(filter="scan")).total == 6
