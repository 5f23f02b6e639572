from __future__ import annotations

import pytest

from orchestration.models import Item, Job, User, Workspace
from tests.factories import make_file, make_job, publish_pipeline
from tests.frontend.ask import browser
from tests.orchestration.play import TWO_STEPS, run_all, submitted

pytestmark = pytest.mark.django_db


def act(user: User, job: Job, what: str, **form: str) -> str:
    """The page that follows."""
    html = browser(user).post(f"/jobs/{job.pk}/{what}/", form, follow=True).content.decode()
    job.refresh_from_db()
    return html


def failed_twice(owner: User, lab: Workspace) -> Job:
    files = tuple(make_file(lab, owner, f"{n}.csv") for n in range(4))
    job = submitted(owner, publish_pipeline(TWO_STEPS), files)
    return run_all(job, failing={1: "INPUT", 3: "INPUT"})


def test_cancel_goes_through_the_service(owner: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    assert "The cancel is noted" in act(owner, job, "cancel")
    assert job.state == "CANCELED"


def test_teammate_may_cancel_too(owner: User, teammate: User, lab: Workspace) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    act(teammate, job, "cancel")
    assert job.state == "CANCELED"


def test_finished_job_cannot_be_canceled(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="SUCCEEDED")
    assert "The job has already finished" in act(owner, job, "cancel")
    assert job.cancel_requested_at is None


def test_retry_adds_a_run(owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, publish_pipeline(TWO_STEPS), (make_file(lab, owner),)), failing={0: "INPUT"})
    assert job.state == "FAILED"
    assert "What succeeded is kept" in act(owner, job, "retry")
    assert (job.state, job.run) == ("WAITING", 2)


def test_success_offers_no_retry_and_refuses_one(owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)))
    assert job.state == "SUCCEEDED"
    html = act(owner, job, "retry")
    assert "nothing to run again" in html
    assert "do-retry" not in html


def test_all_failed_items_run_again(owner: User, lab: Workspace) -> None:
    job = failed_twice(owner, lab)
    act(owner, job, "rerun")
    waiting = Item.objects.filter(step_run__job=job, step_run__name="convert", state="WAITING")
    assert sorted(waiting.values_list("index", flat=True)) == [1, 3]


def test_one_failed_item_runs_again(owner: User, lab: Workspace) -> None:
    job = failed_twice(owner, lab)
    act(owner, job, "rerun", item="convert:3")
    waiting = Item.objects.filter(step_run__job=job, step_run__name="convert", state="WAITING")
    assert list(waiting.values_list("index", flat=True)) == [3]


def test_item_that_did_not_fail_is_refused(owner: User, lab: Workspace) -> None:
    job = failed_twice(owner, lab)
    assert "nothing to run again" in act(owner, job, "rerun", item="convert:0")
    assert job.run == 1
