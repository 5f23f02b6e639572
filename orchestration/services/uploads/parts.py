"""Receiving one part on local storage: who may write, where, and when it counts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from django.db import connection

from orchestration import crc64
from orchestration.errors import NotFound, PartDamaged
from orchestration.models.upload import STORAGE
from orchestration.points import point
from orchestration.services.uploads.signing import require_taking
from orchestration.states import UploadDoor, UploadState
from orchestration.storage.local_parts import LocalParts
from orchestration.storage.registry import get_place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from uuid import UUID

    from orchestration.services.uploads.signing import Grant


# Each part costs both. As one statement and without a model's thirty columns they cost an eighth of it.
_ASK: Final = """\
SELECT u.state, u.door, EXISTS (SELECT FROM orchestration_uploadpart p WHERE p.upload_id = u.id AND p.number = %s)
FROM orchestration_upload u WHERE u.id = %s"""
_COUNT: Final = """\
INSERT INTO orchestration_uploadpart (upload_id, number, size, crc64nvme)
SELECT id, %s, %s, %s FROM orchestration_upload WHERE id = %s AND state = %s AND door = %s FOR NO KEY UPDATE
ON CONFLICT DO NOTHING"""


@dataclass(slots=True)
class OpenPart:
    """A place for one part. `is_there`: these very bytes have arrived before, and nothing must be written."""

    fd: int
    is_there: bool

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def parts_folder() -> LocalParts:
    """Raises NotFound where bytes go to object storage and not through us."""
    place = get_place(STORAGE)
    if not isinstance(place, LocalParts):
        raise NotFound("Parts are sent to the object storage here, not to this address.")
    return place


def open_part(grant: Grant) -> OpenPart:
    """With the lock of its bytes. Raises UploadNotOpen, UploadExpired, WrongDoor, PartBusy, StorageFull.

    Asked under the lock: until it is let go nobody else can make the part count, or end up writing over one that does.
    """
    folder = parts_folder()
    if not folder.is_begun(grant.upload):
        _counts(grant)  # of an upload that takes nothing, nothing is begun
    opened = OpenPart(folder.open_part(grant.upload, grant.offset, grant.length), is_there=False)
    try:
        opened.is_there = _counts(grant)
    except BaseException:
        opened.close()
        raise
    return opened


def _counts(grant: Grant) -> bool:
    """Whether the part has arrived. Raises NotFound, UploadNotOpen, UploadExpired, WrongDoor."""
    with connection.cursor() as cursor:
        cursor.execute(_ASK, [grant.number, grant.upload])
        found = cursor.fetchone()
    if found is None:
        raise NotFound("The upload is gone. Begin it again.")
    state, door, is_there = found
    require_taking(state, door)
    return bool(is_there)


def record_part(grant: Grant, crc: int) -> None:
    """The part counts. Raises PartDamaged before anything is recorded; UploadNotOpen if it ended meanwhile."""
    check_crc(grant, crc)
    point("upload.part")
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            [grant.number, grant.length, grant.crc64nvme, grant.upload, UploadState.OPEN, UploadDoor.API],
        )
        if not cursor.rowcount:
            _counts(grant)  # whoever was there before brought the same bytes


def check_crc(grant: Grant, crc: int) -> None:
    if crc64.to_text(crc) != grant.crc64nvme:
        raise PartDamaged


def open_whole(upload: UUID, length: int) -> AbstractContextManager[int]:
    """For a small file's only part. No row is asked: the signature says who may, the name says it is there."""
    return parts_folder().whole(upload, length)


def put_whole(grant: Grant, data: bytes) -> None:
    """A small file's only part at once: of wrong bytes nothing touches the disk. Raises PartDamaged, StorageFull."""
    check_crc(grant, crc64.update(data))
    parts_folder().put_whole(grant.upload, data)
