"""From arrival to an answer: one pass, one record, and nothing passes unseen."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from orchestration import crc64, going
from orchestration.execution import examine
from orchestration.execution.arrival import arrived
from orchestration.execution.dispatch import dispatch
from orchestration.execution.examine import examine_due
from orchestration.models import Examination, File, FileEvent
from orchestration.states import JobState, ScanState, WaitingReason
from orchestration.storage.registry import get_storage
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import run_all, submitted
from tests.scan.clamd import EICAR, SIGNATURE, STREAM_MOST, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db
DATA = b"a,b\n1,2\n"
ONLY_CSV = """\
pipeline: only-csv
version: 1.0.0
title: Only CSV
accepts: {types: [text/csv]}
steps:
  - name: only
    command: [only]
"""


def came(lab: Workspace, owner: User, data: bytes = DATA, name: str = "a.csv", **fields: Any) -> File:
    crc = crc64.to_text(crc64.update(data))
    values = {"sha256": "", "scan_state": "received", "crc64nvme": crc} | fields
    file = make_file(lab, owner, name, data, **values)
    arrived([file])
    return file


def seen(file: File) -> File:
    file.refresh_from_db()
    return file


@pytest.fixture(scope="module")
def clamd_address() -> Iterator[str]:
    with running() as address:
        yield address


@pytest.fixture
def clamd(clamd_address: str, settings: Settings) -> str:
    settings.SCANNER, settings.CLAMD = "clamd", clamd_address
    return clamd_address


def test_file_gets_digest_and_true_type_and_is_clean(owner: User, lab: Workspace) -> None:
    file = came(lab, owner, b"%PDF-1.7 and so on", "photo.png", media_type="image/png")
    assert examine_due() == 1
    assert seen(file).sha256 == hashlib.sha256(b"%PDF-1.7 and so on").hexdigest()
    assert (file.media_type, file.scan_state) == ("application/pdf", ScanState.CLEAN)
    assert [(e.old, e.new) for e in FileEvent.objects.filter(file_id=file.pk)] == [("scanning", "clean")]
    assert not Examination.objects.exists()
    assert examine_due() == 0


def test_equal_content_is_stored_once(
    owner: User, lab: Workspace, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    first, second = came(lab, owner), came(lab, owner)
    own = {first.key, second.key}
    with django_capture_on_commit_callbacks(execute=True):
        assert examine_due() == 2
    assert seen(first).key == seen(second).key
    (spare,) = own - {first.key}
    assert get_storage("uploads").size(spare) is None


def test_byte_that_flipped_in_the_storage_is_found(owner: User, lab: Workspace) -> None:
    file = came(lab, owner, crc64nvme=crc64.to_text(1))
    examine_due()
    assert seen(file).scan_state == ScanState.QUARANTINED
    assert "damaged" in file.scan_detail


def test_missing_bytes_are_said_to_be_missing(owner: User, lab: Workspace) -> None:
    file = came(lab, owner)
    get_storage("uploads").delete(file.key)
    examine_due()
    assert (seen(file).scan_state, "missing" in file.scan_detail) == (ScanState.QUARANTINED, True)


def test_worker_that_died_is_followed_by_another(owner: User, lab: Workspace) -> None:
    file = came(lab, owner)
    assert examine._claim() is not None
    assert examine_due() == 0, "it may still be at it"
    Examination.objects.update(leased_until=F("leased_until") - timedelta(minutes=3))
    assert examine_due() == 1
    assert seen(file).scan_state == ScanState.CLEAN


def test_who_lost_the_lease_records_nothing(owner: User, lab: Workspace) -> None:
    file = came(lab, owner)
    late = examine._claim()
    assert late is not None
    Examination.objects.update(leased_until=F("leased_until") - timedelta(minutes=3))
    assert examine_due() == 1
    assert not examine._record(late, ScanState.QUARANTINED, "late")
    assert seen(file).scan_state == ScanState.CLEAN


def test_large_files_do_not_take_every_worker(owner: User, lab: Workspace) -> None:
    large = [came(lab, owner, size=examine.LARGE) for _ in range(2)]
    assert examine._claim() is not None
    assert examine._claim() is None, "one large file at a time"
    small = came(lab, owner)
    claim = examine._claim()
    assert claim is not None
    assert claim.file == small
    assert len(large) == 2


def test_scanner_that_is_down_lets_nothing_pass(owner: User, lab: Workspace, settings: Settings) -> None:
    settings.SCANNER, settings.CLAMD = "clamd", "unix:/nowhere/clamd"
    file = came(lab, owner)
    assert examine_due() == 0
    row = Examination.objects.get()
    assert seen(file).scan_state == ScanState.RECEIVED
    assert (row.tries, "does not answer" in row.reason) == (1, True)
    assert examine_due() == 0, "not again at once"
    job = submitted(owner, files=(file,))
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.waiting_reason) == (JobState.WAITING, WaitingReason.SCAN)
    assert "1 input file is still being checked. The virus scanner" in job.waiting_detail


def test_file_passes_when_the_scanner_is_back(owner: User, lab: Workspace, clamd: str, settings: Settings) -> None:
    settings.CLAMD = "unix:/nowhere/clamd"
    file = came(lab, owner)
    job = submitted(owner, files=(file,))
    examine_due()
    dispatch()
    settings.CLAMD = clamd
    Examination.objects.update(not_before=F("created_at"))
    assert examine_due() == 1
    run_all(job)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


@pytest.mark.usefixtures("clamd")
def test_clean_file_passes_the_scanner(owner: User, lab: Workspace) -> None:
    file = came(lab, owner)
    assert examine_due() == 1
    assert seen(file).scan_state == ScanState.CLEAN


@pytest.mark.usefixtures("clamd")
def test_infected_file_is_quarantined_and_its_job_fails_before_anything_runs(owner: User, lab: Workspace) -> None:
    file = came(lab, owner, EICAR, "invoice.txt")
    job = submitted(owner, files=(file,))
    examine_due()
    assert (seen(file).scan_state, SIGNATURE in file.scan_detail) == (ScanState.QUARANTINED, True)
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == (JobState.FAILED, "INPUT")
    assert job.failure_detail.startswith("invoice.txt was quarantined")
    assert {step.state for step in job.steps.all()} == {"SKIPPED"}
    assert not job.attempts.exists()


@pytest.mark.usefixtures("clamd")
def test_infected_file_in_an_archive_is_found(owner: User, lab: Workspace) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("invoice.txt", EICAR)
    file = came(lab, owner, packed.getvalue(), "invoices.zip")
    examine_due()
    assert seen(file).scan_state == ScanState.QUARANTINED


@pytest.mark.usefixtures("clamd")
def test_what_the_scanner_does_not_take_does_not_pass(owner: User, lab: Workspace) -> None:
    file = came(lab, owner, bytes(STREAM_MOST * 4), "large.bin")
    examine_due()
    assert (seen(file).scan_state, file.scan_detail) == (ScanState.QUARANTINED, "Larger-Than-The-Scanner-Takes")


def test_type_that_the_pipeline_does_not_take_fails_the_job_when_it_is_known(owner: User, lab: Workspace) -> None:
    file = came(lab, owner, b"%PDF-1.7", "table.csv", media_type="text/csv")
    job = submitted(owner, publish_pipeline(ONLY_CSV), (file,))
    dispatch()
    assert job.state == JobState.WAITING
    examine_due()
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == (JobState.FAILED, "INPUT")
    assert job.failure_detail == "table.csv is application/pdf; this pipeline accepts text/csv."


def test_jobs_that_wait_for_checks_cost_one_look_however_many(owner: User, lab: Workspace) -> None:
    def looks() -> int:
        dispatch()  # says to each why it waits
        with CaptureQueriesContext(connection) as asked:
            dispatch()
        return len(asked)

    submitted(owner, files=(came(lab, owner),))
    of_one = looks()
    for _ in range(4):
        submitted(owner, files=(came(lab, owner),))
    assert looks() == of_one


def test_worker_that_is_told_to_end_gives_the_file_back_at_once(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = came(lab, owner)
    monkeypatch.setattr(examine, "point", lambda name: going.tell() if name == "examine.claimed" else None)
    try:
        assert examine_due() == 0
    finally:
        going.tell(to_end=False)
    left = Examination.objects.get(pk=file.pk)
    assert (left.claim, left.leased_until, left.tries) == (None, None, 0)
    assert seen(file).scan_state == ScanState.RECEIVED
    monkeypatch.undo()
    assert examine_due() == 1, "another has not to wait for the lease"
    assert seen(file).scan_state == ScanState.CLEAN
