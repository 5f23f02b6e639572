"""tus 1.0 as its specification says, on the same uploads."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.models import File, Upload
from orchestration.states import UploadState
from tests.api.door import ALL_SCOPES, HOST, Client, Stalled, scope_for, token_of
from tests.api.tus import OFFSETS, TUS, content, create, encoded, head, patch

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


def test_server_says_what_it_offers_to_anybody(door: Door) -> None:
    said = door.send("OPTIONS", "/api/v1/tus")
    assert (said.status_code, said.headers["tus-version"]) == (204, "1.0.0")
    assert "termination" in said.headers["tus-extension"]


def test_without_a_token_nothing_is_begun(door: Door) -> None:
    assert door.send("POST", "/api/v1/tus", headers=TUS | {"Upload-Length": "1"}).status_code == 401
    assert not Upload.objects.exists()


def test_token_without_the_scope_begins_nothing(door: Door, owner: User) -> None:
    reader = door.as_(owner, tuple(s for s in ALL_SCOPES if s != "upload"))
    assert create(reader).status_code == 403


def test_other_version_is_refused(ana: Visitor) -> None:
    answer = ana("POST", "/tus", headers={"Tus-Resumable": "0.2.2", "Upload-Length": "1"})
    assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")


def test_file_comes_in_pieces(ana: Visitor) -> None:
    made = create(ana)
    where = made.headers["location"]
    assert (made.status_code, made.headers["upload-offset"]) == (201, "0")
    assert patch(ana, where, 0, b"he").headers["upload-offset"] == "2"
    assert head(ana, where).headers["upload-offset"] == "2"
    assert head(ana, where).headers["upload-length"] == "5"
    last = patch(ana, where, 2, b"llo")
    assert (last.status_code, last.headers["upload-offset"]) == (204, "5")
    file = File.objects.get()
    assert (content(), file.name, file.path) == (b"hello", "a ç.txt", "x/y")
    assert head(ana, where).headers["upload-offset"] == "5", "who asks once more hears that all is there"


def test_bytes_may_come_with_the_creation(ana: Visitor) -> None:
    made = create(ana, 5, b"hello", **OFFSETS)
    assert (made.status_code, made.headers["upload-offset"]) == (201, "5")
    assert content() == b"hello"


def test_empty_file_is_complete_at_once(ana: Visitor) -> None:
    assert create(ana, 0).status_code == 201
    assert content() == b""


def test_length_may_come_later(ana: Visitor) -> None:
    where = create(ana, None).headers["location"]
    assert head(ana, where).headers["upload-defer-length"] == "1"
    patch(ana, where, 0, b"hel")
    assert patch(ana, where, 3, b"lo", **{"Upload-Length": "5"}).status_code == 204
    assert content() == b"hello"


def test_other_offset_is_refused(ana: Visitor) -> None:
    where = create(ana).headers["location"]
    patch(ana, where, 0, b"he")
    for offset in (0, 3):
        assert patch(ana, where, offset, b"x").status_code == 409
    assert head(ana, where).headers["upload-offset"] == "2"


def test_more_than_announced_is_refused_and_does_not_count(ana: Visitor) -> None:
    where = create(ana).headers["location"]
    assert patch(ana, where, 0, b"hello!").status_code == 413
    assert head(ana, where).headers["upload-offset"] == "0"


@pytest.mark.parametrize(
    ("algorithm", "digest"), [("sha1", hashlib.sha1), ("sha256", hashlib.sha256), ("md5", hashlib.md5)]
)
def test_wrong_checksum_is_460_and_nothing_counts(ana: Visitor, algorithm: str, digest: Any) -> None:
    where = create(ana).headers["location"]
    wrong = base64.b64encode(digest(b"other").digest()).decode()
    answer = patch(ana, where, 0, b"hello", **{"Upload-Checksum": f"{algorithm} {wrong}"})
    assert answer.status_code == 460
    assert head(ana, where).headers["upload-offset"] == "0"
    right = base64.b64encode(digest(b"hello").digest()).decode()
    assert patch(ana, where, 0, b"hello", **{"Upload-Checksum": f"{algorithm} {right}"}).status_code == 204


def test_what_came_before_the_line_was_cut_counts(ana: Visitor, owner: User) -> None:
    where = create(ana).headers["location"]
    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {token_of(owner)}".encode())]
    headers += [(k.lower().encode(), v.encode()) for k, v in (TUS | OFFSETS | {"Upload-Offset": "0"}).items()]
    headers += [(b"content-length", b"5")]
    client = Client(b"he", leaves=True)

    async def cut() -> None:
        await ana.door.app(scope_for("PATCH", where, headers), client.receive, client.send)

    ana.door.run(cut())
    assert head(ana, where).headers["upload-offset"] == "2"
    assert patch(ana, where, 2, b"llo").status_code == 204
    assert content() == b"hello"


def test_new_request_ends_the_one_in_flight(ana: Visitor, owner: User) -> None:
    where = create(ana).headers["location"]
    token = token_of(owner)

    def wire(offset: int) -> Any:
        said = TUS | OFFSETS | {"Upload-Offset": str(offset), "Authorization": f"Bearer {token}", "Host": HOST}
        return scope_for("PATCH", where, [(k.lower().encode(), v.encode()) for k, v in said.items()])

    async def both() -> tuple[int, int]:
        dead, alive = Stalled(b"he"), Client(b"llo")
        first = asyncio.ensure_future(ana.door.app(wire(0), dead.receive, dead.send))
        await asyncio.wait_for(dead.is_waited_for.wait(), 10)
        probe = Client(b"x")
        await asyncio.wait_for(ana.door.app(wire(0), probe.receive, probe.send), 10)
        await asyncio.wait_for(first, 10)
        await ana.door.app(wire(2), alive.receive, alive.send)
        return probe.answer.status, alive.answer.status

    # The probe ends the dead one, whose two bytes count from then on, so it is itself at the wrong place.
    assert ana.door.run(both()) == (409, 204)
    assert content() == b"hello"


def test_deleted_upload_is_gone(ana: Visitor) -> None:
    where = create(ana).headers["location"]
    patch(ana, where, 0, b"he")
    assert ana("DELETE", where.removeprefix("/api/v1"), headers=TUS).status_code == 204
    assert head(ana, where).status_code == 410
    assert patch(ana, where, 2, b"llo").status_code == 409


def test_end_of_an_upload_is_told_and_kept(ana: Visitor) -> None:
    made = create(ana)
    assert made.headers["upload-expires"].endswith("GMT")
    Upload.objects.update(expires_at=F("created_at") - timedelta(seconds=1))
    abandoned.expire_uploads()
    assert Upload.objects.get().state == UploadState.EXPIRED
    assert patch(ana, made.headers["location"], 0, b"x").status_code == 410


def test_other_people_do_not_find_it(ana: Visitor, eva: Visitor) -> None:
    where = create(ana).headers["location"]
    assert head(eva, where).status_code == 404
    assert patch(eva, where, 0, b"x").status_code == 404


def test_other_door_does_not_write(ana: Visitor) -> None:
    made = create(ana).headers["location"].rpartition("/")[2]
    parts = {"parts": [{"number": 1, "crc64nvme": "rosUhgp5mIg="}]}
    assert ana.json("POST", f"/uploads/{made}/parts", 409, json=parts)["code"] == "wrong_door"
    theirs = ana.json("POST", "/uploads", 201, json={"name": "a", "size": 5})["id"]
    assert patch(ana, f"/api/v1/tus/{theirs}", 0, b"hello").status_code == 409


@pytest.mark.parametrize(
    "headers",
    [
        {"Upload-Length": "x"},
        {"Upload-Length": "-1"},
        {},
        {"Upload-Length": "1", "Upload-Metadata": "filename §"},
        {"Upload-Length": "1", "Upload-Metadata": f"filename {encoded('../etc/passwd')}"},
    ],
    ids=["letters", "negative", "none", "no base64", "climbing"],
)
def test_bad_creation_is_refused(ana: Visitor, headers: dict[str, str]) -> None:
    sent = {k: v.encode() for k, v in (TUS | headers).items()}
    assert ana("POST", "/tus", headers=sent).status_code == 422
    assert not Upload.objects.exists()
