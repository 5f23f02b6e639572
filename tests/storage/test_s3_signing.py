"""Presigned URLs: byte for byte what boto3 makes, bound to what they are for, and gone before the credentials are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import RefreshableCredentials

from orchestration.errors import StorageRejected, StorageUnavailable
from orchestration.storage.s3 import S3DirectStorage
from orchestration.storage.s3_calls import Bucket, client_config, open_bucket
from orchestration.storage.s3_signing import Signer
from tests.api.uploading import crc as crc_of
from tests.storage.conftest import backend

if TYPE_CHECKING:
    from collections.abc import Mapping

LIVES = timedelta(minutes=15)
KEY = "0192-aa/b c+/ü~(1).bin"
MANY: list[dict[str, Any]] = [
    {},
    {"client_config": client_config(addressing_style="path")},
    {"endpoint_url": "http://127.0.0.1:9000"},
    {"endpoint_url": "https://minio.example.org:9000", "client_config": client_config(addressing_style="path")},
    {"client_config": client_config(addressing_style="virtual", accelerate=True)},
    {"bucket_name": "with.dots", "location": ""},
    {"region_name": "us-east-1"},
    {"region_name": "cn-north-1"},
    {"security_token": "a/token+with=signs"},
]


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def storage(**options: Any) -> S3DirectStorage:
    return S3DirectStorage.of(backend(**options))


@pytest.mark.parametrize("options", MANY)
@pytest.mark.parametrize(
    ("call", "method", "params", "query", "headers"),
    [
        (
            "upload_part",
            "PUT",
            {"UploadId": "up/load+id~", "PartNumber": 7, "ContentLength": 9, "ChecksumCRC64NVME": "rosUhgp5mIg="},
            {"uploadId": "up/load+id~", "partNumber": "7"},
            {"content-length": "9", "x-amz-checksum-crc64nvme": "rosUhgp5mIg="},
        ),
        (
            "put_object",
            "PUT",
            {
                "ContentLength": 9,
                "ContentType": "text/csv;  charset=utf-8",
                "IfNoneMatch": "*",
                "ServerSideEncryption": "aws:kms",
                "SSEKMSKeyId": "arn:aws:kms:eu-central-1:1:key/2",
            },
            {},
            {
                "content-length": "9",
                "content-type": "text/csv;  charset=utf-8",
                "if-none-match": "*",
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:eu-central-1:1:key/2",
            },
        ),
        (
            "get_object",
            "GET",
            {
                "VersionId": "v.1/+",
                "ResponseContentType": "text/plain",
                "ResponseContentDisposition": "attachment; filename*=utf-8''%C3%BC.csv",
            },
            {
                "versionId": "v.1/+",
                "response-content-type": "text/plain",
                "response-content-disposition": "attachment; filename*=utf-8''%C3%BC.csv",
            },
            {},
        ),
    ],
)
def test_url_is_byte_for_byte_that_of_boto3(
    options: dict[str, Any],
    call: str,
    method: str,
    params: dict[str, Any],
    query: Mapping[str, str],
    headers: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bucket = open_bucket(backend(**options))
    now = datetime(2026, 11, 28, 12, 34, 56, tzinfo=UTC)
    monkeypatch.setattr("botocore.crt.auth.get_current_datetime", lambda **_: now)
    theirs = bucket.client.generate_presigned_url(call, Params=bucket.at(KEY) | params, ExpiresIn=900)
    ours = Signer(bucket).sign(method, KEY, query=query, headers=headers, lives=LIVES, now=now)
    assert ours.url == theirs
    assert ours.expires_at == now + LIVES


def test_put_is_bound_to_everything_that_matters() -> None:
    kms = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:key"}
    put = storage(object_parameters=kms).sign_put(
        "k", size=9, digest=crc_of(b"123456789"), content_type="text/csv", lives=LIVES
    )
    assert put.headers == {
        "content-length": "9",
        "content-type": "text/csv",
        "if-none-match": "*",
        "x-amz-checksum-crc64nvme": "rosUhgp5mIg=",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "arn:key",
    }
    assert asked(put.url)["X-Amz-SignedHeaders"] == ";".join(sorted([*put.headers, "host"]))
    assert urlsplit(put.url).path == "/here/uploads/k"


def test_part_is_bound_to_its_number_length_and_checksum() -> None:
    put = storage().sign_part("k", "id", number=3, size=5, digest=crc_of(b"x"), lives=LIVES)
    said = asked(put.url)
    assert (said["partNumber"], said["uploadId"]) == ("3", "id")
    assert said["X-Amz-SignedHeaders"] == "content-length;host;x-amz-checksum-crc64nvme"


def test_place_for_an_output_is_bound_to_its_bytes_and_leaves_the_length_to_the_runner() -> None:
    slot = storage().slot("k", size=5, sha256="ab" * 32)
    assert slot.method == "PUT"
    assert set(slot.headers) == {"if-none-match", "x-amz-checksum-sha256"}
    assert asked(slot.url)["X-Amz-SignedHeaders"] == "content-length;host;if-none-match;x-amz-checksum-sha256"


def test_more_than_object_storage_takes_at_once_is_refused() -> None:
    with pytest.raises(StorageRejected, match="5GiB"):
        storage().slot("k", size=(5 << 30) + 1, sha256="ab" * 32)
    with pytest.raises(StorageRejected, match="5GiB"):
        storage().sign_put("k", size=(5 << 30) + 1, digest=crc_of(b""), content_type="", lives=LIVES)


def test_download_is_an_attachment_of_a_fixed_type_and_version_for_five_minutes() -> None:
    url = storage().sign_get("k", "v1", name='naïve "x".html', media_type="application/octet-stream", lives=LIVES)
    said = asked(url)
    assert said["response-content-disposition"] == "attachment; filename*=utf-8''na%C3%AFve%20%22x%22.html"
    assert said["response-content-type"] == "application/octet-stream"
    assert said["versionId"] == "v1"
    assert said["X-Amz-Expires"] == "300"


def test_no_url_lives_longer_than_a_quarter_of_an_hour() -> None:
    put = storage().sign_put("k", size=1, digest=crc_of(b""), content_type="", lives=timedelta(days=1))
    assert asked(put.url)["X-Amz-Expires"] == "900"


def with_credentials(left: timedelta) -> S3DirectStorage:
    """Credentials of a role that end in `left`; nobody has newer ones."""
    ends = datetime.now(UTC) + left
    metadata = {"access_key": "a", "secret_key": "s", "token": "t", "expiry_time": ends.isoformat()}
    made = open_bucket(backend())
    role = RefreshableCredentials.create_from_metadata(
        metadata, lambda: metadata, "test", advisory_timeout=1, mandatory_timeout=0
    )
    return S3DirectStorage(Bucket(made.client, role, made.name, made.prefix, made.encryption))


def test_url_ends_a_minute_before_the_credentials_do() -> None:
    put = with_credentials(timedelta(minutes=8)).sign_part("k", "i", number=1, size=1, digest=crc_of(b""), lives=LIVES)
    assert 6 * 60 < int(asked(put.url)["X-Amz-Expires"]) <= 7 * 60
    assert put.expires_at <= datetime.now(UTC) + timedelta(minutes=7)


def test_credentials_that_are_about_to_end_sign_nothing() -> None:
    with pytest.raises(StorageUnavailable, match="about to end"):
        with_credentials(timedelta(seconds=70)).read_url("k")
