from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from frontend_app.views import job_list
from orchestration.models import Item, User, Workspace
from tests.factories import make_file, make_job, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import TWO_STEPS

pytestmark = pytest.mark.django_db

NAMES = re.compile(r"<bdi>(.*?)</bdi>")


def test_newcomer_sees_what_to_do_first(owner: User) -> None:
    html = browser(owner).get("/jobs/").content.decode()
    assert "Nothing on the belt yet" in html
    assert "Start the first job" in html


def test_jobs_are_filtered_by_state_and_pipeline(owner: User, lab: Workspace) -> None:
    other = publish_pipeline(name="other")
    make_job(owner, lab, name="one", state="FAILED")
    make_job(owner, lab, name="two", state="SUCCEEDED")
    make_job(owner, lab, other, name="three", state="SUCCEEDED")
    client = browser(owner)

    def shown(query: str) -> list[str]:
        return NAMES.findall(client.get(f"/jobs/?{query}").content.decode())

    assert shown("") == ["three", "two", "one"]
    assert shown("state=FAILED") == ["one"]
    assert shown("state=SUCCEEDED&pipeline=other") == ["three"]
    assert shown("q=state:failed+-pipeline:other") == ["one"]
    assert shown("q=t") == ["three", "two"]
    assert "No job fits" in client.get("/jobs/?state=CANCELED").content.decode()


def test_filter_that_cannot_be_read_says_where_and_what_to_do(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="one")
    html = browser(owner).get("/jobs/?q=owner:me+colour:red").content.decode()
    assert "At letter 10 of the filter: colour is no filter. There are created, deadline, failure," in html
    assert 'value="owner:me colour:red"' in html, "to be mended, not typed again"
    assert not NAMES.findall(html)


def test_older_jobs_are_a_page_further_and_none_is_lost(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_list, "PAGE", 3)
    for number in range(7):
        make_job(owner, lab, name=f"job {number}")
    client, path, seen = browser(owner), "/jobs/?state=WAITING", list[str]()
    while path:
        html = client.get(path).content.decode()
        seen += NAMES.findall(html)
        older = re.search(r'href="([^"]*)">Older jobs', html)
        path = "/jobs/" + older[1].replace("&amp;", "&") if older else ""
    assert seen == [f"job {number}" for number in reversed(range(7))]


@pytest.mark.parametrize("cursor", ["nonsense", "0", "%00", "01a2107c-6f61-7226-afb3-99e237a01055"])
def test_bad_cursor_does_no_harm(owner: User, cursor: str) -> None:
    assert browser(owner).get(f"/jobs/?before={cursor}").status_code == 200


def test_live_part_is_the_table_alone(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name="here")
    html = browser(owner).get("/jobs/live/?state=WAITING").content.decode()
    assert re.findall(r'<section id="([^"]*)" data-live', html) == ["bulk-now", "jobs"]
    assert "<html" not in html
    assert "csrfmiddlewaretoken" not in html, "a token differs each time, so the part would always be swapped"


def test_progress_of_an_open_job_is_shown(owner: User, lab: Workspace) -> None:
    files = [make_file(lab, owner, f"{n}.csv") for n in range(4)]
    job = make_job(owner, lab, publish_pipeline(TWO_STEPS), files, state="RUNNING")
    done = Item.objects.filter(step_run__job=job, step_run__name="convert", index__lt=2)
    done.update(state="SUCCEEDED", finished_at="2026-01-01T00:00Z")
    assert '<progress max="100" value="25"' in browser(owner).get("/jobs/").content.decode()


def test_more_jobs_take_no_more_queries(owner: User, lab: Workspace) -> None:
    client = browser(owner)

    def queries() -> int:
        with CaptureQueriesContext(connection) as caught:
            client.get("/jobs/")
        return len(caught)

    make_job(owner, lab, state="RUNNING")
    before = queries()
    for _ in range(5):
        make_job(owner, lab, state="RUNNING")
    assert queries() == before


def test_hostile_name_stays_text(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, name='<script>alert("x")</script>')
    html = browser(owner).get("/jobs/").content.decode()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
