"""Objects without a row go after a day; whatever somebody still needs stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.utils import timezone

from orchestration.execution.dispatch import dispatch
from orchestration.execution.orphans import sweep_storage
from orchestration.execution.outputs import output_key
from orchestration.ids import new_id
from orchestration.models import Upload, User, Workspace
from orchestration.services.files import delete_file
from orchestration.services.jobs import cancel
from orchestration.storage.registry import get_storage
from tests.factories import make_file
from tests.orchestration.play import lease, submitted

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.django_db


def put(alias: str, key: str) -> str:
    incoming = get_storage(alias).receive(key)
    incoming.write(b"x")
    incoming.commit()
    return key


def is_stored(alias: str, key: str) -> bool:
    return get_storage(alias).size(key) is not None


@pytest.fixture
def two_days_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    def sweep() -> int:
        now = time.time()
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda: now + 2 * 86_400)
            return sweep_storage()

    return sweep


def a_key(lab: Workspace) -> str:
    return f"{lab.pk}/aa/{new_id()}"


def test_object_without_a_row_goes_after_a_day(lab: Workspace, two_days_on: Callable[[], int]) -> None:
    keys = [(alias, put(alias, a_key(lab))) for alias in ("uploads", "results")]
    sweep_storage()
    assert all(is_stored(*key) for key in keys), "nothing is old yet"
    assert two_days_on() >= 2
    assert not any(is_stored(*key) for key in keys)


def test_deleted_file_keeps_its_bytes_until_it_is_purged(
    owner: User, lab: Workspace, two_days_on: Callable[[], int]
) -> None:
    kept, deleted, purged = (make_file(lab, owner, name) for name in ("kept", "deleted", "purged"))
    delete_file(user=owner, file=deleted)
    gone = {"deleted_at": timezone.now(), "purged_at": timezone.now()}
    type(purged).objects.filter(pk=purged.pk).update(**gone)
    two_days_on()
    assert [is_stored("uploads", f.key) for f in (kept, deleted, purged)] == [True, True, False]


@pytest.mark.parametrize(("state", "stays"), [("open", True), ("completing", True), ("aborted", False)])
def test_object_of_an_upload_under_way_stays(
    owner: User, lab: Workspace, two_days_on: Callable[[], int], state: str, *, stays: bool
) -> None:
    key, later = put("uploads", a_key(lab)), timezone.now() + timedelta(days=1)
    Upload.objects.create(workspace=lab, created_by=owner, name="x", state=state, key=key, expires_at=later)
    two_days_on()
    assert is_stored("uploads", key) == stays


def test_parts_on_their_way_are_not_this_sweep_s(lab: Workspace, two_days_on: Callable[[], int]) -> None:
    storage = get_storage("uploads")
    incoming = storage.receive(a_key(lab))
    incoming.write(b"x")
    two_days_on()
    incoming.commit()  # raises if its part is gone
    incoming.discard()


def test_output_of_an_attempt_that_has_not_ended_stays(
    owner: User, lab: Workspace, two_days_on: Callable[[], int]
) -> None:
    job = submitted(owner, files=(make_file(lab, owner),))
    dispatch()
    (attempt,) = lease()
    key = put("results", output_key(attempt, 0))
    two_days_on()
    assert is_stored("results", key)
    type(attempt).objects.filter(pk=attempt.pk).update(state="FAILED", finished_at=timezone.now())
    two_days_on()
    assert not is_stored("results", key)
    cancel(user=owner, job=job)


def test_piece_that_a_cut_off_hand_over_left_goes_whatever_time_its_step_gave_it(
    lab: Workspace, two_days_on: Callable[[], int]
) -> None:
    key = put("results", f"{lab.pk}/{new_id()}/1-0")
    whole = Path(settings.STORAGES["results"]["OPTIONS"]["location"]) / key
    left = whole.rename(whole.with_name("1-0.part-4242"))
    # The time of the bytes is not the time when they came to lie here.
    os.utime(left, (0, 0))
    sweep_storage()
    assert left.exists()
    two_days_on()
    assert not left.exists()


def test_same_key_in_another_storage_proves_nothing(
    owner: User, lab: Workspace, two_days_on: Callable[[], int]
) -> None:
    file = make_file(lab, owner)
    put("results", file.key)
    two_days_on()
    assert (is_stored("uploads", file.key), is_stored("results", file.key)) == (True, False)
