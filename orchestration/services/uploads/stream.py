"""An upload that grows at its end: the tus door. Its offset is the bytes that are durable, never more."""

from __future__ import annotations

import os
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Least, Now

from orchestration import crc64
from orchestration.errors import Invalid, TooLarge, WrongOffset
from orchestration.execution.finishing import finish, local_parts
from orchestration.models import Upload
from orchestration.models.upload import LIFETIME, TTL
from orchestration.points import point
from orchestration.services.uploads.complete import complete_empty
from orchestration.services.uploads.signing import require_open
from orchestration.states import UploadDoor, UploadState
from orchestration.storage.local import full_disk_named
from orchestration.storage.local_parts import WHOLE
from orchestration.tasks import nudge_examine


@dataclass(slots=True)
class Append:
    """Bytes at the end of one upload. It holds the file's lock; one thread uses it at a time."""

    upload: Upload
    fd: int
    offset: int
    crc: int

    def write(self, data: bytes) -> None:
        """Raises TooLarge as soon as there is more than was announced, StorageFull."""
        if self.upload.size is not None and self.offset + len(data) > self.upload.size:
            raise TooLarge(f"More than the {self.upload.size} bytes announced arrived.")
        view, at = memoryview(data), self.offset
        with full_disk_named():
            while view:
                written = os.pwrite(self.fd, view, at)
                view, at = view[written:], at + written
        self.crc = crc64.update(data, self.crc)
        self.offset = at

    def keep(self) -> Upload:
        """What was written counts from now on; the file is complete when it is whole."""
        with full_disk_named():
            os.fdatasync(self.fd)
        point("stream.durable")
        upload = self.upload
        with transaction.atomic(durable=True):
            mine = Upload.objects.open().filter(pk=upload.pk, offset=upload.offset)
            kept = mine.update(
                offset=self.offset,
                running_crc=crc64.to_text(self.crc),
                touched_at=Now(),
                expires_at=Least(Now() + TTL, upload.created_at + LIFETIME),
            )
        upload.refresh_from_db()
        if not kept:
            require_open(upload, UploadDoor.TUS)
            raise WrongOffset
        return upload

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def begin_append(upload: Upload, offset: int) -> Append:
    """Raises WrongOffset, PartBusy while another process writes, UploadNotOpen, UploadExpired, WrongDoor."""
    require_open(upload, UploadDoor.TUS)
    parts = local_parts(upload)
    if parts is None:
        raise Invalid("Uploads by tus are not offered where files go to object storage.")
    fd = parts.open_part(upload.pk, 0, WHOLE)
    try:
        upload.refresh_from_db()
        _require_offset(upload, offset)
    except BaseException:
        os.close(fd)
        raise
    crc = crc64.from_text(upload.running_crc) if upload.running_crc else crc64.EMPTY
    return Append(upload, fd, offset, crc)


def _require_offset(upload: Upload, offset: int) -> None:
    require_open(upload, UploadDoor.TUS)
    if upload.offset != offset:
        raise WrongOffset(f"The upload goes on at {upload.offset}, not at {offset}.")


def set_size(upload: Upload, size: int) -> None:
    """Of an upload whose size was not known at first. Once: another size later is refused."""
    if upload.size not in {None, size} or size < upload.offset:
        raise Invalid(f"This upload cannot become {size} bytes long.")
    Upload.objects.open().filter(pk=upload.pk, size=None).update(size=size)
    upload.refresh_from_db()


def finish_if_whole(upload: Upload) -> Upload:
    """The end of a stream completes it; nobody has to say so."""
    if upload.state != UploadState.OPEN or upload.size is None or upload.offset != upload.size:
        return upload
    if upload.size == 0:
        return complete_empty(upload)
    upload.move(
        UploadState.COMPLETING,
        where={"offset": upload.size},
        crc64nvme=upload.running_crc,
        part_count=1,
        expires_at=None,
    )
    upload.refresh_from_db()
    if upload.state == UploadState.COMPLETING:
        upload = finish(upload)
        nudge_examine()
    return upload
