"""GuardDuty's answer is the tag on the pinned version: no tag, no passing, whatever else anybody says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as of_the_tests
from django.db.models import F

from orchestration.errors import Conflict
from orchestration.execution.dispatch import dispatch
from orchestration.execution.examine import examine_due
from orchestration.models import Examination
from orchestration.services.files import why_not_readable
from orchestration.services.quarantine import release_from_quarantine
from orchestration.states import JobState, ScanState, WaitingReason
from tests.factories import make_user
from tests.orchestration.play import submitted
from tests.scan.test_examination import DATA, came, seen

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.scan.bucket import Bucket

pytestmark = pytest.mark.django_db


def look_again() -> int:
    Examination.objects.update(not_before=F("created_at"))
    return examine_due()


def test_file_waits_with_a_reason_until_there_is_a_tag(owner: User, lab: Workspace, bucket: Bucket) -> None:
    file = came(lab, owner, version="v1")
    job = submitted(owner, files=(file,))
    assert examine_due() == 0
    assert bucket.reads == 0, "nothing is read for nothing"
    row = Examination.objects.get()
    assert (seen(file).scan_state, row.reason, row.tries) == (ScanState.RECEIVED, "Waiting for the malware scan.", 1)
    assert examine_due() == 0, "not again at once"
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.waiting_reason) == (JobState.WAITING, WaitingReason.SCAN)
    assert "Waiting for the malware scan." in job.waiting_detail
    assert "Waiting for the malware scan." in why_not_readable(file)
    bucket.tag(file, "NO_THREATS_FOUND")
    assert look_again() == 1
    assert (seen(file).scan_state, file.sha256) == (ScanState.CLEAN, hashlib.sha256(DATA).hexdigest())


def test_tag_of_another_version_says_nothing(owner: User, lab: Workspace, bucket: Bucket) -> None:
    file = came(lab, owner, version="v1")
    bucket.tags[file.key, "v2"] = "NO_THREATS_FOUND"
    bucket.tags[file.key, ""] = "NO_THREATS_FOUND"
    assert examine_due() == 0
    assert seen(file).scan_state == ScanState.RECEIVED


@pytest.mark.parametrize(
    ("status", "says"),
    [("THREATS_FOUND", "GuardDuty found malware"), ("UNSUPPORTED", "GuardDuty cannot scan it")],
)
def test_what_is_infected_or_cannot_be_scanned_is_quarantined(
    owner: User, lab: Workspace, bucket: Bucket, status: str, says: str
) -> None:
    file = came(lab, owner)
    job = submitted(owner, files=(file,))
    bucket.tag(file, status)
    assert examine_due() == 1
    assert (seen(file).scan_state, says in file.scan_detail) == (ScanState.QUARANTINED, True)
    dispatch()
    job.refresh_from_db()
    assert (job.state, job.failure_kind) == (JobState.FAILED, "INPUT")
    root = make_user("root", is_staff=True, is_superuser=True)
    release_from_quarantine(user=root, file=file, reason="looked at by hand")
    assert seen(file).scan_state == ScanState.CLEAN


@pytest.mark.parametrize(
    ("status", "says"),
    [("ACCESS_DENIED", "may not read it"), ("FAILED", "broke off"), ("PERHAPS", "'PERHAPS'"), ("no_threats_found", "")],
)
def test_scan_that_did_not_happen_lets_nothing_pass(
    owner: User, lab: Workspace, bucket: Bucket, status: str, says: str
) -> None:
    file = came(lab, owner)
    bucket.tag(file, status)
    assert examine_due() == 0
    assert seen(file).scan_state == ScanState.RECEIVED
    assert says in Examination.objects.get().reason
    bucket.tag(file, "NO_THREATS_FOUND")
    assert look_again() == 1
    assert seen(file).scan_state == ScanState.CLEAN, "after a scan of its own that the operator started"


def test_storage_that_does_not_answer_lets_nothing_pass(owner: User, lab: Workspace, bucket: Bucket) -> None:
    file = came(lab, owner)
    bucket.tag(file, "NO_THREATS_FOUND")
    bucket.is_down = True
    assert examine_due() == 0
    assert seen(file).scan_state == ScanState.RECEIVED
    bucket.is_down = False
    assert look_again() == 1


def test_infected_file_that_nobody_may_read_is_quarantined_for_good(
    owner: User, lab: Workspace, bucket: Bucket
) -> None:
    bucket.is_shut = True
    file = came(lab, owner)
    bucket.tag(file, "THREATS_FOUND")
    assert examine_due() == 1
    assert (seen(file).scan_state, file.scan_detail) == (ScanState.QUARANTINED, "GuardDuty found malware in it")
    root = make_user("root", is_staff=True, is_superuser=True)
    with pytest.raises(Conflict, match="cannot be released"):
        release_from_quarantine(user=root, file=file, reason="please")


def test_damaged_bytes_do_not_pass_with_a_clean_tag(owner: User, lab: Workspace, bucket: Bucket) -> None:
    file = came(lab, owner, crc64nvme="AAAAAAAAAAE=")
    bucket.tag(file, "NO_THREATS_FOUND")
    assert examine_due() == 1
    assert (seen(file).scan_state, "damaged" in file.scan_detail) == (ScanState.QUARANTINED, True)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("ESTEIRA_SCANNER", "guardduty", "while uploads lie in a folder"),
        ("ESTEIRA_EVENTS_QUEUE", "my-queue", "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"),
    ],
)
def test_setting_that_cannot_work_stops_the_start_with_a_sentence(name: str, value: str, says: str) -> None:
    check = subprocess.run(
        [sys.executable, str(of_the_tests.BASE_DIR / "manage.py"), "check"],
        env={**os.environ, name: value},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert check.returncode == 1
    assert name in check.stderr
    assert says in check.stderr
