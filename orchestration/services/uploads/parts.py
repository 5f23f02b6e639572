"""Receiving one part on local storage: who may write, where, and when it counts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from orchestration import crc64
from orchestration.errors import NotFound, PartDamaged
from orchestration.models import Upload, UploadPart
from orchestration.models.upload import STORAGE
from orchestration.points import point
from orchestration.services.uploads.signing import require_open
from orchestration.storage.local import write_at
from orchestration.storage.local_parts import LocalParts
from orchestration.storage.registry import get_place

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from uuid import UUID

    from orchestration.services.uploads.signing import Grant


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
    upload = Upload.objects.filter(pk=grant.upload).first()
    if upload is None:
        raise NotFound("The upload is gone. Begin it again.")
    require_open(upload)
    opened = OpenPart(parts_folder().open_part(upload.pk, grant.offset, grant.length), is_there=False)
    try:
        upload.refresh_from_db(fields=["state"])
        require_open(upload)
        opened.is_there = upload.parts.filter(number=grant.number).exists()
    except BaseException:
        opened.close()
        raise
    return opened


@transaction.atomic(durable=True)
def record_part(grant: Grant, crc: int) -> None:
    """The part counts. Raises PartDamaged before anything is recorded; UploadNotOpen if it ended meanwhile."""
    check_crc(grant, crc)
    upload = Upload.objects.select_for_update(no_key=True).filter(pk=grant.upload).first()
    if upload is None:
        raise NotFound("The upload is gone. Begin it again.")
    require_open(upload)
    UploadPart.objects.bulk_create(
        [UploadPart(upload_id=grant.upload, number=grant.number, size=grant.length, crc64nvme=grant.crc64nvme)],
        ignore_conflicts=True,
    )
    point("upload.part")


def check_crc(grant: Grant, crc: int) -> None:
    if crc64.to_text(crc) != grant.crc64nvme:
        raise PartDamaged


def open_whole(upload: UUID, length: int) -> AbstractContextManager[int]:
    """For a small file's only part. No row is asked: the signature says who may, the name says it is there."""
    return parts_folder().whole(upload, length)


def put_whole(grant: Grant, data: bytes) -> None:
    """A small file's only part at once: of wrong bytes nothing touches the disk. Raises PartDamaged, StorageFull."""
    check_crc(grant, crc64.update(data))
    with open_whole(grant.upload, grant.length) as fd:
        write_at(fd, data, 0)
