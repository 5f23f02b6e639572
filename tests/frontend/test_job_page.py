from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from frontend_app.views import job_parts
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File, Item, Job, User, Workspace
from orchestration.services import runner
from tests.factories import make_file, make_job, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run_all, submitted

pytestmark = pytest.mark.django_db


def page(user: User, job: Job, part: str = "") -> str:
    return browser(user).get(f"/jobs/{job.pk}/{part}").content.decode()


def result(job: Job, **fields: Any) -> File:
    values: dict[str, Any] = {"kind": "result", "job": job, "step": "report", "item_index": 0, "name": "report.html"}
    return make_file(job.workspace, job.created_by, data=b"<h1>hi</h1>", media_type="text/html", **(values | fields))


def test_waiting_job_says_why_and_where_in_line(owner: User, lab: Workspace) -> None:
    make_job(owner, lab)
    job = make_job(owner, lab, waiting_reason="concurrency")
    html = page(owner, job)
    assert "Other jobs of the workspace run first." in html
    assert "Number 2 in line." in html


def test_canceling_job_says_so(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="RUNNING", cancel_requested_at="2026-01-01T00:00Z")
    html = page(owner, job)
    assert 'data-state="CANCELING"' in html
    assert "What runs is being stopped" in html
    assert "do-cancel" not in html


def test_deadline_is_shown_and_that_it_has_passed(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="RUNNING", deadline="2027-01-02T03:04Z")
    assert 'deadline <time datetime="2027-01-02T03:04:00Z">2027-01-02 03:04 UTC</time>' in page(owner, job)
    Job.objects.update(cancel_requested_at="2027-01-02T03:04:05Z")
    assert "Its deadline passed" in page(owner, job)


def test_labels_lead_to_the_jobs_that_have_them_too(owner: User, lab: Workspace) -> None:
    labels = {"night": "", "batch": '7 "a", <b>', "odd=key": "x"}
    job = make_job(owner, lab, name="wanted", labels=labels)
    make_job(owner, lab, name="another", labels={"batch": "7"})
    html = page(owner, job)
    links = re.findall(r'<a class="label break" href="([^"]+)"><bdi>(\w+)</bdi>', html)
    assert [key for _address, key in links] == ["batch", "night"]
    assert "<bdi>7 &quot;a&quot;, &lt;b&gt;</bdi>" in html
    assert '<span class="label break"><bdi>odd=key</bdi>=<bdi>x</bdi>' in html, "no filter can say it"
    for address, _key in links:
        found = browser(owner).get(unescape(address)).content.decode()
        assert ("wanted" in found, "another" in found) == (True, False)


def test_labels_and_priority_are_shown_where_there_are_any(owner: User, lab: Workspace) -> None:
    plain, urgent = make_job(owner, lab), make_job(owner, lab, priority=-3, labels={"night": ""})
    assert "priority -3" in page(owner, urgent, "live/")
    assert 'id="job-labels"' in page(owner, urgent, "live/")
    assert not re.search("job-priority|job-labels", page(owner, plain))


@pytest.mark.parametrize(
    ("kind", "whose"),
    [
        ("USER_CODE", "The pipeline&#x27;s fault"),
        ("INPUT", "The file&#x27;s fault"),
        ("RESOURCES", "Too big for the step&#x27;s limits"),
        ("INTERRUPTED", "Our fault, not yours"),
        ("PLATFORM", "Our fault, not yours"),
    ],
)
def test_failure_says_whose_fault_it_is(owner: User, lab: Workspace, kind: str, whose: str) -> None:
    job = make_job(owner, lab, state="FAILED", failure_kind=kind, failure_detail="It <broke>.")
    html = page(owner, job)
    assert whose in html
    assert "It &lt;broke&gt;." in html


def test_failed_item_is_named_by_its_file(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, name) for name in ("good.csv", "<b>bad</b>.csv"))
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), files), failing={1: "INPUT"})
    assert job.state == "SUCCEEDED"
    html = page(owner, job)
    assert "&lt;b&gt;bad&lt;/b&gt;.csv" in html
    assert "<b>bad</b>" not in html
    assert "item 1 is broken" in html
    assert 'name="item" value="convert:1"' in html


def test_running_step_shows_items_progress_and_message(owner: User, lab: Workspace) -> None:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(4))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    first, second = lease(2)
    for attempt in (first, second):
        runner.begin(holder=holder(attempt))
    end(first)
    runner.heartbeat(holder=holder(second), progress=0.5, message="Reading <rows>")
    html = page(owner, job, "live/")
    assert "1 of 4 items" in html
    assert "1 running" in html
    assert "Reading &lt;rows&gt;" in html
    assert '<progress max="100" value="37"' in html


