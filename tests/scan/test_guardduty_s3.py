"""The tag as it really lies on an object, read by the adapter that runs: the strict object store of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from orchestration import crc64
from orchestration.execution import examine
from orchestration.execution.arrival import arrived
from orchestration.execution.examine import examine_due
from orchestration.models import Examination
from orchestration.services.scan_results import record_scan_result
from orchestration.states import ScanState
from orchestration.storage import registry
from tests.factories import make_file
from tests.s3_double.fixtures import s3
from tests.scan.bucket import ACCOUNT
from tests.scan.test_examination import DATA, seen
from tests.scan.test_guardduty import look_again
from tests.scan.test_scan_results import result_of
from tests.storage.conftest import direct

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import File, User, Workspace
    from orchestration.storage.s3 import S3DirectStorage

__all__ = ["direct", "s3"]  # fixtures

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(
    owner: User,
    lab: Workspace,
    direct: S3DirectStorage,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> File:
    """Arrived in the bucket, and not looked at."""
    file = make_file(
        lab, owner, data=DATA, sha256="", scan_state="received", crc64nvme=crc64.to_text(crc64.update(DATA))
    )
    incoming = direct.receive(file.key)
    incoming.write(DATA)
    incoming.commit()
    stored = direct.stat(file.key)
    assert stored is not None
    file.version = stored.version
    file.save(update_fields=["version"])
    arrived([file])
    settings.SCANNER, settings.AWS_ACCOUNT = "guardduty", ACCOUNT
    for module in (registry, examine):
        monkeypatch.setattr(module, "get_storage", lambda _: direct)
    return file


def tag(direct: S3DirectStorage, file: File, status: str) -> None:
    tags = {"TagSet": [{"Key": "GuardDutyMalwareScanStatus", "Value": status}]}
    direct.place.client.put_object_tagging(**direct.place.at(file.key), VersionId=file.version, Tagging=tags)  # type: ignore[arg-type]


def test_file_waits_for_its_tag_and_its_event_brings_it_sooner(file: File, direct: S3DirectStorage) -> None:
    assert examine_due() == 0
    assert Examination.objects.get().reason == "Waiting for the malware scan."
    tag(direct, file, "NO_THREATS_FOUND")
    event = result_of(file)
    about = event["detail"]["s3ObjectDetails"]
    about["bucketName"], about["objectKey"] = direct.bucket, direct.place.full(file.key)
    assert record_scan_result(event=event)
    assert examine_due() == 1
    assert seen(file).scan_state == ScanState.CLEAN


def test_infected_object_is_quarantined(file: File, direct: S3DirectStorage) -> None:
    tag(direct, file, "THREATS_FOUND")
    assert examine_due() == 1
    assert (seen(file).scan_state, file.scan_detail) == (ScanState.QUARANTINED, "GuardDuty found malware in it")


def test_object_that_is_gone_is_said_to_be_gone(file: File, direct: S3DirectStorage) -> None:
    direct.delete(file.key)
    assert examine_due() == 1
    assert (seen(file).scan_state, "missing" in file.scan_detail) == (ScanState.QUARANTINED, True)


def test_later_object_under_the_same_key_is_not_asked(file: File, direct: S3DirectStorage) -> None:
    later = direct.place.client.put_object(**direct.place.at(file.key), Body=b"other bytes")["VersionId"]
    tags = {"TagSet": [{"Key": "GuardDutyMalwareScanStatus", "Value": "NO_THREATS_FOUND"}]}
    direct.place.client.put_object_tagging(**direct.place.at(file.key), VersionId=later, Tagging=tags)  # type: ignore[arg-type]
    assert examine_due() == 0
    tag(direct, file, "NO_THREATS_FOUND")
    assert look_again() == 1
    assert seen(file).scan_state == ScanState.CLEAN
