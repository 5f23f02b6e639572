"""The bytes are exactly those that were announced."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.s3_double.fixtures import BUCKET
from tests.s3_double.signed import DATA, begin, refusal, signed_part, signed_put, sum_of, talk
from tests.s3_double.test_signatures import holds_nothing

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_double.server import S3Double


def test_flipped_bytes(boto: Any, s3: S3Double) -> None:
    for at in (0, len(DATA) // 2, len(DATA) - 1):
        flipped = DATA[:at] + bytes([DATA[at] ^ 1]) + DATA[at + 1 :]
        assert refusal(signed_put(boto).send(flipped)) == (400, "BadDigest")
        assert refusal(signed_part(boto, begin(boto), 1, DATA).send(flipped)) == (400, "BadDigest")
    assert holds_nothing(s3)


@pytest.mark.parametrize("value", ["rosUhg==", "not base64!", ""])
def test_a_checksum_that_is_none(boto: Any, value: str) -> None:
    signed = signed_put(boto, ChecksumCRC64NVME=value)
    assert refusal(signed.send()) == (400, "InvalidRequest")


def test_a_body_that_ends_early(boto: Any, s3: S3Double) -> None:
    answer = talk(s3, signed_put(boto), DATA[:-1])
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"<Code>IncompleteBody</Code>" in answer
    assert holds_nothing(s3)


def test_a_body_that_goes_on(boto: Any, s3: S3Double) -> None:
    """What is too much is the beginning of another request, and is refused as that."""
    answer = talk(s3, signed_put(boto), DATA + b"more\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in answer or b"Bad request" in answer
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == DATA


def test_no_length(boto: Any, s3: S3Double) -> None:
    signed = signed_put(boto)
    url = boto.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "k"})
    assert refusal(httpx.put(url, content=iter([DATA]))) == (501, "NotImplemented")
    signed.url, signed.headers = url, {}
    assert b"<Code>MissingContentLength</Code>" in talk(s3, signed)
    assert holds_nothing(s3)


def test_expect_is_answered_before_the_body_and_a_refusal_needs_none(boto: Any, s3: S3Double) -> None:
    expect = {"expect": "100-continue"}
    good = talk(s3, signed_put(boto), DATA, headers=expect)
    assert good.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    bad = talk(s3, signed_put(boto), headers=expect)
    assert bad.startswith(b"HTTP/1.1 412")
    assert b"connection: close" in bad.lower()
    assert [call.bytes_in for call in s3.ledger.of("PutObject")] == [len(DATA), 0]


def test_one_connection_serves_many(boto: Any, s3: S3Double) -> None:
    with httpx.Client() as client:
        for n in range(5):
            signed = signed_put(boto, f"k{n}")
            assert client.put(signed.url, content=DATA, headers=signed.headers).status_code == 200
            assert client.put(signed.url, content=DATA, headers=signed.headers).status_code == 412
    assert s3._server.connections == 1


@pytest.mark.parametrize("trailer", [sum_of(DATA), sum_of(b"other"), None])
def test_chunks_with_a_checksum_behind_them(s3: S3Double, trailer: str | None) -> None:
    """As boto3 sends a stream over TLS."""
    ends = "0\r\n" + (f"x-amz-checksum-crc64nvme:{trailer}\r\n" if trailer else "") + "\r\n"
    body = (
        f"{1000:x}\r\n".encode()
        + DATA[:1000]
        + f"\r\n{len(DATA) - 1000:x}\r\n".encode()
        + DATA[1000:]
        + b"\r\n"
        + ends.encode()
    )
    headers = {
        "content-encoding": "aws-chunked",
        "x-amz-trailer": "x-amz-checksum-crc64nvme",
        "x-amz-decoded-content-length": str(len(DATA)),
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    }
    url = f"{s3.endpoint}/{BUCKET}/k"
    request = AWSRequest("PUT", url, headers)

    class Trailing(S3SigV4Auth):
        def payload(self, _: Any) -> str:
            return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

    Trailing(Credentials(s3.credentials.access_key, s3.credentials.secret_key), "s3", s3.credentials.region).add_auth(
        request
    )
    for content in (body, iter([body[:50], body[50:]])):
        answer = httpx.put(url, content=content, headers=dict(request.headers.items()))
        if trailer == sum_of(DATA):
            assert answer.status_code == 200
            stored = s3.store.buckets[BUCKET].current("k")
            assert stored is not None
            assert (stored.size, stored.sums) == (len(DATA), {"crc64nvme": trailer})
            assert "content-encoding" not in stored.headers
        else:
            assert refusal(answer) == (400, "BadDigest" if trailer else "InvalidRequest")
            assert holds_nothing(s3)


def test_a_big_object_is_never_whole_in_memory(boto: Any, s3: S3Double, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        os.truncate(file.fileno(), 96 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with path.open("rb") as file:
        boto.put_object(
            Bucket=BUCKET, Key="big", Body=file, ServerSideEncryption="aws:kms", ChecksumAlgorithm="CRC64NVME"
        )
    got = boto.get_object(Bucket=BUCKET, Key="big")
    assert sum(len(block) for block in got["Body"].iter_chunks(1 << 20)) == 96 << 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10
