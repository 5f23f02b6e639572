"""Stored bytes are read again by the clock; damage is found, said, kept from everybody, and mended where it can be."""

from __future__ import annotations

import errno
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from orchestration.errors import Conflict, StorageUnavailable
from orchestration.execution import scrub as scrubbing
from orchestration.execution.dedup import share_content
from orchestration.execution.leader import leading
from orchestration.execution.scrub import scrub
from orchestration.models import File, FileEvent
from orchestration.services.files import why_not_readable
from orchestration.services.quarantine import release_from_quarantine
from orchestration.states import ScanState
from orchestration.storage.local import LocalStorage
from orchestration.storage.registry import get_storage
from project.celery import app
from tests.factories import make_file, make_job, make_user
from tests.frontend.ask import browser
from tests.orchestration.play import run_all, submitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_django import Settings

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db
DATA = b"a,b\n1,2\n"


@pytest.fixture(autouse=True)
def nothing_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrubbing, "refused", scrubbing.Refused())


def old(file: File, days: float = 31) -> File:
    File.objects.filter(pk=file.pk).update(verified_at=timezone.now() - timedelta(days=days))
    return file


def path_of(file: File) -> Path:
    storage = get_storage(file.storage)
    assert isinstance(storage, LocalStorage)
    return storage.path(file.key)


def flip(file: File) -> None:
    path = path_of(file)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def seen(file: File) -> File:
    return File.objects.get(pk=file.pk)


def events(file: File) -> list[str]:
    return list(FileEvent.objects.filter(file_id=file.pk).order_by("id").values_list("kind", flat=True))


def test_sound_file_is_read_and_left_alone(owner: User, lab: Workspace) -> None:
    file = old(make_file(lab, owner))
    assert scrub() == 0
    assert seen(file).scan_state == ScanState.CLEAN
    assert seen(file).verified_at > timezone.now() - timedelta(minutes=1)
    assert not events(file)


def test_flipped_byte_is_found_said_and_kept_from_everybody(owner: User, lab: Workspace) -> None:
    file = old(make_file(lab, owner))
    flip(file)
    assert scrub() == 1
    assert seen(file).scan_state == ScanState.QUARANTINED
    assert events(file) == ["damaged"]
    assert "no longer those that were stored" in why_not_readable(seen(file))
    assert "upload it again" in why_not_readable(seen(file))
    client = browser(owner)
    html = client.get(f"/files/{file.pk}/").content.decode()
    assert "Found damaged" in html
    assert "cannot be fetched" in html
    assert client.get(reverse("file-content", args=[file.pk])).status_code == 403
    root = make_user("root", is_staff=True, is_superuser=True)
    with pytest.raises(Conflict, match="Restore them from a backup"):
        release_from_quarantine(user=root, file=seen(file), reason="please")


