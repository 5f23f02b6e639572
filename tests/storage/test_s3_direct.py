"""What clients send to object storage themselves: exactly what was signed, joined once, pinned to its version."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import httpx
import pytest
from botocore.exceptions import ClientError

from orchestration import crc64
from orchestration.errors import StorageGone, StorageRejected, StorageUnavailable
from orchestration.storage.base import Part, Stored
from orchestration.storage.s3_calls import translate
from tests.api.uploading import crc as crc_of
from tests.s3_double.fixtures import BUCKET, client_for

if TYPE_CHECKING:
    from orchestration.storage.base import SignedPut
    from orchestration.storage.s3 import S3DirectStorage
    from tests.s3_double.server import S3Double

LIVES = timedelta(minutes=15)
KEY = "0192/aa/0193"
DATA = random.Random(3).randbytes(2_500)
SIZE = 1_000
BLOCKS = [DATA[start : start + SIZE] for start in range(0, len(DATA), SIZE)]
CRC = crc64.update(DATA)


@pytest.fixture(autouse=True)
def small_parts(s3: S3Double) -> None:
    s3.rules.min_part_size = SIZE


def send(signed: SignedPut, data: bytes) -> httpx.Response:
    return httpx.put(signed.url, headers=signed.headers, content=data, trust_env=False)


def signed_part(direct: S3DirectStorage, multipart_id: str, number: int, data: bytes) -> SignedPut:
    return direct.sign_part(KEY, multipart_id, number=number, size=len(data), digest=crc_of(data), lives=LIVES)


def signed_whole(direct: S3DirectStorage, data: bytes = DATA, key: str = KEY) -> SignedPut:
    return direct.sign_put(
        key, size=len(data), digest=crc_of(data), content_type="text/csv; charset=utf-8", lives=LIVES
    )


def begun(direct: S3DirectStorage, *numbers: int) -> str:
    """With these parts there, in that order."""
    multipart_id = direct.begin(KEY, content_type="text/csv")
    for number in numbers:
        block = BLOCKS[number - 1]
        assert send(signed_part(direct, multipart_id, number, block), block).status_code == 200
    return multipart_id


def finish(direct: S3DirectStorage, multipart_id: str, size: int = len(DATA), crc: int = CRC) -> str:
    return direct.finish(KEY, multipart_id, direct.parts(KEY, multipart_id), size=size, crc64nvme=crc)


def content(direct: S3DirectStorage, version: str = "") -> bytes:
    with direct.open(KEY, version) as source:
        return source.read()


def test_parts_in_any_order_become_the_object(direct: S3DirectStorage) -> None:
    multipart_id = begun(direct, 3, 1)
    assert [part.number for part in direct.parts(KEY, multipart_id)] == [1, 3]
    send(signed_part(direct, multipart_id, 2, BLOCKS[1]), BLOCKS[1])
    assert [(p.number, p.size, p.crc64nvme) for p in direct.parts(KEY, multipart_id)] == [
        (n, len(block), crc64.update(block)) for n, block in enumerate(BLOCKS, 1)
    ]
    assert direct.stat(KEY) is None, "nothing is there before the end"
    version = finish(direct, multipart_id)
    assert direct.stat(KEY) == Stored(len(DATA), CRC, version)
    assert content(direct, version) == DATA


def test_thousands_of_parts_are_listed_page_by_page(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.rules.page_size = 1
    multipart_id = begun(direct, 1, 2, 3)
    assert [part.number for part in direct.parts(KEY, multipart_id)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "changed", "status"),
    [
        (BLOCKS[1], {}, 400),
        (BLOCKS[0] + b"x", {"content-length": str(SIZE + 1)}, 403),
        (BLOCKS[0], {"x-amz-checksum-crc64nvme": crc_of(b"x")}, 403),
    ],
)
def test_signed_part_takes_no_other_bytes(
    direct: S3DirectStorage, data: bytes, changed: dict[str, str], status: int
) -> None:
    multipart_id = begun(direct)
    signed = signed_part(direct, multipart_id, 1, BLOCKS[0])
    answer = httpx.put(signed.url, headers=signed.headers | changed, content=data, trust_env=False)
    assert answer.status_code == status
    assert list(direct.parts(KEY, multipart_id)) == []


def test_url_is_over_when_its_time_is(direct: S3DirectStorage, s3: S3Double) -> None:
    multipart_id = begun(direct)
    signed = signed_part(direct, multipart_id, 1, BLOCKS[0])
    s3.later(LIVES.total_seconds() + 5)
    assert send(signed, BLOCKS[0]).status_code == 403


def test_whole_object_is_put_once_and_never_over_another(direct: S3DirectStorage) -> None:
    first = signed_whole(direct)
    assert send(first, DATA).status_code == 200
    there = direct.stat(KEY)
    assert send(first, DATA).status_code == 412, "the URL is alive, but what is there stays"
    assert send(signed_whole(direct, b"other"), b"other").status_code == 412
    assert direct.stat(KEY) == there
    assert content(direct) == DATA


def test_object_without_a_known_checksum_has_one_when_it_is_there(direct: S3DirectStorage) -> None:
    """As `curl -T` sends it, which cannot know one."""
    url = direct.sign_redirect(KEY, size=len(DATA), sent={}, lives=LIVES)
    assert httpx.put(url, content=DATA[:-1], trust_env=False).status_code == 403
    assert httpx.put(url, content=DATA, trust_env=False).status_code == 200
    there = direct.stat(KEY)
    assert there is not None
    assert there.crc64nvme == CRC


def test_content_type_that_is_none_cannot_break_a_signature(direct: S3DirectStorage) -> None:
    signed = direct.sign_put(KEY, size=1, digest=crc_of(b"x"), content_type="téxt/csv\r\nx: y", lives=LIVES)
    assert signed.headers["content-type"] == "application/octet-stream"
    assert send(signed, b"x").status_code == 200
    assert direct.begin(KEY, content_type="\ud800")


def test_wrong_size_or_checksum_joins_nothing(direct: S3DirectStorage) -> None:
    multipart_id = begun(direct, 1, 2, 3)
    with pytest.raises(StorageRejected):
        finish(direct, multipart_id, crc=CRC ^ 1)
    with pytest.raises(StorageRejected):
        finish(direct, multipart_id, size=len(DATA) - 1)
    assert direct.stat(KEY) is None
    assert finish(direct, multipart_id), "the parts are still there, and the right call joins them"


def test_lost_answer_to_the_join_is_found_again(direct: S3DirectStorage, s3: S3Double) -> None:
    """The second call, botocore's own or ours, meets no parts and finds the object."""
    multipart_id = begun(direct, 1, 2, 3)
    s3.faults.lose_reply("CompleteMultipartUpload")
    version = finish(direct, multipart_id)
    assert finish(direct, multipart_id) == version
    assert direct.stat(KEY) == Stored(len(DATA), CRC, version)


