"""Parts under trouble: two at once, a full disk, a disk that fails. What was not acknowledged does not count."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.errors import PartBusy
from orchestration.execution import finishing
from orchestration.execution.finishing import local_parts
from orchestration.models import File, Upload, UploadPart
from orchestration.states import UploadState
from orchestration.storage import local_parts as local_parts_module
from orchestration.storage.local_parts import LocalParts
from tests.api.door import HOST, Client, Stalled, scope_for
from tests.api.test_uploads import leftovers
from tests.api.uploading import DATA, begin, complete, content, crc, pieces, put, send, sign

if TYPE_CHECKING:
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


def wire(signed: Any) -> Any:
    headers = [(k.lower().encode(), v.encode()) for k, v in signed["headers"].items()]
    return scope_for("PUT", signed["url"], [(b"host", HOST.encode()), *headers])


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def without_descriptors(*_: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def failing(*_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_new_request_for_a_part_ends_the_one_that_stalls(ana: Visitor) -> None:
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)

    async def both() -> tuple[int, int]:
        dead, alive = Stalled(b"wrong bytes"), Client(part)
        first = asyncio.ensure_future(ana.door.app(wire(signed), dead.receive, dead.send))
        await asyncio.wait_for(dead.is_waited_for.wait(), 10)
        await asyncio.wait_for(ana.door.app(wire(signed), alive.receive, alive.send), 10)
        await asyncio.wait_for(first, 10)
        return dead.answer.status, alive.answer.status

    assert ana.door.run(both()) == (409, 200)
    send(ana, upload, numbers=(2, 3))
    assert content(complete(ana, upload)["file"]["id"]) == DATA


def test_part_that_another_process_writes_is_busy(ana: Visitor) -> None:
    upload = begin(ana)
    part = pieces(upload)[2]
    parts = local_parts(Upload.objects.get())
    assert parts is not None
    fd = parts.open_part(Upload.objects.get().pk, upload["part_size"], len(part))
    try:
        answer = put(ana.door, sign(ana, upload, 2, part), part)
        assert (answer.status_code, answer.json()["code"]) == (409, "part_busy")
        assert answer.headers["retry-after"] == "1"
        other = pieces(upload)[1]
        assert put(ana.door, sign(ana, upload, 1, other), other).status_code == 200, "only these bytes are locked"
    finally:
        os.close(fd)
    assert put(ana.door, sign(ana, upload, 2, part), part).status_code == 200


def test_cut_part_does_not_count(ana: Visitor) -> None:
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)

    async def cut() -> None:
        client = Client(part[:1_000_000], leaves=True)
        await ana.door.app(wire(signed), client.receive, client.send)

    ana.door.run(cut())
    assert not UploadPart.objects.exists()
    assert put(ana.door, signed, part).status_code == 200


def test_cut_small_file_leaves_nothing(ana: Visitor) -> None:
    upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))

    async def cut() -> None:
        client = Client(b"he", leaves=True)
        await ana.door.app(wire(upload["put"]), client.receive, client.send)

    ana.door.run(cut())
    parts = local_parts(Upload.objects.get())
    assert parts is not None
    assert not list(parts.path(Upload.objects.get().pk).parent.glob(f"{upload['id']}*"))


def test_no_room_is_said_before_the_body_is_read(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)
    with monkeypatch.context() as broken:
        broken.setattr(LocalParts, "free_bytes", lambda _: 10)
        assert begin(ana, status=507)["code"] == "storage_full"
        assert put(ana.door, signed, part).json()["code"] == "storage_full"
    assert put(ana.door, signed, part).status_code == 200


@pytest.mark.parametrize("small", [True, False], ids=["small", "part"])
def test_disk_that_fills_up_meanwhile_is_said(ana: Visitor, monkeypatch: pytest.MonkeyPatch, *, small: bool) -> None:
    data = b"hello" if small else DATA
    upload = begin(ana, data)
    part = pieces(upload, data)[1]
    signed = sign(ana, upload, 1, part)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", full)
        answer = put(ana.door, signed, part)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert not UploadPart.objects.exists()
    assert put(ana.door, signed, part).status_code == 200


def test_disk_that_fails_to_sync_is_not_asked_twice(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana)
    send(ana, upload)
    monkeypatch.setattr(os, "fdatasync", failing)
    said = complete(ana, upload, 409)
    assert (said["code"], said["state"]) == ("upload_not_open", "failed")
    assert "Send the file again" in said["detail"]
    row = Upload.objects.get()
    assert (row.state, row.failure_code) == (UploadState.FAILED, finishing.DAMAGED)
    assert not File.objects.exists()


def test_server_without_a_free_descriptor_keeps_what_arrived(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana)
    send(ana, upload)
    with monkeypatch.context() as broken:
        broken.setattr(local_parts_module, "_lock_soon", without_descriptors)
        assert complete(ana, upload, 503)["code"] == "storage_unavailable"
    assert content(complete(ana, upload)["file"]["id"]) == DATA


def test_full_disk_at_the_end_keeps_what_arrived(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana)
    send(ana, upload)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", full)
        assert complete(ana, upload, 507)["code"] == "storage_full"
    assert content(complete(ana, upload)["file"]["id"]) == DATA


def test_who_is_not_root_goes_on_where_an_earlier_completion_was_cut(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file is sealed by then, and only root opens such a file for writing."""
    upload = begin(ana)
    send(ana, upload)
    really = os.open

    def as_anybody(path: Any, flags: int, *more: Any, **named: Any) -> int:
        if flags & os.O_RDWR and os.path.exists(path) and not os.stat(path).st_mode & stat.S_IWUSR:  # noqa: PTH110, PTH116
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return really(path, flags, *more, **named)

    with monkeypatch.context() as cut:
        cut.setattr(os, "fdatasync", full)
        complete(ana, upload, 507)
    monkeypatch.setattr(os, "open", as_anybody)
    row = Upload.objects.get()
    parts = local_parts(row)
    assert parts is not None
    with pytest.raises(PartBusy):
        parts.open_part(row.pk, 0, 1)
    assert content(complete(ana, upload)["file"]["id"]) == DATA


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_file_in_one_request_on_a_failing_disk_is_never_acknowledged(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    asked: list[object] = []

    def fails(*args: object) -> None:
        asked.append(args)
        failing()

    before = leftovers()
    with monkeypatch.context() as broken:
        broken.setattr(os, call, fails)
        answer = ana("POST", "/uploads?name=a.csv", content=b"a,b")
    assert answer.status_code >= 500
    assert len(asked) == 1, "nobody asks a failed disk a second time"
    assert not File.objects.exists()
    assert not Upload.objects.exists()
    assert leftovers() == before
    assert ana("POST", "/uploads?name=a.csv", content=b"a,b").status_code == 201


def test_small_file_whose_write_was_killed_has_not_arrived(ana: Visitor) -> None:
    data = b"all of it"
    upload = begin(ana, data, crc64nvme=crc(data))
    parts = local_parts(Upload.objects.get())
    assert parts is not None
    path = parts.path(Upload.objects.get().pk)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data[:4])
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == ""
    assert complete(ana, upload, 409)["code"] == "parts_missing"
    assert put(ana.door, upload["put"], data).status_code == 200
    assert content(complete(ana, upload)["file"]["id"]) == data


def test_small_file_that_fills_the_disk_has_not_arrived(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"all of it"
    upload = begin(ana, data, crc64nvme=crc(data))
    with monkeypatch.context() as patched:
        patched.setattr(local_parts_module, "write_at", full)
        assert put(ana.door, upload["put"], data).status_code == 507
    assert ana.json("GET", f"/uploads/{upload['id']}")["received"] == ""
    assert put(ana.door, upload["put"], data).status_code == 200
    assert content(complete(ana, upload)["file"]["id"]) == data