def test_attempt_that_runs_is_shown_before_any_number_of_queued_ones(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_parts, "MOST_ATTEMPTS", 3)
    monkeypatch.setattr(job_parts.LAST_ATTEMPTS, "_plans", {})  # the bound is written into them
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(6))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    dispatch()
    (attempt,) = lease(1)
    runner.begin(holder=holder(attempt))
    html = page(owner, job, "live/")
    assert f'id="log-{attempt.pk}"' in html
    assert f'id="log-current" hidden data-log-open="/attempts/{attempt.pk}/log/"' in html


def test_interrupted_attempt_is_told_calmly_and_once_mended_its_log_is_not_put_first(
    owner: User, lab: Workspace
) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),))
    dispatch()
    (first,) = lease()
    runner.begin(holder=holder(first))
    assert "nothing runs just now" not in page(owner, job, "live/")
    end(first, "failed", failure_kind="INTERRUPTED", detail="Host EC2 terminated.")
    job.refresh_from_db()
    html = page(owner, job, "live/")
    assert '<span class="chip" data-state="INTERRUPTED">Interrupted</span>' in html
    assert "Host EC2 terminated." in html
    assert "nothing runs just now" in html
    assert f'id="log-current" hidden data-log-open="/attempts/{first.pk}/log/"' in html
    Attempt.objects.filter(job=job, state="QUEUED").update(available_at=first.available_at)
    run_all(job)
    html = page(owner, job, "live/")
    assert 'data-state="SUCCEEDED"' in html
    assert f'data-log-open="/attempts/{first.pk}/log/"' in html, "it can still be opened"
    assert f'id="log-current" hidden data-log-open="/attempts/{first.pk}/log/"' not in html


def test_report_of_the_last_step_is_open_in_a_frame_that_may_do_nothing(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, publish_pipeline(TWO_STEPS), [make_file(lab, owner)], state="SUCCEEDED")
    report = result(job)
    result(job, kind="intermediate", name="_intermediate/x.html")
    html = page(owner, job)
    assert f'<iframe sandbox="" src="/files/{report.pk}/preview"' in html
    assert "_intermediate" not in html


def test_live_part_holds_what_the_page_holds(owner: User, lab: Workspace) -> None:
    """Else the first refresh would swap everything, and lose what the reader had opened."""
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),)), failing={0: "INPUT"})
    html, live = page(owner, job), page(owner, job, "live/")
    for section in live.split("</section>")[:-1]:
        assert section.strip() in html
    assert live == page(owner, job, "live/")


def test_history_leaves_progress_out(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    runner.heartbeat(holder=holder(attempt), progress=0.1, message="so far")
    html = page(owner, job).split('id="job-history"')[1]
    assert "attempt Running" in html
    assert "progress" not in html


def test_big_job_makes_no_big_page(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MOST_FAILURES", "MOST_INPUTS", "MOST_RESULTS"):
        monkeypatch.setattr(job_parts, bound, 2)
    for query in (job_parts.FAILED_ITEMS, job_parts.NEWEST_RESULTS):
        monkeypatch.setattr(query, "_plans", {})  # the bounds are written into them
    files = [make_file(lab, owner, f"in-{n}.csv") for n in range(5)]
    job = make_job(owner, lab, publish_pipeline(TWO_STEPS), files, state="FAILED")
    failed = {"state": "FAILED", "failure_kind": "INPUT", "finished_at": "2026-01-01T00:00Z"}
    Item.objects.filter(step_run__job=job, step_run__name="convert").update(**failed)
    for number in range(4):
        result(job, name=f"out-{number}.html")
    html = page(owner, job)
    assert html.count('name="item" value="convert:') == 3, "two rows, and all of the step"
    assert "Rerun 5 failed items" in html
    assert "and 3 more" in html
    assert html.count("/content") == 3, "two results and the report's own download"
    assert f"/files/?job={job.pk}" in html


def test_attempt_page_names_file_run_and_end(owner: User, lab: Workspace) -> None:
    job = run_all(
        submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner, "x.csv"),)), failing={0: "INPUT"}
    )
    attempt = Attempt.objects.get(job=job, step="convert")
    html = browser(owner).get(f"/attempts/{attempt.pk}/").content.decode()
    assert "convert · <bdi>x.csv</bdi>" in html
    assert "An input cannot be processed" in html
