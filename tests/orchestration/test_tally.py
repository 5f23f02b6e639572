"""Jobs by the hour: each event is counted once, whoever dies over it and whoever counts beside."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from orchestration.execution import event_gaps, readings, tally
from orchestration.execution.tally import count
from orchestration.models import Attempt, JobTally, Reading, TallyBookmark
from orchestration.services.jobs import cancel
from orchestration.services.reruns import retry
from tests.factories import make_file
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db


def counted() -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in JobTally.objects.all():
        key = (row.outcome, row.failure_kind)
        found[key] = found.get(key, 0) + row.number
    return found


def test_submissions_and_ends_are_counted_once(owner: User, lab: Workspace) -> None:
    run_all(submitted(owner, files=(make_file(lab, owner),)))
    failed = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    cancel(user=owner, job=submitted(owner, files=(make_file(lab, owner),)))
    expected = {
        ("SUBMITTED", ""): 3, ("SUCCEEDED", ""): 1, ("FAILED", "INPUT"): 1, ("CANCELED", ""): 1, ("ATTEMPTS", ""): 2,
    }  # fmt: skip
    assert count() > 0
    assert counted() == expected
    assert count() == 0
    assert counted() == expected
    row = JobTally.objects.get(outcome="FAILED")
    assert (row.workspace_id, row.pipeline_id) == (lab.pk, failed.pipeline_version.pipeline_id)


def test_cost_of_a_job_that_is_retried_is_counted_once(owner: User, lab: Workspace) -> None:
    job = run_all(submitted(owner, files=(make_file(lab, owner),)), failing={0: "INPUT"})
    Attempt.objects.update(cost_usd=Decimal("0.25"))
    count()
    run_all(retry(user=owner, job=job))
    Attempt.objects.filter(cost_usd=None).update(cost_usd=Decimal("0.5"))
    count()
    assert sum(row.usd for row in JobTally.objects.all()) == Decimal("0.75")


def test_whoever_counts_beside_counts_nothing_twice(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another has moved the bookmark between the look at it and the count."""
    submitted(owner, files=(make_file(lab, owner),))
    real = event_gaps.decided

    def meanwhile(done: int, ids: list[int]) -> int:
        through = real(done, ids)
        monkeypatch.setattr(tally, "decided", real)
        count()
        return through

    monkeypatch.setattr(tally, "decided", meanwhile)
    count()
    assert counted() == {("SUBMITTED", ""): 1}


def test_what_breaks_leaves_the_bookmark_where_it_was(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted(owner, files=(make_file(lab, owner),))
    monkeypatch.setattr(tally, "_COUNT", "SELECT 1 / 0 -- %(done)s")
    with pytest.raises(Exception, match="division by zero"):
        count()
    assert TallyBookmark.objects.get().event_id == 0


def test_readings_say_what_lies_where_and_how_full_workspaces_are(owner: User, lab: Workspace) -> None:
    make_file(lab, owner, data=b"12345678")
    type(lab).objects.filter(pk=lab.pk).update(quota_bytes=80)
    readings.read_all()
    (storage,) = Reading.objects.get(name="storage").value
    assert storage.pop("unread_since")
    assert storage == {"storage": "uploads", "files": 1, "bytes": 8, "bad": 0}
    assert Reading.objects.get(name="quotas").value == [{"workspace": "lab", "used": 8, "quota": 80}]
