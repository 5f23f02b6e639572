"""Buckets that do not know CRC64NVME: clients say SHA-256 or MD5 of each part too, and the bucket compares that."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from orchestration import crc64
from orchestration.models import File, Upload
from orchestration.storage.base import PutChecksum
from tests.api.direct import DATA, begin, complete, content, crc, pieces, put
from tests.s3_double.signed import refusal

if TYPE_CHECKING:
    from orchestration.storage.s3 import S3DirectStorage
    from tests.api.door import Visitor
    from tests.s3_double.server import S3Double

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_parts")]


@pytest.fixture(params=["sha256", "md5"])
def checksum(request: pytest.FixtureRequest, direct: S3DirectStorage, s3: S3Double) -> str:
    s3.rules.no_crc64, s3.rules.no_checksums = True, request.param == "md5"
    direct.checksum = PutChecksum(request.param)
    return str(request.param)


def digest(data: bytes, checksum: str) -> str:
    return base64.b64encode(hashlib.new(checksum, data, usedforsecurity=False).digest()).decode()


def sign(who: Visitor, upload: Any, number: int, data: bytes, checksum: str, status: int = 200) -> Any:
    part = {"number": number, "crc64nvme": crc(data), checksum: digest(data, checksum)}
    answer = who("POST", f"/uploads/{upload['id']}/parts", json={"parts": [part]})
    assert answer.status_code == status, answer.text
    return answer.json()["parts"][0] if status == 200 else answer.json()


def send(who: Visitor, upload: Any, checksum: str) -> None:
    for number, piece in pieces(upload).items():
        answer = put(sign(who, upload, number, piece, checksum), piece)
        assert answer.status_code == 200, answer.text


def test_clients_are_told_what_to_say(ana: Visitor, checksum: str) -> None:
    assert ana.json("GET", "/uploads/config")["checksums"] == ["crc64nvme", checksum]


def test_parts_arrive_and_become_the_file(ana: Visitor, checksum: str) -> None:
    upload = begin(ana)
    send(ana, upload, checksum)
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == "1-3"
    done = complete(ana, upload, crc64nvme=crc(DATA))
    assert content(done["file"]) == DATA
    file = File.objects.get()
    assert (file.scan_state, file.crc64nvme, file.sha256) == ("clean", crc(DATA), hashlib.sha256(DATA).hexdigest())


def test_flipped_byte_on_the_way_is_refused(ana: Visitor, checksum: str) -> None:
    upload = begin(ana)
    signed = sign(ana, upload, 1, DATA[:1_000], checksum)
    assert refusal(put(signed, b"\xff" + DATA[1:1_000])) == (400, "BadDigest")
    assert refusal(put(signed, DATA[:1_000], **{"x-amz-checksum-sha256": "A" * 43 + "="}))[0] == 403


def test_whole_that_is_not_what_was_announced_is_found_before_anybody_reads_it(ana: Visitor, checksum: str) -> None:
    upload = begin(ana)
    send(ana, upload, checksum)
    complete(ana, upload, crc64nvme=crc64.to_text(7))
    file = File.objects.get()
    assert (file.scan_state, "damaged" in file.scan_detail) == ("quarantined", True)
    assert ana("GET", f"/files/{file.pk}/content").status_code == 409


def test_whole_must_be_announced_and_nothing_is_lost_when_it_was_not(ana: Visitor, checksum: str) -> None:
    upload = begin(ana)
    send(ana, upload, checksum)
    answer = ana("POST", f"/uploads/{upload['id']}/complete", json={})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), answer.text
    assert "crc64nvme of the whole file" in answer.json()["detail"]
    assert ana("POST", f"/uploads/{upload['id']}/complete", json={"crc64nvme": "x"}).status_code == 422
    assert Upload.objects.get().state == "open"


def test_lost_answer_to_the_join_is_found_again(ana: Visitor, checksum: str, s3: S3Double) -> None:
    upload = begin(ana)
    send(ana, upload, checksum)
    s3.faults.lose_reply("CompleteMultipartUpload")
    assert content(complete(ana, upload, crc64nvme=crc(DATA))["file"]) == DATA


def test_small_file_goes_in_one_put_that_is_signed_with_it(ana: Visitor, checksum: str) -> None:
    upload = begin(ana, b"small", crc64nvme=crc(b"small"))
    assert upload["put"] is None, "the bucket would compare nothing with it"
    signed = sign(ana, upload, 1, b"small", checksum)
    assert refusal(put(signed, b"smoll")) == (400, "BadDigest")
    assert put(signed, b"small").status_code == 200
    assert content(complete(ana, upload)["file"]) == b"small"


def test_empty_file_is_complete_at_once(ana: Visitor, checksum: str) -> None:
    assert begin(ana, b"")["state"] == "complete"


def test_part_without_it_is_refused_with_where_to_look(ana: Visitor, checksum: str) -> None:
    upload = begin(ana)
    for wrong in ({}, {checksum: "no base64"}, {checksum: "AAAA"}):
        part = {"number": 1, "crc64nvme": crc(DATA[:1_000])} | wrong
        answer = ana("POST", f"/uploads/{upload['id']}/parts", json={"parts": [part]})
        assert answer.status_code == 422, answer.text
        assert f"checks {checksum} of every part" in answer.json()["detail"]
        assert "/uploads/config" in answer.json()["detail"]
