"""What a job was estimated at and has cost: on its rows, on its page and in the API's answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from orchestration.cost.compute import cost
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File
from orchestration.services import runner
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from orchestration.spec.model import Resources
from tests.api.conftest import ana, door
from tests.factories import make_file, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.clock import Clock, clock
from tests.orchestration.play import end, holder, lease, run, submitted

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.cost.table import PriceTable
    from orchestration.models import PipelineVersion, User, Workspace
    from tests.api.door import Visitor

__all__ = ["ana", "clock", "door"]  # fixtures
pytestmark = pytest.mark.django_db

SPOT = """\
pipeline: spotty
version: 1.0.0
title: First on spot
steps:
  - name: work
    command: [work]
    timeout: 1h
    resources: {vcpu: 2, memory: 8GiB}
    retry: {attempts: 3, on: [interrupted], backoff: 1s}
    spot: {attempts: 1, then: on_demand}
"""
FANS = """\
pipeline: fans
version: 1.0.0
title: Fan out
steps:
  - {name: each, command: [each], for_each: input, timeout: 1h, resources: {vcpu: 2, memory: 8GiB}}
  - {name: all, needs: [each], command: [all], timeout: 2h, resources: {vcpu: 2, memory: 8GiB}}
"""
HOUR = Decimal("0.1008")
GPU = SPOT.replace("spotty", "gpus").replace("memory: 8GiB", "memory: 8GiB, gpu: 1")


@pytest.fixture
def version() -> PipelineVersion:
    return publish_pipeline(SPOT)


def worked(clock: Clock, seconds: float, outcome: str = "succeeded", **said: str) -> Attempt:
    """One attempt, from its lease to its end."""
    Attempt.objects.filter(state="QUEUED").update(available_at=clock.now() - timedelta(seconds=1))
    (attempt,) = lease(2)  # processors: room for one
    runner.begin(holder=holder(attempt))
    began = timezone.now()
    clock.set(clock.now() - began + timedelta(seconds=seconds))
    end(attempt, outcome, **said)
    attempt.refresh_from_db()
    return attempt


def test_try_costs_its_share_of_a_machine_for_the_time_it_ran(
    priced: PriceTable, clock: Clock, owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    job = submitted(owner, version, (make_file(lab, owner),))
    dispatch()
    lost = worked(clock, 1800, "failed", failure_kind="INTERRUPTED")
    done = worked(clock, 3600)
    job.refresh_from_db()

    assert lost.started_at
    assert done.started_at
    for attempt, spot in ((lost, True), (done, False)):
        assert attempt.finished_at
        assert attempt.started_at
        seconds = Decimal(str((attempt.finished_at - attempt.started_at).total_seconds()))
        assert attempt.cost_usd == cost(priced, Resources(2, 8 << 30), seconds, spot=spot), "the first was on spot"
        assert attempt.priced_by == priced.label
    assert lost.cost_usd
    assert done.cost_usd
    assert abs(lost.cost_usd - HOUR / 2 * Decimal("0.35")) < Decimal("0.001")
    assert abs(done.cost_usd - HOUR) < Decimal("0.001")
    assert job.cost_usd == lost.cost_usd + done.cost_usd


def test_attempt_that_never_began_cost_nothing(priced: PriceTable, owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(SPOT), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.finish(holder=holder(attempt), outcome="failed", outputs=[], failure_kind="PLATFORM")
    attempt.refresh_from_db()
    job.refresh_from_db()

    assert attempt.started_at is None
    assert (attempt.cost_usd, job.cost_usd) == (Decimal(0), Decimal(0))


def test_estimate_is_by_timeouts_until_the_version_has_run(
    priced: PriceTable, clock: Clock, owner: User, lab: Workspace
) -> None:
    version = publish_pipeline(FANS)
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(3))
    first = submitted(owner, version, files)
    assert (first.estimate_usd, first.estimate_basis) == (5 * HOUR, "timeouts")

    dispatch()
    for seconds in (36, 36, 36, 360):
        worked(clock, seconds)
    second = submitted(owner, version, files)
    second.refresh_from_db()
    assert second.estimate_basis == "measured"
    assert second.estimate_usd
    assert abs(second.estimate_usd - HOUR * (3 * 36 + 360) / 3600) < Decimal("0.001")


def test_retry_expects_what_was_spent_and_what_is_to_be_run_again(
    priced: PriceTable, clock: Clock, owner: User, lab: Workspace
) -> None:
    version = publish_pipeline(FANS)
    job = submitted(owner, version, tuple(make_file(lab, owner, f"{n}.csv") for n in range(3)))
    dispatch()
    for outcome in ("succeeded", "failed", "failed"):
        worked(clock, 36, outcome, **({"failure_kind": "INPUT"} if outcome == "failed" else {}))
    job.refresh_from_db()
    assert job.state == "FAILED"
    spent = job.cost_usd
    assert spent

    retry(user=owner, job=job)
    job.refresh_from_db()
    assert job.estimate_usd == spent + 2 * HOUR + 2 * HOUR, "two items of the first step, and the second for two hours"
    assert job.estimate_basis == "timeouts"


def test_canceled_job_has_cost_what_it_ran(
    priced: PriceTable, clock: Clock, owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    job = submitted(owner, version, (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    runner.begin(holder=holder(attempt))
    cancel(user=owner, job=job)
    clock.set(timedelta(seconds=100))
    end(attempt, "canceled")
    job.refresh_from_db()
    attempt.refresh_from_db()

    assert job.state == "CANCELED"
    assert job.cost_usd == attempt.cost_usd != 0


def test_try_that_was_canceled_in_the_queue_is_not_without_a_price(
    priced: PriceTable, ana: Visitor, owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    job = submitted(owner, version, (make_file(lab, owner),))
    dispatch()
    cancel(user=owner, job=job)

    assert Attempt.objects.get(job=job).state == "CANCELED"
    cost = ana.json("GET", f"/jobs/{job.pk}")["cost"]
    assert (cost["actual_usd"], cost["unpriced_attempts"]) == (None, 0)


def test_page_and_api_tell_estimate_and_actual_cost(
    priced: PriceTable, clock: Clock, ana: Visitor, owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    made = ana.json("POST", "/jobs", 201, json={"pipeline": "spotty", "inputs": [str(make_file(lab, owner).pk)]})
    said = {"estimate_usd": "0.03528", "estimate_basis": "timeouts", "actual_usd": None, "unpriced_attempts": 0}
    assert made["cost"] == said | {"keeping_usd": None, "prices": priced.label}
    assert ana.json("GET", f"/jobs/{made['id']}")["cost"] == made["cost"]
    html = browser(owner).get(f"/jobs/{made['id']}/").content.decode()
    assert "nothing has ended yet" in html
    assert "at most, if every item took until its time-out" in html

    dispatch()
    attempt = worked(clock, 3600)
    cost = ana.json("GET", f"/jobs/{made['id']}")["cost"]
    assert attempt.cost_usd
    assert Decimal(cost["actual_usd"]) == attempt.cost_usd
    (listed,) = ana.json("GET", f"/jobs/{made['id']}/attempts")["items"]
    assert Decimal(listed["cost_usd"]) == attempt.cost_usd
    html = browser(owner).get(f"/jobs/{made['id']}/").content.decode()
    assert "<b>$0.0353</b>" in html
    assert priced.label in html


def test_keeping_results_in_a_bucket_is_told_until_they_expire(
    priced: PriceTable, settings: Settings, ana: Visitor, owner: User, lab: Workspace, version: PipelineVersion
) -> None:
    settings.USES_BUCKETS = True
    job = submitted(owner, version, (make_file(lab, owner),))
    for name, deleted in (("kept.bin", None), ("gone.bin", "2026-01-01T00:00Z")):
        file = make_file(lab, owner, name, kind="result", job=job, step="work", item_index=0, deleted_at=deleted)
        File.objects.filter(pk=file.pk).update(size=10**12, expires_at=file.created_at + timedelta(days=15))

    cost = ana.json("GET", f"/jobs/{job.pk}")["cost"]
    assert Decimal(cost["keeping_usd"]).quantize(Decimal("0.01")) == Decimal("11.34")
    assert "until they expire" in browser(owner).get(f"/jobs/{job.pk}/").content.decode()


def test_without_a_table_of_prices_nothing_is_said_to_cost_nothing(ana: Visitor, owner: User, lab: Workspace) -> None:
    job = submitted(owner, publish_pipeline(SPOT), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    run(attempt)
    job.refresh_from_db()

    assert job.state == "SUCCEEDED"
    assert (job.estimate_usd, job.cost_usd) == (None, None)
    assert ana.json("GET", f"/jobs/{job.pk}")["cost"] is None
    html = browser(owner).get(f"/jobs/{job.pk}/").content.decode()
    assert "Not priced: this server has no table of prices." in html
    assert "$0" not in html


def test_attempt_of_what_has_no_price_is_counted_and_not_free(
    priced: PriceTable, settings: Settings, ana: Visitor, owner: User, lab: Workspace
) -> None:
    settings.PRICES = replace(priced, prices={k: v for k, v in priced.prices.items() if k != "gpu_hour"})
    job = submitted(owner, publish_pipeline(GPU), (make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    run(attempt)

    cost = ana.json("GET", f"/jobs/{job.pk}")["cost"]
    assert (cost["estimate_usd"], cost["actual_usd"], cost["unpriced_attempts"]) == (None, None, 1)
    html = browser(owner).get(f"/jobs/{job.pk}/").content.decode()
    assert html.count("not priced") == 2
