"""The timeline, the graph of steps and the grid of items on a job's page."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from frontend_app.step_graph import graph_of
from frontend_app.timeline import COLUMNS, Span, crowd_lane
from frontend_app.views import job_items
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, Item, Job, StepRun
from orchestration.services import runner
from orchestration.services.reruns import retry
from orchestration.services.status import job_status
from orchestration.spec.parse import parse_pipeline
from project.management.demo_rows import SURVEY, survey
from tests.factories import make_file, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import TWO_STEPS, end, holder, lease, run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def page(user: User, job: Job, more: str = "") -> str:
    return browser(user).get(f"/jobs/{job.pk}/{more}").content.decode()


def timeline(html: str) -> str:
    return html.split('id="job-timeline"')[1].split('<ul class="legend', maxsplit=1)[0]


def three_files(owner: User, lab: Workspace) -> Job:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(3))
    return submitted(owner, publish_pipeline(TWO_STEPS), files)


def test_interruption_and_the_next_try_stand_on_one_lane(owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner, "<i>.csv"),))
    dispatch()
    (first,) = lease()
    runner.begin(holder=holder(first))
    end(first, "failed", failure_kind="INTERRUPTED", detail="Host EC2 terminated.")
    Attempt.objects.filter(job=job, state="QUEUED").update(available_at=first.available_at)
    run_all(job)
    html = timeline(page(owner, job))
    lane = html.split("<bdi>&lt;i&gt;.csv</bdi>")[1].split("</li>")[0]
    assert re.findall(r'data-kind="(\w+)"', lane) == ["wait", "INTERRUPTED", "wait", "SUCCEEDED"]
    assert "try 1 · Interrupted" in lane
    assert "Host EC2 terminated." in lane
    assert lane.count("data-log-open=") == 2, "each try leads to its log"


def test_bars_keep_to_the_width_and_the_order_of_time() -> None:
    begin = timezone.now()
    span = Span(begin, begin + timedelta(seconds=90))
    assert span.bar(begin, begin + timedelta(seconds=45), "wait", "").width == "50.00"
    late = span.bar(begin + timedelta(seconds=80), begin + timedelta(seconds=200), "wait", "")
    assert float(late.x) + float(late.width) == pytest.approx(100, abs=0.02)
    assert span.ticks()[:2] == [("16.67", "+15 s"), ("33.33", "+30 s")]
    assert Span(begin, begin).ticks() == []
    assert len(Span(begin, begin + timedelta(days=300)).ticks()) <= 6


def test_crowd_is_drawn_from_how_many_began_and_ended() -> None:
    lane = crowd_lane("Measure", "9 items", {0: 4, 60: 5}, {59: 4, 60: 5})
    assert "at most 5 at a time" in lane.sub
    assert lane.area.startswith("M0 1 V0.200 H1 V0.200")
    assert lane.area.endswith(f"H{COLUMNS} V1 Z")


def test_each_run_has_its_own_timeline(owner: User, lab: Workspace) -> None:
    job = run_all(three_files(owner, lab), failing={0: "INPUT", 1: "INPUT"})
    assert job.state == "FAILED"
    job = run_all(retry(user=owner, job=job))
    assert job.state == "SUCCEEDED"
    last, first = timeline(page(owner, job)), timeline(page(owner, job, "?run=1"))
    assert "2.csv" not in last, "what succeeded in run 1 was not tried again"
    assert "2.csv" in first
    assert 'data-kind="FAILED"' in first
    assert 'data-kind="FAILED"' not in last
    for wrong in ("?run=9", "?run=x", "?run=-1", "?run=0"):
        assert timeline(page(owner, job, wrong)) == last


def test_running_job_s_timeline_grows(owner: User, lab: Workspace) -> None:
    job = three_files(owner, lab)
    assert "data-growing" in timeline(page(owner, job))
    assert "data-growing" not in timeline(page(owner, run_all(job)))


def test_every_step_stands_right_of_what_it_needs(owner: User, lab: Workspace) -> None:
    job = survey(owner, lab, make_file(lab, owner), items=3)
    graph = graph_of(parse_pipeline(SURVEY, file="x"), job_status(job).steps)
    at = {node.step.name: (node.x, node.y) for node in graph.nodes}
    assert at["fetch"][0] < at["measure"][0] == at["weather"][0] < at["join"][0] < at["report"][0]
    assert at["measure"][1] != at["weather"][1]
    assert len(graph.edges) == 5
    html = page(owner, job)
    assert html.count("<foreignObject") == 5
    assert 'class="two has-graph"' in html


def test_step_alone_needs_no_graph(owner: User, lab: Workspace) -> None:
    html = page(owner, submitted(owner, files=(make_file(lab, owner),)))
    assert "<foreignObject" not in html
    assert "has-graph" not in html
    assert "data-cells" not in html


def test_grid_has_a_letter_for_each_item_and_counts_them(owner: User, lab: Workspace) -> None:
    job = run_all(three_files(owner, lab), failing={1: "INPUT"})
    html = page(owner, job)
    assert 'data-cells="S1F1S1" data-step="convert"' in html
    assert re.search(r'data-only="F" data-state="FAILED" aria-pressed="false">Failed <span class="num">1<', html)
    assert 'name="item" value="convert:"' in html, "all failed ones of the step"


def test_failed_items_of_one_step_are_rerun_together(owner: User, lab: Workspace) -> None:
    job = run_all(three_files(owner, lab), failing={0: "INPUT", 1: "INPUT"})
    browser(owner).post(f"/jobs/{job.pk}/rerun/", {"item": "convert:"})
    job.refresh_from_db()
    assert job.run == 2
    assert Item.objects.filter(step_run__job=job, step_run__name="convert", state="WAITING").count() == 2


def test_item_says_what_happened_and_can_be_run_again_by_those_who_may(
    owner: User, viewer: User, stranger: User, lab: Workspace
) -> None:
    job = run_all(three_files(owner, lab), failing={1: "INPUT"})
    at = f"/jobs/{job.pk}/items/convert/1/"
    html = browser(owner).get(at).content.decode()
    assert "<bdi>1.csv</bdi>" in html
    assert "item 1 is broken" in html
    assert "data-log-open=" in html
    assert 'value="convert:1"' in html
    assert 'value="convert:1"' not in browser(viewer).get(at).content.decode()
    assert 'value="convert:0"' not in browser(owner).get(at.replace("/1/", "/0/")).content.decode()
    assert browser(stranger).get(at).status_code == 404
    assert browser(owner).get(at.replace("/1/", "/9/")).status_code == 404
    assert browser(owner).get(at.replace("/1/", "/99999999999/")).status_code == 404
    assert browser().get(at).status_code == 302


def test_ten_thousand_items_cost_no_more_queries_and_few_bytes(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    small, big = survey(owner, lab, file, items=300), survey(owner, lab, file, items=10_000)
    client = browser(owner)
    client.get(f"/jobs/{small.pk}/live/")
    with CaptureQueriesContext(connection) as few:
        client.get(f"/jobs/{small.pk}/live/")
    with CaptureQueriesContext(connection) as many:
        html = client.get(f"/jobs/{big.pk}/live/").content
    assert len(many) == len(few)
    assert len(html) < 160_000
    grid = html.split(b'id="job-items"')[1].split(b'id="job-failures"')[0]
    assert len(grid) < 4_000


def test_worst_grid_is_bounded(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_items, "MOST_CELLS", 2)
    monkeypatch.setattr(job_items.CELLS, "_plans", {})  # the bound is written into them
    job = run_all(three_files(owner, lab), failing={1: "INPUT"})
    html = page(owner, job)
    assert 'data-cells="S1F1"' in html
    assert "The first 2 of 3 are drawn" in html
    assert StepRun.objects.get(job=job, name="convert").items_total == 3
