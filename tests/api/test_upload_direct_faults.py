"""What goes wrong between a client, the bucket and us: slower perhaps, never lost, never other bytes (F18 to F21)."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.db.models import F
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.execution import abandoned
from orchestration.execution.dispatch import dispatch
from orchestration.execution.examine import examine_due
from orchestration.execution.finishing import finish_later
from orchestration.execution.scrub import scrub
from orchestration.models import Examination, File, Upload
from orchestration.services.work_orders import work_order
from orchestration.states import UploadState
from tests.api.direct import DATA, PART, Patient, begin, complete, content, crc, fetch, pieces, put, send, sign, work
from tests.orchestration.play import lease, submitted
from tests.s3_double.fixtures import BUCKET
from tests.s3_double.signed import refusal

if TYPE_CHECKING:
    from orchestration.models import User
    from orchestration.storage.s3 import S3DirectStorage
    from tests.api.door import Visitor
    from tests.s3_double.server import S3Double
    from tests.s3_double.store import Bucket

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_parts")]
OTHER = random.Random(13).randbytes(len(DATA))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << (at % 8))]) + data[at + 1 :]


def row(upload: Any) -> Upload:
    return Upload.objects.get(pk=upload["id"])


# F18, throttling


def test_every_fifth_call_throttled_slows_down_and_loses_nothing(
    ana: Visitor, s3: S3Double, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    files = [random.Random(n).randbytes(4 * PART + n) for n in range(12)]
    client = Patient(ana)
    for data in files:
        client.upload(data)
    calm = s3.ledger.count()
    s3.ledger.clear()
    s3.faults.throttle(share=0.2, seed=18)
    made = [client.upload(data) for data in files]
    throttled = sum(call.status == 503 for call in s3.ledger.calls)
    total = s3.ledger.count()
    s3.faults.clear()
    assert throttled > 0.15 * total, "it was throttled"
    assert total <= 1.3 * calm, "each refusal costs about one more call, and no storm"
    assert [content(file) for file in made] == files
    assert (len(bucket.versions), bucket.multiparts) == (2 * len(files), {})


def test_bucket_that_is_down_for_long_is_said_as_later_and_nothing_is_lost(
    ana: Visitor, s3: S3Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    upload = begin(ana)
    send(ana, upload)
    s3.faults.throttle(share=1.0)
    said = ana("POST", f"/uploads/{upload['id']}/complete", json={})
    assert (said.status_code, said.json()["code"]) == (503, "storage_unavailable")
    assert said.headers["retry-after"]
    s3.faults.clear()
    assert ana("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 202
    s3.faults.throttle(share=1.0)
    work()
    assert row(upload).state == UploadState.COMPLETING
    s3.faults.clear()
    Upload.objects.update(touched_at=F("touched_at") - timedelta(minutes=3))
    assert abandoned.finish_silent() == 1, "the sweep comes back"
    assert content(complete(ana, upload)["file"]) == DATA


# F19: done, and the answer lost


def test_lost_answer_to_a_put_is_found_by_sending_again(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    upload = begin(ana, DATA[:PART], crc64nvme=crc(DATA[:PART]))
    s3.faults.lose_reply("PutObject")
    client = Patient(ana)
    client.put(upload["put"], DATA[:PART])
    assert [call.status for call in s3.ledger.of("PutObject")] == [0, 412]
    assert content(complete(ana, upload)["file"]) == DATA[:PART]
    assert [len(versions) for versions in bucket.versions.values()] == [1]


def test_lost_answers_of_parts_and_of_the_beginning_are_no_loss(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    s3.faults.lose_reply("UploadPart", times=2)
    s3.faults.lose_reply("CreateMultipartUpload")
    file = Patient(ana).upload(DATA)
    assert content(file) == DATA
    (orphan,) = bucket.multiparts.values()
    assert abandoned.sweep_incoming() == 0, "it may be somebody's who has just begun"
    orphan.at = datetime.now(UTC) - timedelta(days=2)
    assert abandoned.sweep_incoming() == 1
    assert not bucket.multiparts


def test_412_counts_only_where_the_bytes_are_the_same(ana: Visitor, boto: Any) -> None:
    upload = begin(ana, b"mine!", crc64nvme=crc(b"mine!"))
    key = f"uploads/{row(upload).key}"
    boto.put_object(Bucket=BUCKET, Key=key, Body=b"other", ChecksumAlgorithm="CRC64NVME")
    assert put(upload["put"], b"mine!").status_code == 412
    assert complete(ana, upload, 422)["code"] == "checksum_mismatch"
    assert not File.objects.exists()


@pytest.mark.parametrize("fault", ["lose_reply", "fail_inside_200"])
@pytest.mark.parametrize("times", [1, 9])
def test_join_whose_answer_is_no_answer(
    ana: Visitor, s3: S3Double, bucket: Bucket, fault: str, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    upload = begin(ana)
    send(ana, upload)
    getattr(s3.faults, fault)("CompleteMultipartUpload", times=times)
    assert ana("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 202
    work()
    s3.faults.clear()
    Upload.objects.update(touched_at=F("touched_at") - timedelta(minutes=3))
    abandoned.finish_silent()
    file = complete(ana, upload)["file"]
    assert content(file) == DATA
    (versions,) = bucket.versions.values()
    assert [version.id for version in versions] == [File.objects.get().version]


def test_slow_join_keeps_nobody_waiting(ana: Visitor, s3: S3Double, bucket: Bucket, direct: S3DirectStorage) -> None:
    upload = begin(ana)
    send(ana, upload)
    hold = s3.faults.hold("CompleteMultipartUpload")
    stored = row(upload)
    there = list(direct.parts(stored.key, stored.multipart_id))
    whole = {"size": len(DATA), "crc64nvme": crc64.update(DATA)}
    with ThreadPoolExecutor(1) as pool:
        joining = pool.submit(direct.finish, stored.key, stored.multipart_id, there, **whole)
        assert hold.arrived.wait(10)
        for _ in range(2):
            said = ana("POST", f"/uploads/{upload['id']}/complete", json={})
            assert (said.status_code, said.json()["state"]) == (202, "completing")
        hold.release()
        version = joining.result(20)
    work()
    assert complete(ana, upload)["state"] == "complete"
    assert File.objects.get().version == version, "who came second found what the first had joined"
    assert [len(versions) for versions in bucket.versions.values()] == [1]


# F20: the URL is alive, the file is complete


def test_overwriting_with_a_live_url_changes_nothing(ana: Visitor, owner: User, s3: S3Double, bucket: Bucket) -> None:
    """A redirected PUT binds the length alone, so that its URL takes other bytes until it expires."""
    answer = ana("PUT", "/files/a.bin?workspace=lab", content=DATA)
    url = answer.headers["location"]
    assert httpx.put(url, content=DATA).status_code == 200
    file = complete(ana, answer.json())["file"]
    assert httpx.put(url, content=OTHER).status_code == 200
    (versions,) = bucket.versions.values()
    assert len(versions) == 2, "the other bytes are there, on top"
    work()
    assert fetch(ana, file).content == DATA
    assert content(file) == DATA
    assert ana.json("GET", f"/files/{file['id']}")["crc64nvme"] == crc(DATA)

    job = submitted(owner, files=(File.objects.get(),))
    dispatch()
    (attempt,) = lease()
    (given,) = work_order(attempt)["inputs"]
    assert attempt.job_id == job.pk
    assert httpx.get(given["url"]).content == DATA, "what a job reads"


def test_store_that_knows_no_preconditions_still_serves_what_was_completed(
    ana: Visitor, s3: S3Double, bucket: Bucket
) -> None:
    s3.rules.no_if_none_match = True
    upload = begin(ana, b"mine!", crc64nvme=crc(b"mine!"))
    put(upload["put"], b"mine!")
    file = complete(ana, upload)["file"]
    assert put(upload["put"], b"mine!").status_code == 200
    assert refusal(put(upload["put"], b"other")) == (400, "BadDigest"), "the URL takes these bytes only"
    work()
    assert fetch(ana, file).content == b"mine!"
    (versions,) = bucket.versions.values()
    assert versions[0].id == File.objects.get().version


def test_overwritten_before_the_end_is_what_is_there_at_the_end(ana: Visitor) -> None:
    answer = ana("PUT", "/files/a.bin", content=DATA)
    for data in (OTHER, DATA):
        assert httpx.put(answer.headers["location"], content=data).status_code == 200
    file = complete(ana, answer.json())["file"]
    assert (file["crc64nvme"], content(file)) == (crc(DATA), DATA)


# F21: abandoned, missing, in any order, completed twice


def test_missing_parts_are_named_and_nothing_is_joined(ana: Visitor, s3: S3Double) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(2,))
    said = complete(ana, upload, 409)
    assert (said["code"], said["missing"]) == ("parts_missing", "1,3")
    small = begin(ana, b"never sent", crc64nvme=crc(b"never sent"))
    assert complete(ana, small, 409)["missing"] == "1"
    assert s3.ledger.count("CompleteMultipartUpload") == 0


def test_completed_twice_is_one_file_and_one_object(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(3, 2, 1))
    for _ in range(2):
        assert ana("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 202
    for _ in range(2):
        work()
    assert complete(ana, upload)["file"]["id"] == complete(ana, upload)["file"]["id"]
    assert File.objects.count() == 1
    assert [len(versions) for versions in bucket.versions.values()] == [1]
    (call,) = s3.ledger.of("CompleteMultipartUpload")
    assert call.status == 200


def test_multipart_upload_that_somebody_ended_is_said(ana: Visitor, bucket: Bucket) -> None:
    """By the bucket's lifecycle rule, for example."""
    upload = begin(ana)
    send(ana, upload, numbers=(1,))
    bucket.multiparts.clear()
    assert ana.json("GET", f"/uploads/{upload['id']}")["state"] == "failed"
    said = complete(ana, upload, 409)
    assert "Begin the upload again" in said["detail"]