def test_error_inside_of_a_200_is_no_success(direct: S3DirectStorage, s3: S3Double) -> None:
    multipart_id = begun(direct, 1, 2, 3)
    s3.faults.fail_inside_200(times=9)
    with pytest.raises(StorageUnavailable):
        finish(direct, multipart_id)
    s3.faults.clear()
    assert finish(direct, multipart_id)


def test_object_in_the_way_counts_only_if_it_is_the_same(direct: S3DirectStorage) -> None:
    multipart_id = begun(direct, 1, 2, 3)
    send(signed_whole(direct, b"other"), b"other")
    with pytest.raises(StorageRejected):
        finish(direct, multipart_id)
    direct.delete(KEY)
    send(signed_whole(direct), DATA)
    there = direct.stat(KEY)
    assert there is not None
    assert finish(direct, multipart_id) == there.version


def test_parts_that_are_gone_are_told_apart_from_none(direct: S3DirectStorage) -> None:
    multipart_id = begun(direct, 1)
    direct.abort(KEY, multipart_id)
    direct.abort(KEY, multipart_id)
    with pytest.raises(StorageGone):
        list(direct.parts(KEY, multipart_id))
    with pytest.raises(StorageGone):
        finish(direct, multipart_id)


def test_later_bytes_under_the_key_change_nothing_for_who_has_a_version(direct: S3DirectStorage, s3: S3Double) -> None:
    send(signed_whole(direct), DATA)
    first = direct.stat(KEY)
    assert first is not None
    client_for(s3).put_object(Bucket=BUCKET, Key=direct.place.full(KEY), Body=b"somebody else's")
    assert content(direct, first.version) == DATA
    read = httpx.get(direct.read_url(KEY, first.version), trust_env=False)
    assert read.content == DATA
    shown = direct.sign_get(KEY, first.version, name="ä.csv", media_type="text/csv", lives=LIVES)
    answer = httpx.get(shown, trust_env=False, headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, DATA[10:20])
    assert answer.headers["content-disposition"] == "attachment; filename*=utf-8''%C3%A4.csv"
    assert answer.headers["content-type"] == "text/csv"


