"""Logs go when the outputs of their job have gone; jobs stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from orchestration.execution.old_logs import STORAGE, expire_logs
from orchestration.models import Attempt, Event, File, Item, Job, User, Workspace
from orchestration.services.logs import read_log
from orchestration.storage.registry import get_storage
from tests.factories import NOOP, make_file, make_job, publish_pipeline

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.models import PipelineVersion

pytestmark = pytest.mark.django_db

LOG = b"hello\n"
TERM = 1_826


def job_with_log(owner: User, lab: Workspace, days: int, version: PipelineVersion | None = None, **of: Any) -> Attempt:
    """A job that ended so many days ago, and its one attempt."""
    ended = timezone.now() - timedelta(days=days)
    fields: dict[str, Any] = {"state": "SUCCEEDED", "finished_at": ended} | of
    job = make_job(owner, lab, version, **fields)
    item = Item.objects.get(step_run__job=job)
    state = {"state": "SUCCEEDED", "finished_at": ended} if job.is_finished else {}
    attempt = Attempt.objects.create(job=job, item=item, step="nothing", run=1, number=1, log_size=len(LOG), **state)
    get_storage(STORAGE).append(attempt.log_key, 0, LOG)
    return attempt


def has_log(attempt: Attempt) -> bool:
    return read_log(attempt=attempt).data == LOG


def test_logs_go_with_the_term_of_results_and_the_job_stays(owner: User, lab: Workspace) -> None:
    old, young = job_with_log(owner, lab, TERM), job_with_log(owner, lab, TERM - 1)
    assert expire_logs() == 1
    assert (has_log(old), has_log(young)) == (False, True)
    event = Event.objects.get(job_id=old.job_id)
    assert (event.reason, event.data) == ("logs deleted", {"logs": 1, "bytes": len(LOG)})
    assert Job.objects.get(pk=old.job_id).state == "SUCCEEDED"
    assert Attempt.objects.get(pk=old.pk).log_size == 0
    assert expire_logs() == 0, "once is enough"


def test_term_is_the_workspace_s_or_the_pipeline_s(owner: User, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(result_retention_days=10)
    longer = publish_pipeline(NOOP.format(name="longer") + "results: {retention: 20d}\n")
    attempts = [
        job_with_log(owner, lab, 15),
        job_with_log(owner, lab, 15, longer),
        job_with_log(owner, lab, 20, longer),
    ]
    expire_logs()
    assert [has_log(attempt) for attempt in attempts] == [False, True, False]


@pytest.mark.parametrize("deleted_at", [None, timezone.now()], ids=["kept", "deleted"])
def test_output_whose_bytes_are_there_keeps_the_logs(owner: User, lab: Workspace, deleted_at: datetime | None) -> None:
    attempt = job_with_log(owner, lab, TERM + 100)
    output = make_file(lab, owner, kind="result", job=attempt.job, step="nothing", item_index=0, deleted_at=deleted_at)
    expire_logs()
    assert has_log(attempt)
    File.objects.filter(pk=output.pk).update(deleted_at=timezone.now(), purged_at=timezone.now())
    expire_logs()
    assert not has_log(attempt)


def test_job_that_runs_again_keeps_its_logs(owner: User, lab: Workspace) -> None:
    attempt = job_with_log(owner, lab, TERM + 100, state="RUNNING", finished_at=None)
    assert expire_logs() == 0
    assert has_log(attempt)


def test_one_job_s_trouble_is_not_the_others_and_is_tried_again(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = job_with_log(owner, lab, TERM + 2), job_with_log(owner, lab, TERM + 1)
    delete = get_storage(STORAGE).delete

    def stubborn(key: str) -> None:
        if key == first.log_key:
            raise PermissionError(key)
        delete(key)

    with monkeypatch.context() as patch:
        patch.setattr(get_storage(STORAGE), "delete", stubborn)
        assert expire_logs() == 1
    assert (has_log(first), has_log(second)) == (True, False)
    assert expire_logs() == 1
    assert not has_log(first)
