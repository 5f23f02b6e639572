"""The admin's first page: numbers that were rolled up, what is paused, and how to pause."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from orchestration.execution import readings, tally
from orchestration.models import Event, JobTally, Pause, Reading
from orchestration.services import dashboard
from orchestration.states import JobState
from tests.factories import make_file, make_job, make_user
from tests.frontend.ask import browser
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from django.test import Client
    from pytest_django import DjangoAssertNumQueries

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(people: object) -> Client:
    return browser(make_user("root", is_staff=True, is_superuser=True))


def test_it_says_what_runs_waits_fails_and_lies_where(root: Client, owner: User, lab: Workspace) -> None:
    run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    make_job(owner, lab, waiting_reason="scan")
    tally.count()
    readings.read_all()
    html = root.get("/admin/").content.decode()
    assert "Its files are being checked." in html
    assert "An input cannot be processed" in html
    assert '?q=failure:input">' in html
    assert "?q=pipeline:noop+state:failed" in html
    assert re.search(r"<title>[0-9 :-]+: 1 ended, 1 failed, 1 submitted</title>", html)
    assert "uploads" in html


def test_failure_without_a_kind_breaks_no_page(root: Client, owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    Event.objects.filter(job_id=job.pk, new="FAILED").update(data={})
    tally.count()
    assert "1 failed" in root.get("/admin/").content.decode()


def test_nothing_that_it_asks_grows_with_what_is_there(
    root: Client, owner: User, lab: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_job(owner, lab)
    with django_assert_max_num_queries(30):
        root.get("/admin/")


def test_long_queue_is_counted_by_a_worker(
    root: Client, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (dashboard, readings):
        monkeypatch.setattr(module, "MOST_LIVE", 2)
    oldest, *_ = [make_job(owner, lab, waiting_reason="scan") for _ in range(4)]
    seen = dashboard.look()
    assert (seen.is_cut, seen.counted_at, seen.states["WAITING"]) == (True, None, 3)
    assert "A worker counts all of them" in root.get("/admin/").content.decode()
    readings.read_unfinished()
    seen = dashboard.look()
    assert (seen.is_cut, seen.states["WAITING"]) == (False, 4)
    assert [(one.reason, one.jobs) for one in seen.waiting] == [("scan", 4)]
    assert seen.waiting[0].since == oldest.created_at
    assert seen.oldest[0] == oldest
    assert seen.counted_at is not None
    assert "Counted" in root.get("/admin/").content.decode()


def test_what_was_counted_long_ago_is_not_shown_once_the_queue_is_short(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (dashboard, readings):
        monkeypatch.setattr(module, "MOST_LIVE", 2)
    jobs = [make_job(owner, lab) for _ in range(4)]
    readings.read_unfinished()
    for job in jobs[:3]:
        job.move(JobState.CANCELED, finished_at=timezone.now())
    seen = dashboard.look()
    assert (seen.counted_at, seen.states["WAITING"], seen.oldest) == (None, 1, [jobs[3]])
    readings.read_unfinished()
    assert not Reading.objects.filter(name="unfinished").exists()


def test_hours_without_a_job_have_their_place(owner: User, lab: Workspace) -> None:
    pipeline = make_job(owner, lab).pipeline_version.pipeline_id
    hour = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    for outcome, number in (("SUCCEEDED", 7), ("TIMED_OUT", 2), ("SUBMITTED", 9)):
        JobTally.objects.create(hour=hour, workspace_id=lab.pk, pipeline_id=pipeline, outcome=outcome, number=number)
    hours = dashboard.look().hours
    assert len(hours) == 48
    assert (hours[-4].at, hours[-4].succeeded, hours[-4].failed, hours[-4].submitted) == (hour, 7, 2, 9)
    assert sum(one.succeeded for one in hours) == 7


def test_staff_who_may_see_no_jobs_gets_no_numbers(db: None) -> None:
    html = browser(make_user("clerk", is_staff=True)).get("/admin/").content.decode()
    assert 'id="board"' not in html


def test_pause_and_its_end_go_through_the_page(root: Client, owner: User, lab: Workspace) -> None:
    said = root.post("/admin/pauses/", {"what": "workspace:lab", "reason": "The disk."}, follow=True)
    assert "Nothing new begins there" in said.content.decode()
    held = Pause.objects.get()
    assert (held.workspace, held.reason) == (lab, "The disk.")
    assert "The workspace lab is paused: The disk." in root.get("/admin/").content.decode()
    assert "drained: nothing runs" in root.get("/admin/").content.decode()
    assert (
        "paused already"
        in root.post("/admin/pauses/", {"what": "workspace:lab", "reason": "again"}, follow=True).content.decode()
    )
    root.post("/admin/pauses/", {"end": str(held.pk)})
    assert not Pause.objects.exists()


def test_whoever_may_only_look_pauses_nothing(db: None) -> None:
    clerk = make_user("clerk", is_staff=True)
    assert browser(clerk).get("/admin/pauses/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="view_pause"))
    html = browser(clerk).get("/admin/pauses/").content.decode()
    assert "<select" not in html
    browser(clerk).post("/admin/pauses/", {"what": "all", "reason": "x"})
    assert not Pause.objects.exists()


def test_pages_have_nothing_inline_that_the_policy_would_stop(root: Client, owner: User, lab: Workspace) -> None:
    make_job(owner, lab)
    for at in ("/admin/", "/admin/pauses/", "/admin/orchestration/job/"):
        html = root.get(at).content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", html), at
        assert ' style="' not in html, at
