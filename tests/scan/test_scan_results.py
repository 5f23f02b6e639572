"""An event about a scan makes the platform look, and names what was found; it decides nothing."""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from orchestration.errors import EventRefused
from orchestration.execution.examine import examine_due
from orchestration.models import Examination, FileEvent
from orchestration.services.events import record_event
from orchestration.services.scan_results import SCAN_RESULT, record_scan_result
from orchestration.states import ScanState
from tests.scan.bucket import ACCOUNT, BUCKET, PREFIX
from tests.scan.test_examination import came, seen

if TYPE_CHECKING:
    from orchestration.models import File, User, Workspace
    from tests.scan.bucket import Bucket

pytestmark = pytest.mark.django_db


def result_of(file: File, status: str = "NO_THREATS_FOUND", *threats: str, event_id: str = "e1") -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": SCAN_RESULT,
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "time": "2026-11-28T12:00:00Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:guardduty:eu-west-1:{ACCOUNT}:malware-protection-plan/b4c7f464ab3a4example"],
        "detail": {
            "schemaVersion": "1.0",
            "scanStatus": "COMPLETED",
            "resourceType": "S3_OBJECT",
            "s3ObjectDetails": {
                "bucketName": BUCKET,
                "objectKey": PREFIX + file.key,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "versionId": file.version or None,
                "s3Throttled": False,
            },
            "scanResultDetails": {
                "scanResultStatus": status,
                "threats": [{"name": name} for name in threats] or None,
            },
        },
    }


def due() -> bool:
    return Examination.objects.filter(not_before__lte=Now()).exists()


@pytest.fixture
def waiting(owner: User, lab: Workspace, bucket: Bucket) -> File:
    """A file that was looked at before its scan was ready, and would not be looked at again for minutes."""
    file = came(lab, owner, version="v1")
    examine_due()
    Examination.objects.update(not_before=F("not_before") + timedelta(minutes=5))
    return file


def test_event_makes_the_platform_look_now(waiting: File, bucket: Bucket) -> None:
    bucket.tag(waiting, "NO_THREATS_FOUND")
    assert examine_due() == 0
    assert record_scan_result(event=result_of(waiting))
    assert examine_due() == 1
    assert seen(waiting).scan_state == ScanState.CLEAN


def test_event_without_the_tag_lets_nothing_pass(waiting: File) -> None:
    assert record_scan_result(event=result_of(waiting))
    assert examine_due() == 0
    assert seen(waiting).scan_state == ScanState.RECEIVED


def test_names_of_threats_come_from_the_event(waiting: File, bucket: Bucket) -> None:
    bucket.tag(waiting, "THREATS_FOUND")
    record_scan_result(event=result_of(waiting, "THREATS_FOUND", "EICAR-Test-File", "Trojan.X"))
    examine_due()
    assert seen(waiting).scan_state == ScanState.QUARANTINED
    assert waiting.scan_detail == "GuardDuty found EICAR-Test-File, Trojan.X"


def test_names_that_come_late_are_told_all_the_same(waiting: File, bucket: Bucket) -> None:
    bucket.tag(waiting, "THREATS_FOUND")
    Examination.objects.update(not_before=F("created_at"))
    examine_due()
    assert seen(waiting).scan_detail == "GuardDuty found malware in it"
    assert not record_scan_result(event=result_of(waiting, "THREATS_FOUND", "Trojan.X"))
    assert seen(waiting).scan_detail == "GuardDuty found Trojan.X"


def test_event_that_comes_again_is_recorded_once(waiting: File, bucket: Bucket) -> None:
    event = result_of(waiting, "THREATS_FOUND", "Trojan.X")
    for _ in range(3):
        record_scan_result(event=event)
    assert FileEvent.objects.filter(file_id=waiting.pk, data__event="e1").count() == 1
    bucket.tag(waiting, "THREATS_FOUND")
    examine_due()
    assert not record_scan_result(event=event)
    assert FileEvent.objects.filter(file_id=waiting.pk).count() == 2, "what was found, and the move to quarantine"


def test_event_changes_nothing_about_a_file_that_has_its_answer(waiting: File, bucket: Bucket) -> None:
    bucket.tag(waiting, "NO_THREATS_FOUND")
    record_scan_result(event=result_of(waiting))
    examine_due()
    assert not record_scan_result(event=result_of(waiting, "THREATS_FOUND", "Trojan.X", event_id="e2"))
    assert seen(waiting).scan_state == ScanState.CLEAN


@pytest.mark.parametrize("change", [{"objectKey": "some/other"}, {"versionId": "v2"}, {"versionId": None}])
def test_event_of_another_object_or_version_is_ignored(waiting: File, change: dict[str, Any]) -> None:
    event = result_of(waiting)
    event["detail"]["s3ObjectDetails"] |= change
    assert not record_scan_result(event=event)
    assert not due()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("account",), "999900001111"),
        (("account",), 111122223333),
        (("source",), "aws.s3"),
        (("id",), ""),
        (("detail", "s3ObjectDetails", "bucketName"), "another-bucket"),
        (("detail", "s3ObjectDetails", "objectKey"), ["a"]),
        (("detail", "s3ObjectDetails", "objectKey"), "a" * 1025),
        (("detail", "scanResultDetails"), None),
        (("detail", "scanResultDetails", "threats"), [{"name": 1}]),
        (("detail", "scanResultDetails", "threats"), ["Trojan.X"]),
    ],
)
def test_event_that_is_not_ours_or_has_another_form_is_refused(
    waiting: File, where: tuple[str, ...], value: Any
) -> None:
    event = copy.deepcopy(result_of(waiting))
    at = event
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    with pytest.raises(EventRefused):
        record_scan_result(event=event)
    assert not due()


@pytest.mark.usefixtures("waiting")
@pytest.mark.parametrize(
    "body", ["", "{", "[" * 100_000, "[]", "null", '"text"', "{}", '{"detail-type": ["x"]}', '{"detail-type": "Batch"}']
)
def test_message_that_nobody_understands_is_refused(body: str) -> None:
    with pytest.raises(EventRefused):
        record_event(body=body)


def test_result_where_uploads_lie_in_a_folder_is_refused(owner: User, lab: Workspace) -> None:
    with pytest.raises(EventRefused, match="where we keep no uploads"):
        record_event(body=json.dumps(result_of(came(lab, owner))))
