"""A request is what was signed, or it is refused; and nothing is stored."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.s3_double.fixtures import BUCKET, client_for
from tests.s3_double.server import S3Double
from tests.s3_double.signed import DATA, Signed, begin, refusal, signed_part, signed_put, sum_of
from tests.s3_double.test_reads import code_of

if TYPE_CHECKING:
    from pathlib import Path


def holds_nothing(s3: S3Double) -> bool:
    return not s3.store.buckets[BUCKET].versions and not list(s3.store.folder.iterdir())


def test_a_presigned_put_and_get(boto: Any, s3: S3Double) -> None:
    answer = signed_put(boto, "a b/é+&=").send()
    assert answer.status_code == 200
    assert answer.headers["x-amz-checksum-crc64nvme"] == sum_of(DATA)
    url = boto.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "a b/é+&="})
    assert httpx.get(url).content == DATA
    assert s3.ledger.bytes_in == Counter(PutObject=len(DATA))
    assert s3.ledger.bytes_out["GetObject"] == len(DATA)


@pytest.mark.parametrize(
    "change",
    [
        {"x-amz-checksum-crc64nvme": sum_of(b"other")},
        {"x-amz-checksum-crc64nvme": None},
        {"content-type": "text/html"},
        {"content-type": None},
        {"if-none-match": None},
    ],
)
def test_a_signed_header_that_is_not_as_signed(boto: Any, s3: S3Double, change: dict[str, str | None]) -> None:
    assert refusal(signed_put(boto).send(headers=change)) == (403, "SignatureDoesNotMatch")
    assert holds_nothing(s3)


def test_another_length_than_signed(boto: Any, s3: S3Double) -> None:
    for data in (DATA[:-1], DATA + b"x", b""):
        answer = signed_put(boto).send(data, {"content-length": str(len(data))})
        assert refusal(answer) == (403, "SignatureDoesNotMatch")
    assert holds_nothing(s3)


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-storage-class", "x-amz-server-side-encryption", "x-amz-meta-a"])
def test_an_amz_header_that_was_not_signed(boto: Any, s3: S3Double, name: str) -> None:
    answer = signed_put(boto).send(headers={name: "public-read"})
    assert refusal(answer) == (403, "AccessDenied")
    assert f"<HeadersNotSigned>{name}</HeadersNotSigned>" in answer.text
    assert holds_nothing(s3)


def test_any_change_of_the_url(boto: Any, s3: S3Double) -> None:
    signed = signed_put(boto)
    for old, new in (
        ("/k?", "/other?"),
        ("X-Amz-Expires=900", "X-Amz-Expires=901"),
        ("us-east-1", "us-east-2"),
        ("X-Amz-Signature=", "X-Amz-Signature=0"),
        ("&X-Amz-Expires", "&versionId=1&X-Amz-Expires"),
        ("content-length%3B", ""),
    ):
        assert old in signed.url
        status, code = refusal(Signed(signed.url.replace(old, new), signed.headers).send())
        assert code in {"SignatureDoesNotMatch", "AuthorizationHeaderMalformed"}
        assert status in {400, 403}
    assert holds_nothing(s3)


def test_another_method_than_signed(boto: Any) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    url = boto.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "k"})
    assert refusal(httpx.delete(url)) == (403, "SignatureDoesNotMatch")


def test_an_expired_url(boto: Any, s3: S3Double) -> None:
    signed = signed_put(boto, expires_s=60)
    s3.later(50)
    assert signed.send().status_code == 200
    s3.later(50)
    answer = signed.send()
    assert refusal(answer) == (403, "AccessDenied")
    assert "Request has expired" in answer.text


def test_a_url_that_lives_too_long(boto: Any) -> None:
    assert refusal(signed_put(boto, expires_s=604_801).send()) == (400, "AuthorizationQueryParametersError")


def test_a_clock_that_is_wrong(boto: Any, s3: S3Double) -> None:
    s3.later(-3600)
    assert refusal(signed_put(boto).send()) == (403, "AccessDenied")
    with pytest.raises(ClientError) as caught:
        boto.head_bucket(Bucket=BUCKET)
    assert code_of(caught) == (403, "403")
    with pytest.raises(ClientError) as caught:
        boto.list_objects_v2(Bucket=BUCKET)
    assert code_of(caught) == (403, "RequestTimeTooSkewed")


def test_nobody(boto: Any, s3: S3Double) -> None:
    boto.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    assert refusal(httpx.get(f"{s3.endpoint}/{BUCKET}/k")) == (403, "AccessDenied")
    assert refusal(httpx.put(f"{s3.endpoint}/{BUCKET}/k", content=b"x")) == (403, "AccessDenied")


def test_somebody_unknown_and_somebody_with_the_wrong_secret(s3: S3Double) -> None:
    right = s3.credentials
    for secret, access, code in (
        ("wrong", right.access_key, "SignatureDoesNotMatch"),
        ("x", "AKIA", "InvalidAccessKeyId"),
    ):
        client = client_for(s3, given=replace(right, access_key=access, secret_key=secret))
        with pytest.raises(ClientError) as caught:
            client.list_objects_v2(Bucket=BUCKET)
        assert code_of(caught) == (403, code)
        assert refusal(signed_put(client).send()) == (403, code)
        client.close()


def test_credentials_of_a_role_need_their_token(tmp_path: Path) -> None:
    with S3Double(tmp_path, token="session/token==") as s3:
        s3.add_bucket(BUCKET)
        with_token, without = client_for(s3), client_for(s3, given=replace(s3.credentials, token=""))
        with_token.put_object(Bucket=BUCKET, Key="k", Body=DATA)
        assert signed_put(with_token, "l").send().status_code == 200
        assert refusal(signed_put(without).send()) == (400, "InvalidToken")
        with_token.close()
        without.close()


def test_a_part_is_bound_to_its_number_and_upload(boto: Any) -> None:
    where = begin(boto)
    signed = signed_part(boto, where, 1, DATA)
    assert signed.send().status_code == 200
    moved = Signed(signed.url.replace("partNumber=1", "partNumber=2"), signed.headers)
    assert refusal(moved.send()) == (403, "SignatureDoesNotMatch")


def test_a_body_that_is_not_the_signed_sha256(boto: Any, s3: S3Double) -> None:
    def spoil(request: Any, **more: Any) -> None:
        request.body = io.BytesIO(b"spoilt" + DATA[6:])

    boto.meta.events.register("before-send.s3.PutObject", spoil)
    with pytest.raises(ClientError) as caught:
        boto.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    assert code_of(caught) == (400, "XAmzContentSHA256Mismatch")
    assert holds_nothing(s3)