def test_part_that_is_sent_while_the_upload_ends_leaves_nothing(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    upload = begin(ana)
    signed = sign(ana, upload, 1, pieces(upload)[1])
    hold = s3.faults.hold("UploadPart")
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(put, signed, pieces(upload)[1])
        assert hold.arrived.wait(10)
        assert ana("DELETE", f"/uploads/{upload['id']}").status_code == 204
        hold.release()
        assert refusal(sending.result(20)) == (404, "NoSuchUpload")
    assert not bucket.multiparts
    assert not list(s3.store.folder.iterdir())


# One byte


def test_one_flipped_byte_anywhere_is_refused(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    upload = begin(ana)
    chosen = random.Random(1)
    for number, piece in pieces(upload).items():
        signed = sign(ana, upload, number, piece)
        for at in (0, len(piece) - 1, *chosen.sample(range(len(piece)), 6)):
            assert refusal(put(signed, flipped(piece, at))) == (400, "BadDigest")
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == ""
    single = begin(ana, b"small file", crc64nvme=crc(b"small file"))
    for at in range(10):
        assert refusal(put(single["put"], flipped(b"small file", at))) == (400, "BadDigest")
    assert not bucket.versions
    send(ana, upload)
    assert content(complete(ana, upload)["file"]) == DATA


def test_cut_body_leaves_nothing_and_is_sent_again(ana: Visitor, s3: S3Double) -> None:
    upload = begin(ana)
    s3.faults.cut_body("UploadPart", after=500, times=2)
    client = Patient(ana)
    for number, piece in pieces(upload).items():
        client.put(sign(ana, upload, number, piece), piece)
    assert client.calls == 5
    assert content(complete(ana, upload)["file"]) == DATA


def test_byte_that_turns_in_the_bucket_is_found_before_anybody_reads_it(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana)
    send(ana, upload)
    assert ana("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 202
    finish_later(row(upload).pk)
    ((stored,),) = bucket.versions.values()
    piece = stored.pieces[1].path
    piece.write_bytes(flipped(piece.read_bytes(), 77))
    assert Examination.objects.count() == 1
    examine_due()
    file = File.objects.get()
    assert (file.scan_state, "damaged in the storage" in file.scan_detail) == ("quarantined", True)
    assert ana("GET", f"/files/{file.pk}/content").status_code == 409


def test_byte_that_turns_in_the_bucket_years_later_is_found_by_the_clock(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana)
    send(ana, upload)
    ana("POST", f"/uploads/{upload['id']}/complete", json={})
    finish_later(row(upload).pk)
    examine_due()
    File.objects.update(verified_at=Now() - timedelta(days=800))
    assert scrub() == 0
    ((stored,),) = bucket.versions.values()
    piece = stored.pieces[1].path
    piece.write_bytes(flipped(piece.read_bytes(), 77))
    File.objects.update(verified_at=Now() - timedelta(days=800))
    assert scrub() == 1
    answer = ana("GET", f"/files/{File.objects.get().pk}/content")
    assert (answer.status_code, "upload it again" in answer.json()["detail"]) == (409, True)
