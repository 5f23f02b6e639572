"""Resumable Uploads for HTTP as its draft says, on the same uploads, where it is switched on."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.models import File, Upload, Workspace
from orchestration.states import UploadState
from tests.api.tus import TUS, content
from tests.api.tus import create as create_by_tus
from tests.api.tus import head as head_by_tus
from tests.api.tus import patch as patch_by_tus

if TYPE_CHECKING:
    import httpx

    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db
PROBLEMS = "https://iana.org/assignments/http-problem-types#"
PART = {"Content-Type": "application/partial-upload"}
LAST, MORE = {"Upload-Complete": "?1"}, {"Upload-Complete": "?0"}


@pytest.fixture(autouse=True)
def switched_on(settings: Any) -> None:
    settings.UPLOAD_IETF = True


def sha256(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def create(who: Visitor, data: bytes = b"", **headers: str) -> httpx.Response:
    names = {"Content-Disposition": "inline; filename*=UTF-8''a%20%C3%A7.txt", "Content-Type": "text/plain"}
    return who("POST", "/tus?workspace=lab", content=data, headers=names | headers)


def begun(who: Visitor, data: bytes = b"", **headers: str) -> str:
    made = create(who, data, **MORE, **headers)
    assert made.status_code == 201, made.text
    return str(made.headers["location"])


def patch(who: Visitor, where: str, offset: int, data: bytes, **headers: str) -> httpx.Response:
    sent = PART | {"Upload-Offset": str(offset)} | headers
    return who("PATCH", where.removeprefix("/api/v1"), content=data, headers=sent)


def head(who: Visitor, where: str) -> httpx.Response:
    return who("HEAD", where.removeprefix("/api/v1"))


def test_switched_off_nobody_speaks_it(ana: Visitor, settings: Any) -> None:
    settings.UPLOAD_IETF = False
    assert create(ana, b"hello", **LAST).status_code == 412
    assert "accept-patch" not in ana.door.send("OPTIONS", "/api/v1/tus").headers
    assert not Upload.objects.exists()


def test_server_says_that_it_speaks_it(ana: Visitor, settings: Any) -> None:
    said = ana.door.send("OPTIONS", "/api/v1/tus").headers
    assert said["accept-patch"] == "application/partial-upload"
    assert said["upload-limit"] == f"max-size={settings.MAX_UPLOAD_BYTES}"


def test_whole_file_comes_in_one_request(ana: Visitor) -> None:
    made = create(ana, b"hello", **LAST)
    assert (made.status_code, made.headers["upload-complete"]) == (201, "?1")
    file = File.objects.get()
    assert (content(), file.name) == (b"hello", "a ç.txt")
    assert made.json()["file"]["id"] == str(file.pk)


def test_file_comes_in_pieces(ana: Visitor) -> None:
    where = begun(ana, b"he", **{"Upload-Length": "5"})
    asked = head(ana, where)
    assert (asked.status_code, asked.headers["upload-offset"], asked.headers["upload-length"]) == (204, "2", "5")
    assert asked.headers["upload-complete"] == "?0"
    assert "max-age=" in asked.headers["upload-limit"]
    more = patch(ana, where, 2, b"l", **MORE)
    assert (more.status_code, more.headers["upload-offset"], more.headers["upload-complete"]) == (204, "3", "?0")
    last = patch(ana, where, 3, b"lo", **LAST)
    assert (last.status_code, last.headers["upload-complete"]) == (200, "?1")
    assert content() == b"hello"
    assert head(ana, where).headers["upload-complete"] == "?1"


def test_length_need_not_be_known(ana: Visitor) -> None:
    where = begun(ana)
    assert "upload-length" not in head(ana, where).headers
    patch(ana, where, 0, b"hello", **MORE)
    assert patch(ana, where, 5, b"", **LAST).status_code == 200
    assert content() == b"hello"


def test_upload_is_complete_only_when_its_sender_says_so(ana: Visitor) -> None:
    where = begun(ana, b"hello", **{"Upload-Length": "5"})
    Upload.objects.update(touched_at=F("touched_at") - abandoned.SILENT * 2)
    abandoned.heal_uploads()
    assert head_by_tus(ana, where).headers["upload-offset"] == "5"
    assert not File.objects.exists()
    assert patch(ana, where, 5, b"", **LAST).status_code == 200
    assert content() == b"hello"


def test_empty_file_is_a_file(ana: Visitor) -> None:
    assert create(ana, b"", **LAST).status_code == 201
    assert content() == b""


def test_other_offset_is_refused_with_the_right_one(ana: Visitor) -> None:
    where = begun(ana, b"he")
    refused = patch(ana, where, 3, b"x", **LAST)
    assert (refused.status_code, refused.headers["upload-offset"]) == (409, "2")
    said = refused.json()
    assert said["type"] == f"{PROBLEMS}mismatching-upload-offset"
    assert (said["expected-offset"], said["provided-offset"]) == (2, 3)
    assert head(ana, where).headers["upload-offset"] == "2"
    assert "upload-length" not in head(ana, where).headers, "what was refused says nothing of the length"


@pytest.mark.parametrize(
    ("data", "headers"),
    [(b"xy", LAST), (b"wxyz", LAST), (b"x", MORE | {"Upload-Length": "6"}), (b"xyz", LAST | {"Upload-Length": "6"})],
    ids=["too short", "too long", "another length", "two lengths"],
)
def test_inconsistent_length_is_refused_and_keeps_what_came(ana: Visitor, data: bytes, headers: dict[str, str]) -> None:
    where = begun(ana, b"he", **{"Upload-Length": "5"})
    refused = patch(ana, where, 2, data, **headers)
    assert (refused.status_code, refused.json()["type"]) == (400, f"{PROBLEMS}inconsistent-upload-length")
    assert patch(ana, where, 2, b"llo", **LAST).status_code == 200
    assert content() == b"hello"


def test_complete_upload_takes_nothing_more(ana: Visitor) -> None:
    where = begun(ana, b"hello")
    patch(ana, where, 5, b"", **LAST)
    again = patch(ana, where, 5, b"", **LAST)
    assert (again.status_code, again.json()["type"]) == (410, f"{PROBLEMS}completed-upload")
    more = patch(ana, where, 5, b"x", **MORE)
    assert (more.status_code, more.json()["type"]) == (400, f"{PROBLEMS}inconsistent-upload-length")
    assert content() == b"hello"


def test_too_large_is_refused_with_the_limit(ana: Visitor, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 4
    refused = create(ana, b"", **MORE, **{"Upload-Length": "5"})
    assert (refused.status_code, refused.headers["upload-limit"]) == (413, "max-size=4")


def test_damaged_request_does_not_count(ana: Visitor) -> None:
    where = begun(ana)
    refused = patch(ana, where, 0, b"hello", **MORE, **{"Content-Digest": sha256(b"other")})
    assert (refused.status_code, refused.json()["code"]) == (400, "checksum_mismatch")
    assert head(ana, where).headers["upload-offset"] == "0"
    assert patch(ana, where, 0, b"hello", **LAST, **{"Content-Digest": sha256(b"hello")}).status_code == 200


def test_digest_of_the_whole_is_checked_at_the_end(ana: Visitor) -> None:
    where = begun(ana, b"he", **{"Repr-Digest": sha256(b"hello")})
    assert patch(ana, where, 2, b"llo", **LAST).status_code == 200
    wrong = begun(ana, b"he", **{"Repr-Digest": sha256(b"other")})
    refused = patch(ana, wrong, 2, b"llo", **LAST)
    assert (refused.status_code, refused.json()["code"]) == (422, "checksum_mismatch")
    assert refused.headers["upload-complete"] == "?1", "sending it again would not help"
    assert head(ana, wrong).status_code == 410
    assert File.objects.count() == 1


def test_deleted_upload_is_gone(ana: Visitor) -> None:
    where = begun(ana, b"he")
    assert ana("DELETE", where.removeprefix("/api/v1")).status_code == 204
    assert head(ana, where).status_code == 410
    assert Upload.objects.get().state == UploadState.ABORTED


@pytest.mark.parametrize("version", ["5", "6", "8"])
def test_version_of_the_draft_is_echoed(ana: Visitor, version: str) -> None:
    made = create(ana, b"hello", **LAST, **{"Upload-Draft-Interop-Version": version})
    assert made.headers["upload-draft-interop-version"] == version


def test_unknown_version_is_refused(ana: Visitor) -> None:
    assert create(ana, b"", **MORE, **{"Upload-Draft-Interop-Version": "3"}).status_code == 400
    assert not Upload.objects.exists()


def test_version_five_has_no_type_of_its_own(ana: Visitor) -> None:
    where = begun(ana)
    typed = {"Content-Type": "image/png"}
    assert patch(ana, where, 0, b"hello", **LAST, **typed).status_code == 415
    assert patch(ana, where, 0, b"hello", **LAST, **typed, **{"Upload-Draft-Interop-Version": "5"}).status_code == 200


@pytest.mark.parametrize("said", ["", "1", "true", "?2"])
def test_whether_it_is_the_last_must_be_said(ana: Visitor, said: str) -> None:
    assert patch(ana, begun(ana), 0, b"x", **{"Upload-Complete": said}).status_code == 422


def test_each_protocol_writes_its_own(ana: Visitor) -> None:
    where = begun(ana, b"he")
    assert patch_by_tus(ana, where, 2, b"llo").json()["code"] == "wrong_door"
    theirs = create_by_tus(ana).headers["location"]
    assert patch(ana, theirs, 0, b"hello", **LAST).json()["code"] == "wrong_door"
    assert head(ana, theirs).headers["upload-offset"] == "0", "reading is free"


def test_other_people_do_not_find_it(ana: Visitor, eva: Visitor) -> None:
    where = begun(ana, b"he")
    assert head(eva, where).status_code == 404
    assert patch(eva, where, 2, b"llo", **LAST).status_code == 404


def test_room_is_taken_when_the_length_is_known(ana: Visitor) -> None:
    Workspace.objects.update(quota_bytes=4)
    refused = patch(ana, begun(ana), 0, b"hello", **LAST)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")


def test_tus_goes_on_beside_it(ana: Visitor) -> None:
    assert create_by_tus(ana, 5, b"hello", **{"Content-Type": "application/offset+octet-stream"}).status_code == 201
    assert ana("OPTIONS", "/tus", headers=TUS).headers["tus-version"] == "1.0.0"
