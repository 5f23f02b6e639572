"""The start page of a workspace."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.services import workspace_now
from orchestration.services.tokens import issue
from tests.factories import join, make_file, make_job, make_workspace
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def home(user: User, path: str = "/") -> str:
    return browser(user).get(path).content.decode()


def tiles(html: str) -> dict[str, int]:
    found = re.findall(r'<b class="num">([\d,]+)</b> ([a-z0-9 ]+)</a>', html)
    return {said: int(n.replace(",", "")) for n, said in found}


def test_home_says_what_runs_waits_and_went_wrong(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="RUNNING", name="At <work>", started_at=timezone.now())
    make_job(owner, lab, waiting_reason="quota")
    make_job(owner, lab, state="QUEUED", waiting_reason="capacity")
    make_job(owner, lab, state="QUEUED", waiting_reason="capacity")
    make_job(owner, lab, state="SUCCEEDED")
    make_job(owner, lab, state="FAILED", failure_kind="INPUT", failure_detail="No <header>.", name="Broken")
    old = timezone.now() - timedelta(days=8)
    make_job(owner, lab, state="FAILED", name="Long ago", finished_at=old)
    html = home(owner)
    assert tiles(html) == {
        "running": 1,
        "waiting": 3,
        "failed in 24 hours": 1,
        "succeeded in 24 hours": 1,
    }
    assert "At &lt;work&gt;" in html
    assert "No &lt;header&gt;." in html
    assert "The file&#x27;s fault" in html
    assert "Long ago" not in html
    waits = html.split('id="waiting-title"')[1]
    assert waits.index("All machines are busy.") < waits.index("quota is used up"), "most of them wait for that"
    assert "?q=waiting:capacity+state:waiting,queued" in waits


def test_what_went_wrong_last_stands_first(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="FAILED", name="Ended now")
    make_job(owner, lab, state="FAILED", name="Ended before", finished_at=timezone.now() - timedelta(hours=1))
    html = home(owner)
    assert html.index("Ended now") < html.index("Ended before")


def test_nobody_counts_to_the_end_of_very_many(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_now, "MOST_COUNTED", 2)
    for _ in range(3):
        make_job(owner, lab, waiting_reason="quota")
        make_job(owner, lab, state="SUCCEEDED")
    make_job(owner, lab, state="RUNNING")
    make_job(owner, lab, state="FAILED")
    make_job(owner, lab, state="TIMED_OUT")
    html = home(owner)
    said = re.findall(r'<b class="num">([^<]+)</b> ([a-z0-9 ]+)</a>', html)
    assert said == [("1", "running"), ("2+", "waiting"), ("2", "failed in 24 hours"), ("2+", "succeeded in 24 hours")]
    assert "Only the first 2 were counted." in html
    monkeypatch.setattr(workspace_now, "MOST_COUNTED", 3)
    assert "were counted" not in home(owner)


def test_every_link_of_home_leads_to_jobs_that_the_filter_understands(owner: User, lab: Workspace) -> None:
    make_job(owner, lab)
    make_job(owner, lab, waiting_reason="scan")
    make_job(owner, lab, state="FAILED")
    client = browser(owner)
    links = set(re.findall(r'href="(/jobs/\?q=[^"]+)"', home(owner)))
    assert len(links) >= 6
    for link in links:
        answer = client.get(link.replace("&gt;", ">")).content.decode()
        assert "cannot be read" not in answer, link


def test_newcomer_is_shown_what_to_do_until_it_is_done(owner: User, viewer: User, lab: Workspace) -> None:
    html = home(owner)
    assert "Nothing on the belt yet" in html
    assert "Run the first job" in html
    assert "is-done" not in html
    make_job(owner, lab, state="SUCCEEDED")
    html = home(owner)
    assert html.count('class="is-done"') == 3
    assert "All quiet" in html
    issue(user=owner, name="laptop")
    assert "Next steps" not in home(owner)
    assert "Next steps" not in home(viewer), "who may not submit is not asked to"


def test_storage_is_counted_after_the_page(owner: User, lab: Workspace) -> None:
    make_file(lab, owner, data=b"x" * 2048)
    lab.quota_bytes = 4096
    lab.save()
    assert "2.0 KiB" not in home(owner)
    html = home(owner, "/home/storage/")
    assert "2.0 KiB of 4.0 KiB" in html
    assert 'value="0.5000"' in html


def test_home_shows_no_other_workspace(owner: User, stranger: User, lab: Workspace) -> None:
    make_job(owner, lab, state="FAILED", name="Of the lab")
    for path in ("/", "/home/live/"):
        html = home(stranger, path)
        assert "Of the lab" not in html
        assert tiles(html)["failed in 24 hours"] == 0


def test_live_part_is_the_page_s_own(owner: User, lab: Workspace) -> None:
    make_job(owner, lab, state="RUNNING")
    assert home(owner, "/home/live/").strip() in home(owner)


def test_page_stays_with_its_workspace_though_another_was_chosen_in_another_tab(owner: User, lab: Workspace) -> None:
    other = make_workspace("other")
    join(owner, other)
    make_job(owner, lab, name="of the lab", state="RUNNING")
    make_job(owner, other, name="of the other", state="RUNNING")
    client = browser(owner)
    client.post("/workspace/", {"workspace": "lab"})
    assert 'data-workspace="lab"' in client.get("/").content.decode()
    client.post("/workspace/", {"workspace": "other"})
    live = client.get("/home/live/?workspace=lab").content.decode()
    assert "of the lab" in live
    assert "of the other" not in live
    assert "of the other" in client.get("/home/live/?workspace=nobody-s").content.decode(), "else the chosen one"
