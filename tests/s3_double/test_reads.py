"""botocore's own model reads every answer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from orchestration import crc64
from tests.s3_double.fixtures import BUCKET
from tests.s3_double.store import MIB

if TYPE_CHECKING:
    from tests.s3_double.server import S3Double

DATA = b"0123456789" * 1000


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str]:
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_an_object_comes_back_with_its_headers_and_checksum(boto: Any) -> None:
    sum64 = crc64.to_text(crc64.update(DATA))
    put = boto.put_object(
        Bucket=BUCKET,
        Key="a b/ção+&.txt",
        Body=DATA,
        ChecksumCRC64NVME=sum64,
        ContentType="text/plain",
        Metadata={"m": "1"},
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="key/1",
    )
    got = boto.get_object(Bucket=BUCKET, Key="a b/ção+&.txt", VersionId=put["VersionId"])
    head = boto.head_object(Bucket=BUCKET, Key="a b/ção+&.txt", ChecksumMode="ENABLED")

    assert got["Body"].read() == DATA
    assert (got["ContentType"], got["Metadata"], got["SSEKMSKeyId"]) == ("text/plain", {"m": "1"}, "key/1")
    assert (head["ContentLength"], head["ChecksumCRC64NVME"], head["ChecksumType"]) == (10_000, sum64, "FULL_OBJECT")
    assert head["ETag"] == put["ETag"]


def test_a_checksum_that_the_client_chose_is_the_only_one(boto: Any) -> None:
    put = boto.put_object(Bucket=BUCKET, Key="k", Body=DATA)  # boto3 adds a CRC32 of its own
    assert "ChecksumCRC32" in put
    assert "ChecksumCRC64NVME" not in put


def test_a_range_and_response_headers(boto: Any) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    got = boto.get_object(
        Bucket=BUCKET,
        Key="k",
        Range="bytes=10-14",
        ResponseContentDisposition='attachment; filename="x"',
        ResponseContentType="application/octet-stream",
    )
    assert got["Body"].read() == b"01234"
    assert got["ContentRange"] == "bytes 10-14/10000"
    assert got["ContentDisposition"] == 'attachment; filename="x"'
    assert got["ContentType"] == "application/octet-stream"
    assert boto.get_object(Bucket=BUCKET, Key="k", Range="bytes=-3")["Body"].read() == b"789"
    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="k", Range="bytes=10000-")
    assert code_of(caught) == (416, "InvalidRange")


def test_versions_and_markers(boto: Any) -> None:
    first = boto.put_object(Bucket=BUCKET, Key="k", Body=b"one")["VersionId"]
    second = boto.put_object(Bucket=BUCKET, Key="k", Body=b"two")["VersionId"]
    marker = boto.delete_object(Bucket=BUCKET, Key="k")
    assert marker["DeleteMarker"] is True

    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="k")
    assert code_of(caught) == (404, "NoSuchKey")
    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="k", VersionId=marker["VersionId"])
    assert code_of(caught) == (405, "MethodNotAllowed")
    assert boto.get_object(Bucket=BUCKET, Key="k", VersionId=first)["Body"].read() == b"one"

    listed = boto.list_object_versions(Bucket=BUCKET, Prefix="k")
    assert [row["VersionId"] for row in listed["Versions"]] == [second, first]
    assert [row["VersionId"] for row in listed["DeleteMarkers"]] == [marker["VersionId"]]

    boto.delete_object(Bucket=BUCKET, Key="k", VersionId=marker["VersionId"])
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"two"
    boto.delete_object(Bucket=BUCKET, Key="k", VersionId=second)
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"one"
    with pytest.raises(ClientError) as caught:
        boto.get_object(Bucket=BUCKET, Key="k", VersionId=second)
    assert code_of(caught) == (404, "NoSuchVersion")


def test_versions_page_by_page_and_deleted_together(boto: Any, s3: S3Double) -> None:
    s3.rules.page_size = 2
    for key in ("a", "b", "b", "c"):
        boto.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    pages = boto.get_paginator("list_object_versions").paginate(Bucket=BUCKET)
    rows = [(row["Key"], row["VersionId"]) for page in pages for row in page["Versions"]]
    assert [key for key, _ in rows] == ["a", "b", "b", "c"]

    objects = [{"Key": key, "VersionId": version} for key, version in rows]
    assert len(boto.delete_objects(Bucket=BUCKET, Delete={"Objects": objects})["Deleted"]) == 4
    assert "Versions" not in boto.list_object_versions(Bucket=BUCKET)
    assert not list(s3.store.folder.iterdir())


def test_objects_page_by_page(boto: Any, s3: S3Double) -> None:
    s3.rules.page_size = 2
    for key in ("p/1", "p/2&ü", "p/q/3", "p/q/4", "z"):
        boto.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    boto.delete_object(Bucket=BUCKET, Key="p/1")
    pages = boto.get_paginator("list_objects_v2")
    keys = [row["Key"] for page in pages.paginate(Bucket=BUCKET, Prefix="p/") for row in page["Contents"]]
    assert keys == ["p/2&ü", "p/q/3", "p/q/4"]
    grouped = boto.list_objects_v2(Bucket=BUCKET, Prefix="p/", Delimiter="/")
    assert [row["Key"] for row in grouped["Contents"]] == ["p/2&ü"]
    assert [row["Prefix"] for row in grouped["CommonPrefixes"]] == ["p/q/"]


def test_a_multipart_upload_from_begin_to_end(boto: Any, s3: S3Double) -> None:
    s3.rules.page_size = 2
    blocks = [bytes([n]) * size for n, size in ((1, 5 * MIB), (2, 5 * MIB), (3, 10))]
    begun = boto.create_multipart_upload(
        Bucket=BUCKET,
        Key="big",
        ChecksumAlgorithm="CRC64NVME",
        ChecksumType="FULL_OBJECT",
        ContentType="text/csv",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId="key/1",
    )
    assert (begun["ChecksumAlgorithm"], begun["SSEKMSKeyId"]) == ("CRC64NVME", "key/1")
    where = {"Bucket": BUCKET, "Key": "big", "UploadId": begun["UploadId"]}
    for number, block in enumerate(blocks, 1):
        boto.upload_part(**where, PartNumber=number, Body=block, ChecksumCRC64NVME=crc64.to_text(crc64.update(block)))

    pages = list(boto.get_paginator("list_parts").paginate(**where))
    parts = [part for page in pages for part in page["Parts"]]
    assert len(pages) == 2
    assert [part["Size"] for part in parts] == [len(block) for block in blocks]
    assert [part["ChecksumCRC64NVME"] for part in parts] == [crc64.to_text(crc64.update(block)) for block in blocks]
    assert (pages[0]["ChecksumType"], pages[0]["ChecksumAlgorithm"]) == ("FULL_OBJECT", "CRC64NVME")

    whole = crc64.to_text(crc64.update(b"".join(blocks)))
    fields = ("PartNumber", "ETag", "ChecksumCRC64NVME")
    done = boto.complete_multipart_upload(
        **where,
        MultipartUpload={"Parts": [{name: part[name] for name in fields} for part in parts]},
        ChecksumCRC64NVME=whole,
        ChecksumType="FULL_OBJECT",
        MpuObjectSize=10 * MIB + 10,
        IfNoneMatch="*",
    )
    assert (done["ChecksumCRC64NVME"], done["ChecksumType"]) == (whole, "FULL_OBJECT")
    got = boto.get_object(Bucket=BUCKET, Key="big", VersionId=done["VersionId"])
    assert got["Body"].read() == b"".join(blocks)
    assert (got["ContentType"], got["ServerSideEncryption"]) == ("text/csv", "aws:kms")
    across = boto.get_object(Bucket=BUCKET, Key="big", Range=f"bytes={5 * MIB - 1}-{5 * MIB}")
    assert across["Body"].read() == b"\x01\x02"


def test_unfinished_uploads_page_by_page(boto: Any, s3: S3Double) -> None:
    s3.rules.page_size = 1
    begun = [
        (key, boto.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]) for key in ("p/a", "p/a", "p/b", "q")
    ]
    pages = boto.get_paginator("list_multipart_uploads").paginate(Bucket=BUCKET, Prefix="p/")
    rows = [row for page in pages for row in page["Uploads"]]
    assert sorted((row["Key"], row["UploadId"]) for row in rows) == sorted(begun[:3])
    assert all(row["Initiated"].tzinfo for row in rows)
    for key, upload in begun:
        boto.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)
    assert "Uploads" not in boto.list_multipart_uploads(Bucket=BUCKET)


def test_tags(boto: Any) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    assert boto.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == []
    tags = [{"Key": "GuardDutyMalwareScanStatus", "Value": "NO_THREATS_FOUND"}]
    boto.put_object_tagging(Bucket=BUCKET, Key="k", Tagging={"TagSet": tags})
    assert boto.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == tags
    assert boto.get_object(Bucket=BUCKET, Key="k")["TagCount"] == 1


def test_what_is_set_on_a_bucket(boto: Any) -> None:
    boto.create_bucket(Bucket="other")
    boto.head_bucket(Bucket="other")
    assert {row["Name"] for row in boto.list_buckets()["Buckets"]} == {BUCKET, "other"}

    assert "Status" not in boto.get_bucket_versioning(Bucket="other")
    boto.put_bucket_versioning(Bucket="other", VersioningConfiguration={"Status": "Enabled"})
    assert boto.get_bucket_versioning(Bucket="other")["Status"] == "Enabled"

    for read, code in (
        (boto.get_bucket_cors, "NoSuchCORSConfiguration"),
        (boto.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (boto.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
        (boto.get_bucket_policy, "NoSuchBucketPolicy"),
        (boto.get_bucket_ownership_controls, "OwnershipControlsNotFoundError"),
    ):
        with pytest.raises(ClientError) as caught:
            read(Bucket="other")
        assert code_of(caught) == (404, code)

    cors = [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["https://a.example"], "AllowedHeaders": ["*"]}]
    boto.put_bucket_cors(Bucket="other", CORSConfiguration={"CORSRules": cors})
    assert boto.get_bucket_cors(Bucket="other")["CORSRules"] == cors

    rule = {
        "ID": "x",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 8},
    }
    boto.put_bucket_lifecycle_configuration(Bucket="other", LifecycleConfiguration={"Rules": [rule]})
    assert boto.get_bucket_lifecycle_configuration(Bucket="other")["Rules"] == [rule]

    def encryption() -> Any:
        rules = boto.get_bucket_encryption(Bucket="other")["ServerSideEncryptionConfiguration"]["Rules"]
        return rules[0]["ApplyServerSideEncryptionByDefault"]

    assert encryption() == {"SSEAlgorithm": "AES256"}
    kms = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "key/1"}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": kms}]}
    boto.put_bucket_encryption(Bucket="other", ServerSideEncryptionConfiguration=rules)
    assert encryption() == kms
    boto.put_bucket_policy(Bucket="other", Policy="{}")
    assert boto.get_bucket_policy(Bucket="other")["Policy"] == "{}"
    boto.delete_bucket_cors(Bucket="other")
    boto.delete_bucket(Bucket="other")
    with pytest.raises(ClientError) as caught:
        boto.get_bucket_versioning(Bucket="other")
    assert code_of(caught) == (404, "NoSuchBucket")


def test_what_it_does_not_know_it_does_not_pretend_to_do(boto: Any) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=b"x")
    for name, more in (
        ("get_object_acl", {"Key": "k"}),
        ("copy_object", {"Key": "l", "CopySource": f"{BUCKET}/k"}),
        ("list_objects", {}),
    ):
        with pytest.raises(ClientError) as caught:
            getattr(boto, name)(Bucket=BUCKET, **more)
        assert code_of(caught) == (501, "NotImplemented")


def test_checksums_of_other_kinds(boto: Any) -> None:
    for name in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        put = boto.put_object(Bucket=BUCKET, Key=name, Body=DATA, ChecksumAlgorithm=name)
        assert base64.b64decode(put[f"Checksum{name}"])
        assert boto.get_object(Bucket=BUCKET, Key=name)["Body"].read() == DATA
