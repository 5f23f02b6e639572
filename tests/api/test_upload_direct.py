"""Note 0003 on object storage, from the API's door to the bytes in the bucket: whole or not at all."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.models import File, Upload, UploadPart, Workspace
from orchestration.services.uploads.limits import MIB
from orchestration.states import UploadState
from tests.api.direct import DATA, PART, Meter, begin, complete, content, crc, fetch, pieces, put, send, sign, work
from tests.s3_double.signed import refusal

if TYPE_CHECKING:
    from tests.api.door import Door, Visitor
    from tests.s3_double.server import S3Double
    from tests.s3_double.store import Bucket

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_parts")]


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    from project import asgi

    meter = Meter(asgi.application)
    monkeypatch.setattr(asgi, "application", meter)
    return meter


@pytest.fixture
def metered(meter: Meter, door: Door) -> Door:
    return door


def test_no_byte_of_a_file_passes_through_the_application(
    meter: Meter, metered: Door, ana: Visitor, s3: S3Double
) -> None:
    """With parts of real size."""
    s3.rules.min_part_size = 5 * MIB
    data = random.Random(5).randbytes(11 * MIB)
    upload = begin(ana, data, part_size_hint=5 * MIB)
    assert (upload["transport"], upload["mode"], upload["part_count"]) == ("direct", "parts", 3)
    send(ana, upload, data)
    file = complete(ana, upload, crc64nvme=crc(data))["file"]
    assert (s3.ledger.bytes_in["UploadPart"], s3.ledger.bytes_in["PutObject"]) == (len(data), 0)
    s3.ledger.clear()
    assert fetch(ana, file).content == data
    assert s3.ledger.bytes_out["GetObject"] == len(data), "once, by who asked"
    assert 0 < meter.bytes_in < 1_000
    assert 0 < meter.bytes_out < 20_000
    assert not meter.saw(data)
    assert file["crc64nvme"] == crc(data)


def test_parts_in_any_order_become_the_file(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana, path="photos/2026", content_type="text/csv")
    assert (upload["state"], upload["mode"], upload["part_count"], upload["received"]) == ("open", "parts", 3, "")
    send(ana, upload, numbers=(3, 1))
    seen = ana.json("GET", f"/uploads/{upload['id']}")
    assert (seen["received"], seen["received_bytes"]) == ("1,3", 1_500), "as ListParts says"
    assert not UploadPart.objects.exists(), "no row is kept for a part"
    send(ana, upload, numbers=(2,))
    done = complete(ana, upload, crc64nvme=crc(DATA))
    assert (done["state"], done["received"], done["file"]["path"]) == ("complete", "1-3", "photos/2026")
    assert content(done["file"]) == DATA
    row = File.objects.get()
    stored = bucket.version(f"uploads/{row.key}", row.version)
    assert (stored.size, stored.sums, stored.part_count) == (len(DATA), {"crc64nvme": crc(DATA)}, 3)
    assert complete(ana, upload)["file"]["id"] == done["file"]["id"], "a repeated call says the same"
    assert not bucket.multiparts


def test_received_is_read_page_by_page(ana: Visitor, s3: S3Double) -> None:
    s3.rules.page_size = 2
    data = random.Random(7).randbytes(7 * PART)
    upload = begin(ana, data)
    send(ana, upload, data)
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == "1-7"
    assert content(complete(ana, upload)["file"]) == data


def test_small_file_needs_one_put_and_no_signing(ana: Visitor) -> None:
    data = b"a,b\n1,2\n"
    upload = begin(ana, data, crc64nvme=crc(data), name="t.csv", content_type="text/csv")
    assert (upload["mode"], upload["put"]["number"]) == ("single", 1)
    assert put(upload["put"], data).status_code == 200
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == "1"
    file = complete(ana, upload)["file"]
    work()
    file = ana.json("GET", f"/files/{file['id']}")
    assert (file["media_type"], file["scan_state"], content(file)) == ("text/csv", "clean", data)


def test_small_file_without_checksum_at_first_gets_one_by_signing(ana: Visitor) -> None:
    upload = begin(ana, b"hello")
    assert upload["put"] is None
    send(ana, upload, b"hello")
    assert complete(ana, upload)["file"]["crc64nvme"] == crc(b"hello")


def test_empty_file_is_complete_at_once(ana: Visitor) -> None:
    upload = begin(ana, b"")
    assert (upload["state"], upload["file"]["size"], content(upload["file"])) == ("complete", 0, b"")


def many(who: Visitor, count: int) -> list[Any]:
    files = [{"name": f"{n}.txt", "size": 1, "crc64nvme": crc(bytes([n]))} for n in range(count)]
    said = who.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": files})["results"]
    return [result["upload"] for result in said]


def test_batch_is_completed_by_one_listing(ana: Visitor, s3: S3Double) -> None:
    made = many(ana, 20)
    for n, upload in enumerate(made):
        assert put(upload["put"], bytes([n])).status_code == 200
    s3.ledger.clear()
    results = ana.json("POST", "/uploads:complete", json={"ids": [u["id"] for u in made]})["results"]
    assert [r["upload"]["state"] for r in results] == ["complete"] * 20
    assert s3.ledger.count() <= 2, "not a call for each file"
    assert [content(r["upload"]["file"]) for r in results] == [bytes([n]) for n in range(20)]
    assert all(File.objects.values_list("version", flat=True)), "each is pinned to what was there"


def test_batch_completes_what_is_there_and_names_the_rest(ana: Visitor) -> None:
    first, second, _third = many(ana, 3)
    put(second["put"], bytes([1]))
    parts = begin(ana)
    send(ana, parts)
    ids = [first["id"], second["id"], parts["id"]]
    said = ana.json("POST", "/uploads:complete", json={"ids": ids})["results"]
    assert said[0]["problem"]["code"] == "parts_missing"
    assert said[1]["upload"]["state"] == "complete"
    assert said[2]["upload"]["state"] == "completing", "its parts are joined by a worker"
    work()
    assert ana.json("POST", "/uploads:complete", json={"ids": ids})["results"][2]["upload"]["state"] == "complete"


def test_many_small_files_are_signed_in_one_call(ana: Visitor) -> None:
    made = [begin(ana, bytes([n])) for n in range(3)]
    wanted = [{"id": u["id"], "number": 1, "crc64nvme": crc(bytes([n]))} for n, u in enumerate(made)]
    said = ana.json("POST", "/uploads:sign", json={"parts": wanted})["results"]
    assert [put(r["part"], bytes([n])).status_code for n, r in enumerate(said)] == [200] * 3


def test_aborted_upload_leaves_nothing_in_the_bucket(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(1,))
    signed = sign(ana, upload, 2, pieces(upload)[2])
    small = begin(ana, b"hello", crc64nvme=crc(b"hello"))
    put(small["put"], b"hello")
    for _ in range(2):
        assert ana("DELETE", f"/uploads/{upload['id']}").status_code == 204
        assert ana("DELETE", f"/uploads/{small['id']}").status_code == 204
    assert (bucket.multiparts, bucket.versions) == ({}, {})
    assert refusal(put(signed, pieces(upload)[2])) == (404, "NoSuchUpload")
    said = ana.json("POST", f"/uploads/{upload['id']}/complete", 409)
    assert (said["code"], said["state"]) == ("upload_not_open", "aborted")


def test_open_upload_is_found_again_and_goes_on_where_it_was(ana: Visitor, s3: S3Double) -> None:
    first = begin(ana, fingerprint="a.bin|2500|0|")
    send(ana, first, numbers=(2,))
    s3.ledger.clear()
    again = begin(ana, status=200, fingerprint="a.bin|2500|0|", resume=True)
    assert (again["id"], again["received"]) == (first["id"], "2")
    (listed,) = ana.json("GET", "/uploads?state=open&fingerprint=a.bin|2500|0|")["items"]
    assert (listed["id"], listed["received"]) == (first["id"], None), "of a list the bucket is not asked"
    send(ana, again, numbers=(1, 3))
    assert s3.ledger.count("CreateMultipartUpload") == 0
    assert content(complete(ana, again)["file"]) == DATA


def test_unknown_size_is_known_at_the_end(ana: Visitor) -> None:
    upload = begin(ana, size=None)
    assert upload["part_count"] is None
    first, last = DATA[:PART], DATA[PART : PART + 300]
    assert put(sign(ana, upload, 1, first), first).status_code == 200
    assert put(sign(ana, upload, 2, last, size=300), last).status_code == 200
    assert complete(ana, upload, 422, size=1)["code"] == "invalid"
    assert content(complete(ana, upload, size=1_300)["file"]) == DATA[:1_300]


def test_short_part_in_the_middle_of_an_unknown_size_is_missing(ana: Visitor) -> None:
    upload = begin(ana, size=None)
    for number, size in ((1, 300), (2, PART)):
        assert put(sign(ana, upload, number, DATA[:size], size=size), DATA[:size]).status_code == 200
    assert complete(ana, upload, 409)["missing"] == "1"


def test_room_is_reserved_freed_and_checked_again(ana: Visitor) -> None:
    Workspace.objects.update(quota_bytes=len(DATA) + 10)
    first = begin(ana)
    assert begin(ana, status=403)["code"] == "quota_exceeded"
    ana("DELETE", f"/uploads/{first['id']}")
    second = begin(ana)
    send(ana, second)
    Workspace.objects.update(quota_bytes=5)
    assert complete(ana, second, 403)["code"] == "quota_exceeded"
    Workspace.objects.update(quota_bytes=None)
    complete(ana, second)


def test_whole_file_checksum_that_differs_fails_the_upload_and_deletes_its_bytes(ana: Visitor, bucket: Bucket) -> None:
    for data in (DATA, b"small"):
        upload = begin(ana, data)
        send(ana, upload, data)
        assert complete(ana, upload, 422, crc64nvme=crc(b"other"))["code"] == "checksum_mismatch"
    assert (bucket.multiparts, bucket.versions) == ({}, {})
    assert set(Upload.objects.values_list("state", flat=True)) == {UploadState.FAILED}
    assert not File.objects.exists()


def test_part_that_does_not_exist_or_fit_is_not_signed(ana: Visitor) -> None:
    upload = begin(ana)
    for number, more in ((4, {}), (1, {"size": 5}), (3, {"size": PART})):
        body = {"parts": [{"number": number, "crc64nvme": crc(b""), **more}]}
        assert ana.json("POST", f"/uploads/{upload['id']}/parts", 422, json=body)["code"] == "bad_part_number"


def test_one_multipart_upload_however_often_parts_are_signed(ana: Visitor, s3: S3Double, bucket: Bucket) -> None:
    upload = begin(ana)
    for _ in range(3):
        sign(ana, upload, 1, pieces(upload)[1])
    assert (s3.ledger.count("CreateMultipartUpload"), len(bucket.multiparts)) == (1, 1)


def test_expired_upload_leaves_nothing_in_the_bucket(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(1,))
    Upload.objects.update(expires_at=F("created_at") - timedelta(seconds=1))
    assert abandoned.heal_uploads() == 1
    assert not bucket.multiparts
    body = {"parts": [{"number": 1, "crc64nvme": crc(b"")}]}
    assert ana.json("POST", f"/uploads/{upload['id']}/parts", 410, json=body)["code"] == "upload_expired"


def test_config_says_where_to_send(ana: Visitor) -> None:
    said = ana.json("GET", "/uploads/config")
    assert (said["transport"], said["tus"], said["inline_max"]) == ("direct", None, 0)


def test_no_door_takes_the_bytes_itself(ana: Visitor) -> None:
    said = ana.json("POST", "/uploads?name=a.csv", 413, content=DATA)
    assert said["code"] == "send_directly"
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "5", "Upload-Metadata": "filename YQ=="}
    assert ana("POST", "/tus", headers=headers).status_code == 404
    assert not Upload.objects.exists()
