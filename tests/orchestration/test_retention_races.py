"""Sweeps beside people who submit, retry and delete in the same moment."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from orchestration.errors import OrchestrationError
from orchestration.execution import retention
from orchestration.execution.retention import expire_files
from orchestration.models import File, Job, JobInput
from orchestration.services.files import delete_file
from orchestration.services.reruns import retry
from tests.factories import make_file, make_job, publish_pipeline
from tests.orchestration.play import TWO_STEPS, submitted
from tests.orchestration.test_healing import at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def is_there(file: File) -> bool:
    return File.objects.get(pk=file.pk).deleted_at is None


def quietly(refused: list[str], work: Callable[[], Any]) -> Callable[[], None]:
    def run() -> None:
        try:
            work()
        except OrchestrationError as exc:
            refused.append(str(exc))

    return run


def test_submit_and_expiry_at_once_never_leave_a_job_on_a_deleted_file(owner: User, lab: Workspace) -> None:
    version = publish_pipeline()
    for n in range(12):
        file = make_file(lab, owner, expires_at=timezone.now())
        send = quietly([], partial(submitted, owner, version, (file,)))
        at_once(*([send, expire_files] if n % 2 else [expire_files, send]))
        used = JobInput.objects.filter(file=file).exists()
        assert not (used and not is_there(file))


def test_file_that_somebody_has_in_hand_is_left_for_the_next_round(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, expires_at=timezone.now())
    found: list[int] = []
    with transaction.atomic():
        File.objects.select_for_update().get(pk=file.pk)
        at_once(lambda: found.append(expire_files()))
    assert found == [0]
    assert expire_files() == 1


def test_job_that_was_submitted_before_the_lock_is_seen_under_it(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, free = (make_file(lab, owner, expires_at=timezone.now()) for _ in range(2))
    submitted(owner, files=(used,))
    # As a query that began before the job was there finds them.
    monkeypatch.setattr(retention, "_lock", lambda _: [used.pk, free.pk])
    assert expire_files() == 1
    assert (is_there(used), is_there(free)) == (True, False)


@pytest.mark.parametrize("which", ["input", "output"])
def test_retry_and_deletion_at_once_never_leave_a_job_on_a_deleted_file(
    owner: User, lab: Workspace, which: str
) -> None:
    version = publish_pipeline(TWO_STEPS)
    for n in range(12):
        given = make_file(lab, owner)
        job = make_job(owner, lab, version, [given], state="FAILED")
        job.steps.filter(name="convert").update(state="SUCCEEDED", finished_at=timezone.now())
        made = make_file(lab, owner, kind="result", job=job, step="convert", item_index=0)
        file = given if which == "input" else made
        refused: list[str] = []
        works = [
            quietly(refused, partial(retry, user=owner, job=job)),
            quietly(refused, partial(delete_file, user=owner, file=file)),
        ]
        at_once(*(works if n % 2 else works[::-1]))
        runs = not Job.objects.get(pk=job.pk).is_finished
        assert runs == is_there(file)
        assert len(refused) == 1


def test_deletion_waits_for_a_retry_under_way_and_is_then_refused(owner: User, lab: Workspace) -> None:
    given = make_file(lab, owner)
    job = make_job(owner, lab, publish_pipeline(TWO_STEPS), [given], state="FAILED")
    in_retry, refused = threading.Event(), list[str]()

    def delete() -> None:
        in_retry.wait(5)
        quietly(refused, partial(delete_file, user=owner, file=given))()

    def rerun() -> None:
        with transaction.atomic():
            # A service's transaction must be the outermost; here one around it shows what happens before its commit.
            block: Any = connection.atomic_blocks[-1]
            block._from_testcase = True
            retry(user=owner, job=job)
            in_retry.set()
            threading.Event().wait(0.3)

    at_once(rerun, delete)
    assert is_there(given)
    assert len(refused) == 1
