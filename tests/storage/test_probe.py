"""What is looked for before files are trusted to a bucket: each thing that is wrong is named, with how to mend it."""

from __future__ import annotations

import json
import logging
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from orchestration.findings import ERROR, OK, WARNING, Finding
from orchestration.storage.probe import probe_results, probe_uploads
from orchestration.storage.s3 import S3DirectStorage
from project.management.commands import check_storage
from tests.s3_double.fixtures import BUCKET, client_for

if TYPE_CHECKING:
    from tests.s3_double.server import S3Double

ORIGIN = "https://files.example.org"
ABORT = {
    "ID": "abort",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 31},
}


@pytest.fixture(autouse=True)
def set_up(s3: S3Double, monkeypatch: pytest.MonkeyPatch) -> None:
    """As docs/operate.md says it must be."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    s3.allow_origin(BUCKET, ORIGIN)
    set_lifecycle(s3, ABORT)


def set_lifecycle(s3: S3Double, *rules: object) -> None:
    client_for(s3).put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": list(rules)})


def probe(direct: S3DirectStorage) -> dict[str, Finding]:
    return {finding.name: finding for finding in probe_uploads(direct, ORIGIN)}


def the_bad_one(direct: S3DirectStorage) -> Finding:
    (bad,) = [finding for finding in probe(direct).values() if finding.level != OK]
    return bad


def test_good_bucket_is_found_good_and_left_as_it_was(direct: S3DirectStorage, s3: S3Double) -> None:
    found = probe(direct)
    assert {finding.level for finding in found.values()} == {OK}, found
    assert len(found) == 9
    assert [finding.level for finding in probe_results(direct)] == [OK] * 5
    boto = client_for(s3)
    assert "Versions" not in boto.list_object_versions(Bucket=BUCKET)
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=BUCKET)


def test_storage_that_does_not_know_the_checksum_is_not_used(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.rules.no_crc64 = True
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("checksums of parts", ERROR)
    assert "does not check CRC64NVME of parts, but SHA-256. Set ESTEIRA_S3_CHECKSUM=sha256" in bad.said
    assert "Uploads" not in client_for(s3).list_multipart_uploads(Bucket=BUCKET)


@pytest.mark.parametrize(("checksum", "said"), [("sha256", "SHA-256"), ("md5", "MD5")])
def test_storage_that_checks_another_checksum_is_used_when_told(
    direct: S3DirectStorage, s3: S3Double, checksum: str, said: str
) -> None:
    s3.rules.no_crc64, s3.rules.no_checksums = True, checksum == "md5"
    assert f"but {said}. Set ESTEIRA_S3_CHECKSUM={checksum}:" in the_bad_one(direct).said
    told = S3DirectStorage(direct.place, checksum)
    found = probe(told)
    assert {finding.level for finding in found.values()} == {OK}, found
    assert f"{said} of every part is checked" in found["checksums of parts"].said
    assert "Versions" not in client_for(s3).list_object_versions(Bucket=BUCKET)


def test_storage_that_is_told_of_a_checksum_it_does_not_check_is_not_used(
    direct: S3DirectStorage, s3: S3Double
) -> None:
    s3.rules.no_crc64 = s3.rules.no_checksums = True
    bad = the_bad_one(S3DirectStorage(direct.place, "sha256"))
    assert "does not check SHA-256 of parts, but MD5" in bad.said


def test_results_need_sha256(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.rules.no_crc64 = s3.rules.no_checksums = True
    found = list(probe_results(S3DirectStorage(direct.place, "md5")))
    assert (found[-1].name, found[-1].level) == ("outputs", ERROR)
    assert "results need a bucket that checks it" in found[-1].said


def test_storage_that_writes_over_objects_is_not_used(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.rules.no_if_none_match = True
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("joining parts", ERROR)
    assert "writes over" in bad.said
    assert [finding.level for finding in probe_results(direct)] == [OK, OK, ERROR]
    assert "Versions" not in client_for(s3).list_object_versions(Bucket=BUCKET)


def test_bucket_without_versions_is_not_used(direct: S3DirectStorage, s3: S3Double) -> None:
    client_for(s3).put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("versions", ERROR)
    assert f"put-bucket-versioning --bucket {BUCKET}" in bad.said


def test_bucket_that_is_not_there_is_named(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.store.buckets.clear()
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("reachable", ERROR)
    assert BUCKET in bad.said


def test_credentials_that_are_wrong_are_told(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.faults.refuse("HeadBucket", "AccessDenied", times=9)
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("reachable", ERROR)
    assert "403" in bad.said


def test_pages_that_may_not_send_are_a_warning_with_the_rule_to_set(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.allow_origin(BUCKET, "https://elsewhere.example.org")
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("pages", WARNING)
    rule = json.loads(bad.said.partition("--cors-configuration '")[2].rstrip("'"))
    client_for(s3).put_bucket_cors(Bucket=BUCKET, CORSConfiguration=rule)
    assert {finding.level for finding in probe(direct).values()} == {OK}, "the rule it gives is the one that is needed"


def test_pages_that_do_not_see_the_etag_are_a_warning(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.allow_origin(BUCKET, ORIGIN, expose=())
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("pages", WARNING)
    assert "ExposeHeaders" in bad.said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "no lifecycle rule"),
        ([ABORT | {"Status": "Disabled"}], "no lifecycle rule"),
        ([ABORT | {"Filter": {"Prefix": "other/"}}], "no lifecycle rule"),
        ([ABORT | {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 3}}], "after 3 days"),
    ],
)
def test_lifecycle_that_is_not_right_is_a_warning(
    direct: S3DirectStorage, s3: S3Double, rules: list[object], said: str
) -> None:
    client_for(s3).delete_bucket_lifecycle(Bucket=BUCKET)
    if rules:
        set_lifecycle(s3, *rules)
    bad = the_bad_one(direct)
    assert (bad.name, bad.level) == ("forgotten parts", WARNING)
    assert said in bad.said


def test_command_says_what_is_wrong_and_fails(
    direct: S3DirectStorage, s3: S3Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_storage, "get_direct", lambda alias: direct if alias == "uploads" else None)
    monkeypatch.setattr("django.conf.settings.PUBLIC_URL", ORIGIN)
    out = StringIO()
    call_command("check_storage", stdout=out)
    assert "ok       uploads  versions: versions are kept (" in out.getvalue()
    assert "results  local: in a folder of this machine" in out.getvalue()
    s3.rules.no_crc64 = True
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("check_storage", "--json", stdout=out)
    said = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["level"] for line in said if line["storage"] == "uploads"] == [OK, OK, ERROR]


def test_no_signed_address_is_written_to_a_log(
    direct: S3DirectStorage, s3: S3Double, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even by libraries, and not at the most talkative level."""
    for name, said in settings.LOGGING["loggers"].items():
        monkeypatch.setattr(logging.getLogger(name), "level", logging.getLevelName(said["level"]))
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
    caplog.set_level(logging.DEBUG)
    assert probe(direct)
    assert s3.ledger.count()
    assert not [record for record in caplog.records if "Signature" in record.getMessage()]