def test_delete_takes_every_version_and_marker_and_nothing_beside_it(direct: S3DirectStorage, s3: S3Double) -> None:
    boto = client_for(s3)
    where = {"Bucket": BUCKET, "Key": direct.place.full(KEY)}
    for data in (b"1", b"2"):
        boto.put_object(**where, Body=data)
    boto.delete_object(**where)
    beside = KEY + "0"
    send(signed_whole(direct, b"x", beside), b"x")
    s3.rules.page_size = 1
    direct.delete(KEY)
    left = boto.list_object_versions(Bucket=BUCKET)
    assert [v["Key"] for v in left["Versions"]] == [direct.place.full(beside)]
    assert "DeleteMarkers" not in left


def test_listing_tells_sizes_and_newest_versions(direct: S3DirectStorage, s3: S3Double) -> None:
    keys = [f"w/b/1/{n}" for n in range(3)]
    for n, key in enumerate(keys):
        send(signed_whole(direct, b"x" * n, key), b"x" * n)
    send(signed_whole(direct, b"y", "w/b/2/0"), b"y")
    client_for(s3).put_object(Bucket=BUCKET, Key=direct.place.full(keys[0]), Body=b"newer")
    client_for(s3).delete_object(Bucket=BUCKET, Key=direct.place.full(keys[1]))
    s3.rules.page_size = 1
    found = dict(direct.listed("w/b/1/"))
    assert {key: stored.size for key, stored in found.items()} == {keys[0]: 5, keys[2]: 2}
    newest = direct.stat(keys[0])
    assert newest is not None
    assert found[keys[0]].version == newest.version


def test_unfinished_transfers_are_found_by_age(direct: S3DirectStorage) -> None:
    multipart_id = begun(direct, 1)
    assert list(direct.unfinished(timedelta(hours=1))) == []
    assert list(direct.unfinished(timedelta(seconds=-5))) == [(KEY, multipart_id)]


def test_place_for_an_output_takes_exactly_its_bytes(direct: S3DirectStorage) -> None:
    from hashlib import sha256

    slot = direct.slot(KEY, size=len(DATA), sha256=sha256(DATA).hexdigest())
    damaged = bytes([DATA[0] ^ 1]) + DATA[1:]
    assert httpx.put(slot.url, headers=slot.headers, content=damaged, trust_env=False).status_code == 400
    assert httpx.put(slot.url, headers=slot.headers, content=DATA[:-1], trust_env=False).status_code == 403
    assert httpx.put(slot.url, headers=slot.headers, content=DATA, trust_env=False).status_code == 200
    assert httpx.put(slot.url, headers=slot.headers, content=DATA, trust_env=False).status_code == 412
    assert direct.size(KEY) == len(DATA)


