"""A month's budget: counted from rows, warning or refusing, and never more than one job past its edge."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from threading import Barrier, BrokenBarrierError
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from orchestration.errors import BudgetExceeded
from orchestration.execution.dispatch import dispatch
from orchestration.models import Attempt, File, Job, Workspace
from orchestration.models.budget import standing_of
from orchestration.services import budgets
from orchestration.services.jobs import Request, submit
from orchestration.services.reruns import retry
from tests.api.conftest import ana, door
from tests.cost.test_job_cost import HOUR
from tests.factories import join, make_file, make_user, make_workspace, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import lease, run, submitted

if TYPE_CHECKING:
    from orchestration.cost.table import PriceTable
    from orchestration.models import User
    from orchestration.models.budget import Standing
    from tests.api.door import Visitor

__all__ = ["ana", "door"]  # fixtures
pytestmark = pytest.mark.django_db

ONE_HOUR = """\
pipeline: hourly
version: 1.0.0
title: An hour at most
steps:
  - {name: work, command: [work], timeout: 1h, resources: {vcpu: 2, memory: 8GiB}}
"""
CENTS = Decimal("0.25")
"""Two jobs of an hour at most, and not three."""


def with_budget(lab: Workspace, usd: Decimal = CENTS, mode: str = "block", **fields: object) -> Workspace:
    Workspace.objects.filter(pk=lab.pk).update(budget_usd=usd, budget_mode=mode, **fields)
    lab.refresh_from_db()
    return lab


def hourly(owner: User, lab: Workspace) -> Job:
    return submitted(owner, publish_pipeline(ONE_HOUR), (make_file(lab, owner),))


def standing(lab: Workspace) -> Standing:
    lab.refresh_from_db()
    found = standing_of(lab)
    assert found
    return found


def ended(job: Job, usd: str, *, ago: timedelta = timedelta(0)) -> None:
    Job.objects.filter(pk=job.pk).update(state="SUCCEEDED", cost_usd=Decimal(usd), finished_at=timezone.now() - ago)


def test_job_that_may_cost_more_than_is_left_is_refused_and_the_others_go_on(
    priced: PriceTable, ana: Visitor, owner: User, lab: Workspace
) -> None:
    with_budget(lab)
    first = hourly(owner, lab)
    body = {"pipeline": "hourly", "inputs": [str(make_file(lab, owner).pk)]}
    second = ana("POST", "/jobs", json=body, headers={"Idempotency-Key": "second"})
    third = ana("POST", "/jobs", json=body)

    assert second.status_code == 201
    assert (third.status_code, third.headers["content-type"]) == (403, "application/problem+json")
    problem = third.json()
    assert problem["code"] == "budget_exceeded"
    assert "may spend $0.25" in problem["detail"]
    assert "this job may cost $0.1008" in problem["detail"]
    assert "Ask an administrator to raise the budget" in problem["detail"]
    amounts = {
        name: Decimal(problem["budget"][name]) for name in ("budget_usd", "spent_usd", "expected_usd", "wanted_usd")
    }
    assert amounts == {"budget_usd": CENTS, "spent_usd": 0, "expected_usd": 2 * HOUR, "wanted_usd": HOUR}

    assert ana("POST", "/jobs", json=body, headers={"Idempotency-Key": "second"}).json()["id"] == second.json()["id"]
    dispatch()
    for attempt in lease():
        run(attempt)
    first.refresh_from_db()
    assert first.state == "SUCCEEDED"
    assert ana("POST", "/jobs", json=body).status_code == 201, "what they did not spend is free again"


def test_budget_that_only_warns_refuses_nothing(priced: PriceTable, owner: User, lab: Workspace) -> None:
    with_budget(lab, mode="warn")
    for _ in range(4):
        hourly(owner, lab)

    assert standing(lab).is_used_up


def test_retry_is_refused_as_a_new_job_is(priced: PriceTable, owner: User, lab: Workspace) -> None:
    job = hourly(owner, lab)
    dispatch()
    (attempt,) = lease()
    run(attempt, "failed", failure_kind="INPUT")
    job.refresh_from_db()
    with_budget(lab, Decimal("0.05"))

    with pytest.raises(BudgetExceeded):
        retry(user=owner, job=job)
    job.refresh_from_db()
    assert (job.state, job.run) == ("FAILED", 1), "nothing of it has changed"


def test_job_counts_in_the_month_in_which_it_ended(priced: PriceTable, owner: User, lab: Workspace) -> None:
    with_budget(lab, Decimal(10))
    ended(hourly(owner, lab), "3.5")
    ended(hourly(owner, lab), "4", ago=timedelta(days=32))
    elsewhere = make_workspace("other", budget_usd=10)
    join(owner, elsewhere)
    hourly(owner, lab)

    found = standing(lab)
    assert (found.spent, found.expected, found.left) == (Decimal("3.5"), HOUR, Decimal("6.5") - HOUR)
    assert standing(elsewhere).used == 0


def test_open_job_counts_with_what_it_has_cost_where_that_is_more(
    priced: PriceTable, owner: User, lab: Workspace
) -> None:
    with_budget(lab, Decimal(10))
    hourly(owner, lab)
    dispatch()
    (attempt,) = lease()
    Attempt.objects.filter(pk=attempt.pk).update(cost_usd=Decimal("2.5"))

    assert standing(lab).expected == Decimal("2.5")


def test_budget_of_nothing_lets_nothing_begin(priced: PriceTable, owner: User, lab: Workspace) -> None:
    with_budget(lab, Decimal(0))

    with pytest.raises(BudgetExceeded):
        hourly(owner, lab)


@pytest.mark.django_db(transaction=True)
def test_of_two_that_come_at_once_only_the_one_that_fits_is_taken(
    priced: PriceTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, lab = make_user("ana"), make_workspace("lab", budget_usd=Decimal("0.15"), budget_mode="block")
    join(owner, lab)
    version = publish_pipeline(ONE_HOUR)
    files = [make_file(lab, owner, f"{n}.csv") for n in range(2)]
    both_have_counted = Barrier(2)

    def slow(workspace: Workspace) -> Standing | None:
        found = standing_of(workspace)
        with suppress(BrokenBarrierError):  # whoever is alone here goes on
            both_have_counted.wait(2)
        return found

    def one(file: File) -> bool:
        try:
            submit(user=owner, request=Request(version.pipeline.name, (file.pk,), {}))
        except BudgetExceeded:
            return False
        else:
            return True
        finally:
            connection.close()

    monkeypatch.setattr(budgets, "standing_of", slow)
    with ThreadPoolExecutor(2) as threads:
        taken = list(threads.map(one, files))
    assert sorted(taken) == [False, True]
    assert Job.objects.count() == 1


def test_usage_tells_the_budget(priced: PriceTable, ana: Visitor, owner: User, lab: Workspace) -> None:
    assert ana.json("GET", "/workspaces/lab/usage")["budget"] is None
    assert "This workspace has none" in browser(owner).get("/files/usage/").content.decode()
    with_budget(lab, Decimal("0.12"), budget_warn_percent=50)
    hourly(owner, lab)

    said = ana.json("GET", "/workspaces/lab/usage")["budget"]
    assert (said["budget_usd"], said["mode"], said["warn_percent"]) == ("0.12", "block", 50)
    assert Decimal(said["expected_usd"]) == HOUR
    assert Decimal(said["left_usd"]) == Decimal("0.0192")
    html = browser(owner).get("/files/usage/").content.decode()
    assert "84 % of the budget is used." in html
    assert "When all of it is, new jobs are refused." in html

    with_budget(lab, Decimal("0.10"))
    html = browser(owner).get("/files/usage/").content.decode()
    assert "The budget is used up." in html
    assert "Jobs under way go on." in html


def test_budget_without_prices_says_that_nothing_counts(owner: User, lab: Workspace) -> None:
    with_budget(lab)
    for _ in range(3):
        hourly(owner, lab)

    assert "no table of prices, so nothing counts" in browser(owner).get("/files/usage/").content.decode()


def test_page_of_a_new_job_says_why_it_is_refused(priced: PriceTable, owner: User, lab: Workspace) -> None:
    with_budget(lab, Decimal("0.05"))
    publish_pipeline(ONE_HOUR)
    file = make_file(lab, owner)
    answer = browser(owner).post(
        "/jobs/new/", {"pipeline": "hourly@1.0.0", "shown": "hourly@1.0.0", "files": str(file.pk)}
    )

    assert "may spend $0.05" in answer.content.decode()
    assert Job.objects.count() == 0


def test_administrator_sets_a_budget(lab: Workspace) -> None:
    boss = make_user("boss", is_staff=True, is_superuser=True)
    client = browser(boss)
    address = f"/admin/orchestration/workspace/{lab.pk}/change/"
    form = {
        "slug": "lab",
        "name": "Lab",
        "max_active_jobs": 5,
        "upload_retention_days": 365,
        "result_retention_days": 1826,
        "budget_usd": "12.50",
        "budget_warn_percent": 70,
        "budget_mode": "block",
        "memberships-TOTAL_FORMS": 0,
        "memberships-INITIAL_FORMS": 0,
    }
    assert client.post(address, form).status_code == 302
    lab.refresh_from_db()
    assert (lab.budget_usd, lab.budget_warn_percent, lab.budget_mode) == (Decimal("12.50"), 70, "block")
    assert client.post(address, form | {"budget_warn_percent": 170}).status_code == 200
