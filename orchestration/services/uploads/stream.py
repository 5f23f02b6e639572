"""An upload that grows at its end: tus and the IETF's draft. Its offset is the bytes that are durable, never more."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Least, Now

from orchestration import crc64
from orchestration.errors import DigestMismatch, Invalid, LengthDiffers, TooLarge, WrongOffset
from orchestration.execution.finishing import fail, finish_stream, local_parts
from orchestration.models import Upload
from orchestration.models.upload import LIFETIME, TTL
from orchestration.points import point
from orchestration.services.uploads.complete import MISMATCH, complete_empty, ended_as
from orchestration.services.uploads.rooms import check_room, check_size
from orchestration.services.uploads.signing import require_open
from orchestration.states import UploadDoor, UploadState
from orchestration.storage.local import full_disk_named, write_at
from orchestration.storage.local_parts import WHOLE, LocalParts
from orchestration.tasks import nudge_examine


@dataclass(slots=True)
class Append:
    """Bytes at the end of one upload. It holds the file's lock; one thread uses it at a time."""

    upload: Upload
    fd: int
    offset: int
    crc: int

    def write(self, data: bytes | memoryview) -> None:
        """Raises TooLarge as soon as there is more than was announced or is allowed, StorageFull."""
        if self.upload.size is not None and self.offset + len(data) > self.upload.size:
            raise TooLarge(f"More than the {self.upload.size} bytes announced arrived.")
        check_size(self.offset + len(data))
        with full_disk_named():
            write_at(self.fd, data, self.offset)
        self.crc = crc64.update(data, self.crc)
        self.offset += len(data)

    def keep(self) -> Upload:
        """What was written counts from now on."""
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
        point("stream.kept")
        upload.refresh_from_db()
        if not kept:
            require_open(upload, UploadDoor(upload.door))
            raise WrongOffset(offset=upload.offset)
        return upload

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def begin_append(upload: Upload, offset: int, door: UploadDoor) -> Append:
    """Raises WrongOffset, PartBusy while another process writes, UploadNotOpen, UploadExpired, WrongDoor."""
    require_open(upload, door)
    fd = folder_of(upload).open_part(upload.pk, 0, WHOLE)
    try:
        upload.refresh_from_db()
        require_open(upload, door)
        require_offset(upload, offset)
    except BaseException:
        os.close(fd)
        raise
    crc = crc64.from_text(upload.running_crc) if upload.running_crc else crc64.EMPTY
    return Append(upload, fd, offset, crc)


def folder_of(upload: Upload) -> LocalParts:
    """Where a stream grows. Raises Invalid where files go to object storage: it cannot append."""
    folder = local_parts(upload)
    if folder is None:
        raise Invalid("Uploads by tus are not offered where files go to object storage.")
    return folder


def require_offset(upload: Upload, offset: int) -> None:
    if upload.offset != offset:
        raise WrongOffset(f"The upload goes on at {upload.offset}, not at {offset}.", offset=upload.offset)


def set_size(upload: Upload, size: int) -> None:
    """Of an upload whose size was not known at first; it takes its room now. Once: another size later is refused.

    Raises LengthDiffers, TooLarge, QuotaExceeded.
    """
    if upload.size not in {None, size} or size < upload.offset:
        raise LengthDiffers(f"This upload cannot become {size} bytes long.")
    check_size(size)
    if upload.size is None:
        with transaction.atomic(durable=True):
            check_room(upload.workspace, size)
            Upload.objects.open().filter(pk=upload.pk, size=None).update(size=size)
    upload.refresh_from_db(fields=["size"])
    if upload.size != size:
        raise LengthDiffers(f"This upload cannot become {size} bytes long.")


def finish_if_whole(upload: Upload) -> Upload:
    """The end of a tus stream completes it; nobody has to say so."""
    implied = upload.door == UploadDoor.TUS and not upload.is_partial
    whole = upload.state == UploadState.OPEN and upload.size is not None and upload.offset == upload.size
    return _finish(upload) if implied and whole else upload


def finish_said(upload: Upload) -> Upload:
    """The sender says that this was all. Raises LengthDiffers, DigestMismatch (the upload has failed)."""
    set_size(upload, upload.offset if upload.size is None else upload.size)
    if upload.offset != upload.size:
        raise LengthDiffers(f"{upload.offset} bytes arrived; {upload.size} were announced.")
    if upload.sha256 and upload.sha256 != _sha256(upload):
        fail(upload, MISMATCH, DigestMismatch.__doc__ or "")
        raise DigestMismatch
    return _finish(upload)


def _sha256(upload: Upload) -> str:
    if not upload.size:
        return hashlib.sha256().hexdigest()
    with folder_of(upload).path(upload.pk).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finish(upload: Upload) -> Upload:
    if upload.size == 0:
        return complete_empty(upload)
    upload = finish_stream(upload)
    nudge_examine()
    if upload.state == UploadState.FAILED:
        raise ended_as(upload)
    return upload
