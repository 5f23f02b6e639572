"""What S3 refuses when the parts are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from orchestration import crc64
from tests.s3_double.fixtures import BUCKET
from tests.s3_double.signed import begin, refusal, signed_part, signed_put, sum_of
from tests.s3_double.test_reads import code_of

if TYPE_CHECKING:
    from tests.s3_double.server import S3Double

BLOCKS = [b"a" * 1000, b"b" * 1000, b"c" * 10]
WHOLE = b"".join(BLOCKS)


@pytest.fixture(autouse=True)
def small(s3: S3Double) -> None:
    s3.rules.min_part_size = 1000


@pytest.fixture
def sent(boto: Any) -> dict[str, str]:
    where = begin(boto)
    for number, block in enumerate(BLOCKS, 1):
        assert signed_part(boto, where, number, block).send().status_code == 200
    return where


def parts_of(boto: Any, where: dict[str, str]) -> list[dict[str, Any]]:
    names = ("PartNumber", "ETag", "ChecksumCRC64NVME")
    return [{n: part[n] for n in names} for part in boto.list_parts(**where)["Parts"]]


def complete(boto: Any, where: dict[str, str], parts: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    given = parts_of(boto, where) if parts is None else parts
    options = {"ChecksumCRC64NVME": sum_of(WHOLE), "ChecksumType": "FULL_OBJECT", "MpuObjectSize": len(WHOLE)} | more
    return boto.complete_multipart_upload(**where, MultipartUpload={"Parts": given}, **options)


def refused(
    boto: Any, where: dict[str, str], parts: list[dict[str, Any]] | None = None, **more: Any
) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        complete(boto, where, parts, **more)
    return code_of(caught)


def test_the_whole_checksum_is_compared(boto: Any, sent: dict[str, str]) -> None:
    assert refused(boto, sent, ChecksumCRC64NVME=sum_of(b"other")) == (400, "BadDigest")
    assert complete(boto, sent)["ChecksumCRC64NVME"] == sum_of(WHOLE)


def test_the_whole_size_is_compared(boto: Any, sent: dict[str, str]) -> None:
    assert refused(boto, sent, MpuObjectSize=len(WHOLE) + 1) == (400, "InvalidRequest")


def test_the_checksum_type_is_compared(boto: Any, sent: dict[str, str]) -> None:
    assert refused(boto, sent, ChecksumType="COMPOSITE") == (400, "InvalidRequest")


@pytest.mark.parametrize("change", [{"ETag": '"0"'}, {"ChecksumCRC64NVME": sum_of(b"other")}, {"PartNumber": 4}])
def test_each_part_is_compared(boto: Any, sent: dict[str, str], change: dict[str, Any]) -> None:
    parts = parts_of(boto, sent)
    parts[2] |= change
    assert refused(boto, sent, parts) == (400, "InvalidPart")


def test_parts_are_in_order_and_once(boto: Any, sent: dict[str, str]) -> None:
    first, second, third = parts_of(boto, sent)
    assert refused(boto, sent, [second, first, third]) == (400, "InvalidPartOrder")
    assert refused(boto, sent, [first, first, third]) == (400, "InvalidPartOrder")
    assert refused(boto, sent, []) == (400, "MalformedXML")


def test_a_part_but_the_last_has_the_minimum_size(boto: Any, s3: S3Double, sent: dict[str, str]) -> None:
    s3.rules.min_part_size = 1001
    assert refused(boto, sent) == (400, "EntityTooSmall")


def test_a_finished_object_is_not_overwritten(boto: Any, sent: dict[str, str]) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=b"there")
    assert refused(boto, sent, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refusal(signed_put(boto).send()) == (412, "PreconditionFailed")
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"there"
    complete(boto, sent)
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == WHOLE


def test_a_deleted_object_is_not_in_the_way(boto: Any) -> None:
    assert signed_put(boto).send().status_code == 200
    boto.delete_object(Bucket=BUCKET, Key="k")
    assert signed_put(boto).send().status_code == 200


@pytest.mark.parametrize("end", ["complete", "abort"])
def test_an_ended_upload_is_gone(boto: Any, s3: S3Double, sent: dict[str, str], end: str) -> None:
    late, parts = signed_part(boto, sent, 4, b"late"), parts_of(boto, sent)
    if end == "complete":
        complete(boto, sent)
    else:
        boto.abort_multipart_upload(**sent)
        assert not list(s3.store.folder.iterdir())
    assert refusal(late.send()) == (404, "NoSuchUpload")
    assert refused(boto, sent, parts) == (404, "NoSuchUpload")
    for call in (boto.list_parts, boto.abort_multipart_upload):
        with pytest.raises(ClientError) as caught:
            call(**sent)
        assert code_of(caught) == (404, "NoSuchUpload")


def test_an_upload_belongs_to_its_key(boto: Any, sent: dict[str, str]) -> None:
    assert refusal(signed_part(boto, sent | {"Key": "other"}, 1, b"x").send()) == (404, "NoSuchUpload")


def test_a_part_sent_again_takes_the_place_of_the_first(boto: Any, sent: dict[str, str]) -> None:
    old = parts_of(boto, sent)
    assert signed_part(boto, sent, 3, b"d" * 10).send().status_code == 200
    assert refused(boto, sent, old) == (400, "InvalidPart")
    data = BLOCKS[0] + BLOCKS[1] + b"d" * 10
    complete(boto, sent, ChecksumCRC64NVME=sum_of(data))
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == data


def test_a_part_number_out_of_range(boto: Any) -> None:
    assert refusal(signed_part(boto, begin(boto), 10_001, b"x").send()) == (400, "InvalidArgument")


def test_a_part_with_another_kind_of_checksum(boto: Any) -> None:
    with pytest.raises(ClientError) as caught:
        boto.upload_part(**begin(boto), PartNumber=1, Body=b"x", ChecksumAlgorithm="CRC32")
    assert code_of(caught) == (400, "InvalidRequest")


def test_crc64nvme_is_of_the_whole_and_sha256_of_the_parts(boto: Any) -> None:
    for algorithm, kind in (("CRC64NVME", "COMPOSITE"), ("SHA256", "FULL_OBJECT")):
        with pytest.raises(ClientError) as caught:
            begin(boto, ChecksumAlgorithm=algorithm, ChecksumType=kind)
        assert code_of(caught) == (400, "InvalidRequest")


def test_the_combined_checksum_is_that_of_the_bytes() -> None:
    assert crc64.update(b"123456789") == 0xAE8B14860A799888
    assert sum_of(b"123456789") == "rosUhgp5mIg="


def test_an_object_without_the_right_key_of_encryption(boto: Any, s3: S3Double) -> None:
    s3.rules.require_kms = "key/1"
    right = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key/1"}
    for wrong in ({}, {"ServerSideEncryption": "AES256"}, right | {"SSEKMSKeyId": "key/2"}):
        for call in (boto.put_object, boto.create_multipart_upload):
            with pytest.raises(ClientError) as caught:
                call(Bucket=BUCKET, Key="k", **wrong)
            assert code_of(caught) == (403, "AccessDenied")
    boto.put_object(Bucket=BUCKET, Key="k", **right)
    assert begin(boto, **right)
    assert boto.head_object(Bucket=BUCKET, Key="k")["SSEKMSKeyId"] == "key/1"


def test_too_big_for_one_put(boto: Any, s3: S3Double) -> None:
    s3.rules.max_put_size = 10
    assert refusal(signed_put(boto).send()) == (400, "EntityTooLarge")
    assert refusal(signed_part(boto, begin(boto), 1, b"x" * 11).send()) == (400, "EntityTooLarge")