def test_job_that_waits_with_a_damaged_file_fails_before_it_runs(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    job = submitted(owner, files=(file,))
    flip(old(file))
    scrub()
    run_all(job)
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == ("FAILED", "INPUT")
    assert "damaged in the storage" in job.failure_detail


def test_only_what_is_due_is_read_the_longest_unread_first(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    look = scrubbing._look

    def noted(file: File, took: Callable[[int], None]) -> str:
        read.append(file.name)
        return look(file, took)

    monkeypatch.setattr(scrubbing, "_look", noted)
    old(make_file(lab, owner, "fresh", b"1"), days=29)
    old(make_file(lab, owner, "older", b"2"), days=31)
    old(make_file(lab, owner, "oldest", b"3"), days=90)
    old(make_file(lab, owner, "waits", b"4", scan_state="received", sha256=""), days=90)
    gone = old(make_file(lab, owner, "purged", b"5"), days=90)
    File.objects.filter(pk=gone.pk).update(deleted_at=timezone.now(), purged_at=timezone.now())
    scrub()
    assert read == ["oldest", "older"]


@pytest.mark.parametrize(("nth", "index"), [(0, "file_to_verify"), (1, "file_to_look_at_again")])
def test_what_is_due_is_found_without_a_look_at_all_that_is_not(nth: int, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        # Of an empty table one index costs as much as the other.
        cursor.execute(f"DROP INDEX {'file_to_look_at_again' if nth == 0 else 'file_to_verify'}")
    plan = scrubbing._due()[nth].order_by("verified_at")[:1].explain()
    assert index in plan
    assert "Index Cond: (verified_at <=" in plan


def test_damaged_file_is_looked_at_again_though_others_have_waited_for_longer(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = old(make_file(lab, owner, "damaged", b"1"))
    flip(damaged)
    scrub()
    old(make_file(lab, owner, "late", b"2"), days=30.1)
    old(damaged, days=1)
    read: list[str] = []

    def noted(file: File, _took: Callable[[int], None]) -> str:
        read.append(file.name)
        return ""

    monkeypatch.setattr(scrubbing, "_look", noted)
    scrub()
    assert read == ["damaged", "late"]


def test_zero_days_switch_it_off(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.SCRUB_DAYS = 0
    flip(old(make_file(lab, owner)))
    assert scrub() == 0


def test_missing_bytes_are_damage(owner: User, lab: Workspace) -> None:
    file = old(make_file(lab, owner))
    path_of(file).unlink()
    assert scrub() == 1
    assert seen(file).scan_detail == "Its bytes are missing from the storage."


def test_storage_that_is_not_mounted_has_lost_nothing(
    owner: User, lab: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [old(make_file(lab, owner, str(n), str(n).encode())) for n in range(3)]
    paths = [path_of(file) for file in files]
    for path in paths:
        path.rename(path.with_suffix(".away"))
    assert scrub() == 0
    assert not FileEvent.objects.exists()
    assert all("Is it mounted" in vars(one)["error"] for one in caplog.records if one.message == "file not read")
    for path in paths:
        path.with_suffix(".away").rename(path)
    paths[1].unlink()
    monkeypatch.setattr(scrubbing, "refused", scrubbing.Refused())  # an hour later
    assert scrub() == 1, "one that is missing among others is damage"
    assert [seen(file).scan_state for file in files] == ["clean", "quarantined", "clean"]


def test_restored_bytes_bring_the_file_back(owner: User, lab: Workspace) -> None:
    file = old(make_file(lab, owner))
    flip(file)
    scrub()
    assert scrub() == 0, "not at once again"
    old(file, days=1 / 23)
    assert scrub() == 0, "still damaged, and said once"
    flip(file)
    old(file, days=1 / 23)
    assert scrub() == 1
    assert (seen(file).scan_state, seen(file).damaged_at) == (ScanState.CLEAN, None)
    assert events(file) == ["damaged", "restored"]


def test_same_file_uploaded_again_mends_all_that_shared_the_bad_bytes(owner: User, lab: Workspace) -> None:
    first, second = make_file(lab, owner, "first"), make_file(lab, owner, "second")
    with transaction.atomic():
        share_content(second)
    flip(old(first))
    assert scrub() == 2
    again = make_file(lab, owner, "again")
    old(first, days=1 / 23)
    assert scrub() == 2
    assert {seen(first).key, seen(second).key} == {again.key}
    assert {seen(first).scan_state, seen(second).scan_state} == {ScanState.CLEAN}
    assert events(second) == ["deduplicated", "damaged", "restored"]


def test_file_that_is_found_bad_where_a_good_copy_lies_is_never_out_of_reach(owner: User, lab: Workspace) -> None:
    bad, good = make_file(lab, owner, "bad"), make_file(lab, owner, "good")
    flip(old(bad))
    assert scrub() == 1
    assert (seen(bad).scan_state, seen(bad).key) == (ScanState.CLEAN, good.key)
    assert events(bad) == ["restored"]


def test_quarantined_for_another_reason_stays_so(owner: User, lab: Workspace) -> None:
    file = old(make_file(lab, owner, scan_state="quarantined", scan_detail="Eicar"))
    scrub()
    assert (seen(file).scan_state, seen(file).scan_detail) == (ScanState.QUARANTINED, "Eicar")


def failing(monkeypatch: pytest.MonkeyPatch, bad: File, error: Exception) -> None:
    storage = get_storage("uploads")
    opened = storage.open

    def open_it(key: str, version: str = "") -> Any:
        if key == bad.key:
            raise error
        return opened(key, version)

    monkeypatch.setattr(storage, "open", open_it)


def test_storage_that_does_not_answer_condemns_nothing_and_holds_up_nobody(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent, damaged = old(make_file(lab, owner, "silent", b"1"), days=90), old(make_file(lab, owner, "bad", b"2"))
    flip(damaged)
    failing(monkeypatch, silent, StorageUnavailable("no answer"))
    assert scrub() == 1
    assert seen(silent).scan_state == ScanState.CLEAN
    assert seen(damaged).scan_state == ScanState.QUARANTINED
    assert seen(silent).verified_at < timezone.now() - timedelta(days=89), "it is due again"


def test_files_that_are_always_refused_do_not_use_up_each_round(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scrubbing, "MOST_UNREAD", 2)
    first, second = (old(make_file(lab, owner, f"{n}", b"%d" % n), days=90) for n in range(2))
    other = old(make_file(lab, owner, "other", b"other"))
    failing(monkeypatch, first, StorageUnavailable("denied"))
    failing(monkeypatch, second, StorageUnavailable("denied"))
    scrub()
    scrub()
    assert seen(other).verified_at > timezone.now() - timedelta(minutes=1)
    hour = scrubbing.LOOK_AGAIN.total_seconds()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + hour + 60)
    assert not scrubbing.refused.keys(), "then they are asked for again"


def test_error_of_the_disk_is_damage(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    file = old(make_file(lab, owner))
    failing(monkeypatch, file, OSError(errno.EIO, "Input/output error"))
    assert scrub() == 1
    assert "the disk reports an error" in seen(file).scan_detail


def test_one_process_reads_at_a_time(owner: User, lab: Workspace) -> None:
    flip(old(make_file(lab, owner)))
    with leading(scrubbing.DUTY) as leader:
        assert leader is not None
        assert scrub() == 0
    assert scrub() == 1


def test_reading_is_as_slow_as_it_was_told(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(sleep=slept.append, monotonic=lambda: 100.0)
    monkeypatch.setattr("orchestration.execution.scrub.time", clock)

    class Alone:
        def stay(self) -> bool:
            return True

    reading = scrubbing.Reading(Alone(), 1 << 20)  # type: ignore[arg-type]
    reading.took(1 << 20)
    reading.took(1 << 20)
    assert slept == [1.0, 2.0]


def test_next_round_begins_soon_after_the_last() -> None:
    pause_s = app.conf.beat_schedule["scrub files"]["schedule"]
    assert pause_s <= scrubbing.BUDGET_S / 5, "else what is read in a day is far below the rate that was set"


def test_who_lost_the_lead_stops_and_records_nothing(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    flip(old(make_file(lab, owner)))
    monkeypatch.setattr(scrubbing, "STAY_S", -1.0)
    monkeypatch.setattr("orchestration.execution.leader.Leader.stay", lambda _self: False)
    assert scrub() == 0
    assert not FileEvent.objects.exists()


def test_damaged_result_is_not_offered_on_the_page_of_its_job(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="SUCCEEDED")
    report = make_file(lab, owner, "report.html", b"<p>fine</p>", kind="result", job=job, step="noop")
    client = browser(owner)
    assert reverse("file-content", args=[report.pk]) in client.get(f"/jobs/{job.pk}/").content.decode()
    flip(old(report))
    scrub()
    html = client.get(f"/jobs/{job.pk}/").content.decode()
    assert reverse("file-content", args=[report.pk]) not in html
    assert reverse("file-preview", args=[report.pk]) not in html
    assert ">damaged</a>" in html
