"""Uploads cut anywhere, abandoned by the thousand, or larger than anything: nothing is half there, all room returns."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from django.conf import settings
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.models import File, Upload, UploadPart, Workspace
from orchestration.models.usage import reserved_bytes
from orchestration.services.uploads.limits import BATCH_MAX, MIB
from orchestration.states import UploadState
from tests.api.door import HOST, Client, scope_for
from tests.api.uploading import begin, complete, content, pieces, put, send, sign

if TYPE_CHECKING:
    from pytest_django import Settings

    from orchestration.models import User
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db
CHUNK: Final = 64 << 10
BODY: Final = bytes(range(256)) * (12 * CHUNK // 256) + b"rest"
CUTS: Final = sorted({0, 1, CHUNK - 1, CHUNK + 1, MIB // 2, len(BODY) - 1, *range(0, len(BODY), CHUNK)})
GIB: Final = 1 << 30


def lying() -> set[Path]:
    """Whatever is there for uploads: nobody may see half a file under any name."""
    return {path for path in (Path(settings.ESTEIRA_HOME) / "storage" / "uploads").rglob("*") if path.is_file()}


def cut(door: Door, method: str, path: str, headers: dict[str, str], at: int) -> int:
    chunks = [BODY[:at][start : start + CHUNK] for start in range(0, at, CHUNK)]
    raw = [(b"host", HOST.encode()), *[(k.lower().encode(), v.encode()) for k, v in headers.items()]]
    client = Client(*chunks, leaves=True)
    door.run(asyncio.wait_for(door.app(scope_for(method, path, raw), client.receive, client.send), 30))
    return client.answer.status


def test_file_that_is_cut_anywhere_is_not_there(ana: Visitor) -> None:
    before = lying()
    headers = {"Authorization": f"Bearer {ana.token}", "Content-Length": str(len(BODY))}
    for at in CUTS:
        assert cut(ana.door, "POST", "/api/v1/uploads?name=a", headers, at) in {0, 499}, at
        assert not File.objects.exists()
        assert lying() == before, f"cut after {at} bytes"


def test_part_that_is_cut_anywhere_does_not_count(ana: Visitor) -> None:
    upload = begin(ana, BODY * 8)
    signed = sign(ana, upload, 1, pieces(upload, BODY * 8)[1])
    for at in CUTS:
        cut(ana.door, "PUT", signed["url"], signed["headers"], at)
        assert not UploadPart.objects.exists(), f"cut after {at} bytes"
    assert complete(ana, upload, 409)["missing"] == "1-2"
    send(ana, upload, BODY * 8)
    assert content(complete(ana, upload)["file"]["id"]) == BODY * 8


def test_thousand_abandoned_uploads_are_all_aborted_and_their_room_returns(ana: Visitor, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(quota_bytes=BATCH_MAX * 6 * MIB)
    asked = [{"name": f"{n}.bin", "size": 6 * MIB, "part_size_hint": 5 * MIB} for n in range(BATCH_MAX)]
    said = ana.json("POST", "/uploads:batch", json={"workspace": "lab", "uploads": asked})["results"]
    assert begin(ana, b"x", 403)["code"] == "quota_exceeded"
    before = lying()
    data = bytes(6 * MIB)
    for result in said[:3]:
        send(ana, result["upload"], data, numbers=(2,))
    assert len(lying() - before) == 3
    Upload.objects.update(expires_at=F("created_at") - timedelta(seconds=1))
    while abandoned.heal_uploads():
        pass
    assert set(Upload.objects.values_list("state", flat=True)) == {UploadState.EXPIRED}
    assert lying() == before
    assert not UploadPart.objects.exists()
    assert reserved_bytes(lab) == 0
    assert begin(ana, b"x")["state"] == "open"


def test_open_uploads_are_counted_for_each_person(ana: Visitor, bruno: Visitor, settings: Settings) -> None:
    settings.MAX_OPEN_UPLOADS = 5
    asked = [{"name": f"{n}", "size": 1} for n in range(6)]
    said = ana.json("POST", "/uploads:batch", 429, json={"workspace": "lab", "uploads": asked, "atomic": True})
    assert said["code"] == "too_many_open_uploads"
    assert not Upload.objects.exists()
    mine = [begin(ana, b"x", name=str(n)) for n in range(5)]
    assert begin(ana, b"x", 429)["code"] == "too_many_open_uploads"
    assert begin(bruno, b"x")["state"] == "open", "somebody else's do not count"
    ana("DELETE", f"/uploads/{mine[0]['id']}")
    assert begin(ana, b"x")["state"] == "open"


def test_ten_gibibytes_that_are_only_said_take_no_room_on_the_disk(ana: Visitor, owner: User, lab: Workspace) -> None:
    """The length is a promise: its room is reserved by number, and a part in the middle makes a hole, not 10 GiB."""
    before = lying()
    upload = begin(ana, b"", size=10 * GIB)
    number = upload["part_count"] // 2
    part = bytes(upload["part_size"])
    assert put(ana.door, sign(ana, upload, number, part), part).status_code == 200
    (grown,) = lying() - before
    assert grown.stat().st_size > 4 * GIB
    assert grown.stat().st_blocks * 512 < 2 * upload["part_size"]
    assert complete(ana, upload, 409)["code"] == "parts_missing"
    assert reserved_bytes(lab) == 10 * GIB
    ana("DELETE", f"/uploads/{upload['id']}")
    assert (lying(), reserved_bytes(lab)) == (before, 0)


def test_sparse_file_counts_in_full_against_the_quota(ana: Visitor, lab: Workspace) -> None:
    Workspace.objects.filter(pk=lab.pk).update(quota_bytes=GIB)
    said = begin(ana, b"", 403, size=10 * GIB)
    assert (said["code"], "lab may hold" in said["detail"]) == ("quota_exceeded", True)
    assert begin(ana, b"", 413, size=50 << 40)["code"] == "too_large"
    assert not Upload.objects.exists()
