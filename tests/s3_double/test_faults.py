"""What a test switches on happens, as often as it said."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.s3_double.fixtures import BUCKET, client_for
from tests.s3_double.signed import DATA, begin, refusal, signed_part, signed_put, sum_of
from tests.s3_double.test_multipart import complete, parts_of
from tests.s3_double.test_reads import code_of
from tests.s3_double.test_signatures import holds_nothing

if TYPE_CHECKING:
    from tests.s3_double.server import S3Double


def outcomes(boto: Any, s3: S3Double, calls: int) -> list[int]:
    s3.ledger.clear()
    for _ in range(calls):
        with contextlib.suppress(ClientError):
            boto.list_objects_v2(Bucket=BUCKET)
    return [call.status for call in s3.ledger.calls]


def test_throttling_by_count_and_by_share(boto: Any, s3: S3Double) -> None:
    s3.faults.throttle(calls=2)
    assert outcomes(boto, s3, 4) == [503, 503, 200, 200]
    s3.faults.throttle(share=0.2, seed=7)
    first = outcomes(boto, s3, 40)
    s3.faults.throttle(share=0.2, seed=7)
    assert outcomes(boto, s3, 40) == first
    assert 4 <= first.count(503) <= 14
    s3.faults.throttle(calls=1, operations=("PutObject",))
    assert outcomes(boto, s3, 3) == [200, 200, 200]
    assert refusal(signed_put(boto).send()) == (503, "SlowDown")
    assert holds_nothing(s3)


def test_boto3_rides_over_throttling(s3: S3Double) -> None:
    s3.faults.throttle(calls=2)
    client = client_for(s3, retries={"total_max_attempts": 4, "mode": "standard"})
    client.put_object(Bucket=BUCKET, Key="k", Body=DATA)
    client.close()
    assert [call.status for call in s3.ledger.of("PutObject")] == [503, 503, 200]


def test_a_lost_reply(boto: Any, s3: S3Double) -> None:
    s3.faults.lose_reply("PutObject")
    with pytest.raises(httpx.TransportError):
        signed_put(boto).send()
    assert boto.get_object(Bucket=BUCKET, Key="k")["Body"].read() == DATA
    assert refusal(signed_put(boto).send()) == (412, "PreconditionFailed")
    assert [call.status for call in s3.ledger.of("PutObject")] == [0, 412]


def test_an_error_inside_of_a_200(s3: S3Double, boto: Any) -> None:
    where = begin(boto)
    signed_part(boto, where, 1, DATA).send()
    s3.faults.fail_inside_200(times=1)
    whole: dict[str, Any] = {"ChecksumCRC64NVME": sum_of(DATA), "MpuObjectSize": len(DATA)}
    with pytest.raises(ClientError) as caught:
        complete(boto, where, **whole)
    assert caught.value.response["Error"]["Code"] == "InternalError"
    assert s3.ledger.of("CompleteMultipartUpload")[0].status == 200
    assert len(parts_of(boto, where)) == 1
    complete(boto, where, **whole)


def test_a_body_that_is_cut(boto: Any, s3: S3Double) -> None:
    s3.faults.cut_body("PutObject", after=100)
    with pytest.raises(httpx.TransportError):
        signed_put(boto).send()
    assert holds_nothing(s3)
    assert s3.ledger.bytes_in["PutObject"] == 100
    assert signed_put(boto).send().status_code == 200


def test_a_slow_complete(boto: Any, s3: S3Double) -> None:
    where = begin(boto)
    signed_part(boto, where, 1, DATA).send()
    hold = s3.faults.hold("CompleteMultipartUpload")
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(complete, boto, where, ChecksumCRC64NVME=sum_of(DATA), MpuObjectSize=len(DATA))
        assert hold.arrived.wait(10)
        assert not done.done()
        assert "Contents" not in boto.list_objects_v2(Bucket=BUCKET)
        hold.release()
        assert done.result(10)["ETag"]


def test_any_refusal(boto: Any, s3: S3Double) -> None:
    s3.faults.refuse("HeadObject", "InternalError")
    with pytest.raises(ClientError) as caught:
        boto.head_object(Bucket=BUCKET, Key="k")
    assert code_of(caught)[0] == 500


def test_a_store_without_crc64(boto: Any, s3: S3Double) -> None:
    s3.rules.no_crc64 = True
    answer = signed_put(boto).send(DATA[:-1] + b"!")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("x-amz-checksum")]
    assert "ChecksumCRC64NVME" not in boto.head_object(Bucket=BUCKET, Key="k", ChecksumMode="ENABLED")

    where = begin(boto, "big")
    assert signed_part(boto, where, 1, DATA).send(b"!" + DATA[1:]).status_code == 200
    (part,) = boto.list_parts(**where)["Parts"]
    assert "ChecksumCRC64NVME" not in part
    parts = [{"PartNumber": 1, "ETag": part["ETag"], "ChecksumCRC64NVME": sum_of(b"other")}]
    done = complete(boto, where, parts, ChecksumCRC64NVME=sum_of(b"other"), MpuObjectSize=len(DATA))
    assert "ChecksumCRC64NVME" not in done


def test_a_store_without_preconditions(boto: Any, s3: S3Double) -> None:
    s3.rules.no_if_none_match = True
    assert [signed_put(boto).send().status_code for _ in range(2)] == [200, 200]


def test_a_page_may_send_where_the_bucket_says_so(boto: Any, s3: S3Double) -> None:
    ask = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "content-type,x-amz-checksum-crc64nvme",
    }
    signed = signed_put(boto)
    assert httpx.options(signed.url, headers=ask).status_code == 403
    s3.allow_origin(BUCKET, "https://app.example")
    allowed = httpx.options(signed.url, headers=ask)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "x-amz-checksum-crc64nvme" in allowed.headers["access-control-allow-headers"]
    for change in ({"Origin": "https://evil.example"}, {"Access-Control-Request-Method": "DELETE"}):
        assert httpx.options(signed.url, headers=ask | change).status_code == 403

    answer = signed.send(headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    assert answer.headers["access-control-expose-headers"] == "ETag, x-amz-checksum-crc64nvme"
    again = signed.send(headers={"origin": "https://app.example"})  # a refusal is shown to the page too
    assert (again.status_code, again.headers["access-control-allow-origin"]) == (412, "https://app.example")
    assert "access-control-allow-origin" not in signed.send(headers={"origin": "https://evil.example"}).headers
