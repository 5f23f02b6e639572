"""Two who do the same at once: a disk that hangs while clients ask again, a file that is completed twice."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from api_app import flights
from orchestration.execution.finishing import finish, local_parts
from orchestration.models import File, Upload
from orchestration.states import UploadState
from orchestration.storage import local_parts as parts_module
from tests.api import tus
from tests.api.door import Client
from tests.api.test_upload_trouble import wire
from tests.api.uploading import DATA, begin, complete, content, crc, pieces, put, send, sign

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db


class HangingDisk:
    """Its first write does not return before `goes_on`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hangs, self.goes_on = threading.Event(), threading.Event()
        self._write = os.pwrite
        monkeypatch.setattr(os, "pwrite", self.pwrite)

    def pwrite(self, fd: int, data: Any, offset: int) -> int:
        if not self.hangs.is_set():
            self.hangs.set()
            self.goes_on.wait(60)
        return self._write(fd, data, offset)


def test_write_that_hangs_keeps_its_file_however_often_it_is_ended(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let go meanwhile, the descriptor's number would be the next upload's, and these bytes would go into it."""
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)
    monkeypatch.setattr(flights, "OLDER_S", 0.05)
    disk = HangingDisk(monkeypatch)

    async def several() -> list[int]:
        clients = [Client(part) for _ in range(4)]
        first, *again = clients
        hanging = asyncio.ensure_future(ana.door.app(wire(signed), first.receive, first.send))
        await asyncio.to_thread(disk.hangs.wait, 60)
        for client in again:
            await asyncio.wait_for(ana.door.app(wire(signed), client.receive, client.send), 10)
        assert not hanging.done(), "its thread has not come back"
        disk.goes_on.set()
        await asyncio.wait_for(hanging, 10)
        return [client.answer.status for client in clients]

    try:
        assert ana.door.run(several()) == [409] * 4
    finally:
        disk.goes_on.set()
    send(ana, upload)
    assert content(complete(ana, upload)["file"]["id"]) == DATA


@pytest.mark.parametrize("how", ["complete", "batch", "tus"])
def test_disk_that_syncs_for_long_keeps_nobody_else_waiting(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A large file may take a minute, and the threads that answer everybody are few."""
    hangs, goes_on = threading.Event(), threading.Event()

    def sync(_fd: int) -> None:
        hangs.set()
        goes_on.wait(60)

    token = {"Authorization": f"Bearer {ana.token}"}
    if how == "tus":
        where = tus.create(ana).headers["location"]
        sent = tus.TUS | tus.OFFSETS | {"Upload-Offset": "0"}
        end = ana.door.client.build_request("PATCH", where, content=b"hello", headers=token | sent)
    else:
        upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))
        put(ana.door, upload["put"], b"hello")
        whole = how == "complete"
        path, body = (f"/{upload['id']}/complete", {}) if whole else (":complete", {"ids": [upload["id"]]})
        end = ana.door.client.build_request("POST", f"/api/v1/uploads{path}", json=body, headers=token)
    monkeypatch.setattr(os, "fdatasync", sync)
    monkeypatch.setattr(parts_module, "_sync_file_system", sync)

    async def both() -> tuple[int, int]:
        ending = asyncio.ensure_future(ana.door.client.send(end))
        try:
            assert await asyncio.to_thread(hangs.wait, 60)
            other = await asyncio.wait_for(ana.door.client.get("/api/v1/me", headers=token), 10)
        finally:
            goes_on.set()
        return other.status_code, (await ending).status_code

    seen, ended = ana.door.run(both())
    assert (seen, ended) == (200, 204 if how == "tus" else 200)
    assert content(str(File.objects.get().pk)) == b"hello"


def test_who_waited_for_another_to_complete_fails_nothing(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana)
    send(ana, upload)
    Upload.objects.update(state=UploadState.COMPLETING, crc64nvme=crc(DATA), expires_at=None)
    row = Upload.objects.get()
    parts, locked = local_parts(row), parts_module._lock_soon
    assert parts is not None

    def after_the_other(fd: int, kind: int) -> None:
        monkeypatch.setattr(parts_module, "_lock_soon", locked)
        parts.finish(row.pk, row.key)
        locked(fd, kind)

    monkeypatch.setattr(parts_module, "_lock_soon", after_the_other)
    assert finish(row).state == UploadState.COMPLETE
    assert content(str(File.objects.get().pk)) == DATA


@pytest.mark.parametrize("together", [False, True], ids=["alone", "in a batch"])
def test_bytes_that_come_again_while_the_file_is_completed_fail_nothing(
    ana: Visitor, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    """Its rows are not written yet; the next who completes it finds both the file and what came after."""
    upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))
    put(ana.door, upload["put"], b"hello")
    row = Upload.objects.get()
    parts = local_parts(row)
    assert parts is not None
    parts.finish(row.pk, row.key)
    put(ana.door, upload["put"], b"hello")
    if together:
        result = ana.json("POST", "/uploads:complete", json={"ids": [upload["id"]]})["results"][0]
        done = result["upload"]
    else:
        done = complete(ana, upload)
    assert done["state"] == "complete"
    assert content(done["file"]["id"]) == b"hello"
    leftover: Path = parts.path(row.pk)
    assert not leftover.exists()