def test_everything_is_encrypted_with_the_key_that_is_named(direct: S3DirectStorage, s3: S3Double) -> None:
    s3.rules.require_kms = "arn:key"
    direct.place.encryption.update({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:key"})
    assert send(signed_whole(direct), DATA).status_code == 200
    direct.delete(KEY)
    assert finish(direct, begun(direct, 1, 2, 3))
    slot = direct.slot("w/a/1", size=0, sha256="e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert httpx.put(slot.url, headers=slot.headers, content=b"", trust_env=False).status_code == 200
    direct.receive("w/a/2").commit()


def test_reader_asks_for_bounded_pieces_and_goes_on_after_a_broken_connection(
    direct: S3DirectStorage, s3: S3Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.storage.s3_read.FIRST_AHEAD", 100)
    monkeypatch.setattr("orchestration.storage.s3_read.MOST_AHEAD", 400)
    send(signed_whole(direct), DATA)
    s3.faults.lose_reply("GetObject")
    assert content(direct) == DATA
    spans = [call.bytes_out for call in s3.ledger.of("GetObject") if call.status]
    assert spans == [100, 200, 400, 400, 400, 400, 400, 200]
    assert all(second <= 2 * first for first, second in pairwise(spans))


def test_throttled_calls_are_tried_again_but_not_for_ever(direct: S3DirectStorage, s3: S3Double) -> None:
    send(signed_whole(direct), DATA)
    s3.ledger.clear()
    s3.faults.throttle(calls=2)
    assert direct.size(KEY) == len(DATA)
    assert s3.ledger.count() == 3
    s3.faults.throttle(calls=100)
    with pytest.raises(StorageUnavailable):
        direct.size(KEY)
    assert s3.ledger.count() == 6


def test_what_an_administrator_can_mend_is_later_and_not_never(direct: S3DirectStorage, s3: S3Double) -> None:
    for code in ("AccessDenied", "NoSuchBucket", "InvalidAccessKeyId"):
        s3.faults.refuse("CreateMultipartUpload", code)
        with pytest.raises(StorageUnavailable):
            direct.begin(KEY, content_type="")
    disabled = ClientError({"Error": {"Code": "KMS.DisabledException"}}, "PutObject")
    assert isinstance(translate(disabled), StorageUnavailable)


def test_storage_that_is_down_is_told_as_later(s3: S3Double, direct: S3DirectStorage) -> None:
    s3.__exit__()
    with pytest.raises(StorageUnavailable):
        direct.size(KEY)
    s3.__init__(s3.store.folder)  # type: ignore[misc]
    s3.__enter__()


def test_nothing_grows_here(direct: S3DirectStorage) -> None:
    with pytest.raises(OSError, match="logs are kept on this machine"):
        direct.append(KEY, 0, b"x")


def test_part_without_a_checksum_is_not_believed(direct: S3DirectStorage, s3: S3Double) -> None:
    multipart_id = begun(direct, 1)
    s3.rules.no_crc64 = True
    other = direct.begin(KEY, content_type="")
    assert multipart_id != other
    block = BLOCKS[0]
    send(signed_part(direct, other, 1, block), block)
    with pytest.raises(StorageRejected, match="check_storage"):
        list(direct.parts(KEY, other))
    assert Part(1, 1, 1).etag == ""


def test_word_of_the_storages_own_scanner_is_of_one_version(direct: S3DirectStorage, s3: S3Double) -> None:
    send(signed_whole(direct), DATA)
    there = direct.stat(KEY)
    assert there is not None
    assert direct.scan_tag(KEY, there.version) == ""
    tag = {"Key": "GuardDutyMalwareScanStatus", "Value": "NO_THREATS_FOUND"}
    where = {"Bucket": BUCKET, "Key": direct.place.full(KEY)}
    client_for(s3).put_object_tagging(**where, VersionId=there.version, Tagging={"TagSet": [tag]})
    client_for(s3).put_object(**where, Body=b"newer")
    assert direct.scan_tag(KEY, there.version) == "NO_THREATS_FOUND"
    assert direct.scan_tag(KEY) == ""
