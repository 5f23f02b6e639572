"""From `completing` to `complete`: bytes durable first, then the File row, and again from wherever a kill left it."""

from __future__ import annotations

import errno
import hashlib
import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.db import transaction
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.errors import PartBusy, StorageFull, StorageRejected, StorageUnavailable
from orchestration.execution.arrival import arrived, first_state
from orchestration.execution.isolation import alone
from orchestration.media_types import HEAD_BYTES, detect
from orchestration.models import File, Upload, UploadPart
from orchestration.models.bulk import blank, database_now, insert, unsaved
from orchestration.points import point
from orchestration.states import FileKind, UploadState
from orchestration.storage.local import LocalStorage
from orchestration.storage.local_parts import LocalParts
from orchestration.storage.registry import get_place, get_storage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from orchestration.storage.base import DirectStorage

log = logging.getLogger(__name__)
SMALL: Final = 1 << 20
DAMAGED: Final = "storage_error"
_NOT_OF_THE_DISK: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""They pass, and say nothing of the bytes."""


def local_parts(upload: Upload) -> LocalParts | None:
    """Where its bytes lie here; None where they go to object storage."""
    place = get_place(upload.storage)
    return place if isinstance(place, LocalParts) else None


def takes_time(upload: Upload) -> bool:
    """Object storage may be minutes at joining parts: that is a worker's business, not a request's."""
    return local_parts(upload) is None and not upload.is_single


def finish_later(upload_id: UUID) -> None:
    """For the worker. While one joins the parts of an upload, a second would find neither parts nor object."""
    with alone(f"upload/{upload_id}") as mine:
        upload = Upload.objects.select_related("workspace").filter(pk=upload_id, state=UploadState.COMPLETING).first()
        if not mine or upload is None:
            return
        try:
            finish(upload)
        except StorageUnavailable as exc:
            log.warning("upload waits for its storage", extra={"upload_id": str(upload_id), "error": str(exc)})


def finish(upload: Upload) -> Upload:
    """Make the bytes durable and the File exist. Any number of calls, by anybody, do no harm.

    Raises StorageFull, StorageUnavailable or PartBusy (later: the upload stays `completing` and the sweep comes back).
    """
    try:
        version = _settle(upload)
    except (PartBusy, StorageFull):
        raise
    except StorageRejected as exc:
        log.warning("upload cannot be completed", extra={"upload_id": str(upload.pk), "error": str(exc)})
        fail(upload, DAMAGED, "The object storage could not keep the bytes. Send the file again.")
        upload.refresh_from_db()
        return upload
    except OSError as exc:
        if exc.errno in _NOT_OF_THE_DISK:
            raise StorageUnavailable(f"This server is busy ({exc.strerror}). Try again in a moment.") from exc
        # What could not be synced may be lost although a second fsync says yes: never ask twice (fsyncgate).
        log.exception("bytes could not be made durable", extra={"upload_id": str(upload.pk)})
        fail(upload, DAMAGED, f"The storage could not keep the bytes ({exc.strerror or exc}). Send the file again.")
        upload.refresh_from_db()
        return upload
    point("upload.bytes_durable")
    _record([(upload, version)])
    point("upload.committed")
    upload.refresh_from_db()
    return upload


def finish_stream(upload: Upload) -> Upload:
    """As `finish`, from `open`: all the bytes of a stream count. Who loses the race sees what the other made of it."""
    upload.move(
        UploadState.COMPLETING,
        where={"offset": upload.size},
        crc64nvme=upload.running_crc,
        part_count=1,
        expires_at=None,
    )
    upload.refresh_from_db()
    return finish(upload) if upload.state == UploadState.COMPLETING else upload


def finish_whole(arrived: Sequence[tuple[Upload, str]]) -> dict[UUID, File]:
    """As `finish`, for whole files and the versions they have, with one sync and one transaction for all of them.

    The files that came to be, by their uploads; of an upload that somebody else finished there is none.
    """
    parts = local_parts(arrived[0][0]) if arrived else None
    if parts is not None:
        parts.finish_many([(upload.pk, upload.key) for upload, _ in arrived])
    point("upload.bytes_durable")
    made = _record(arrived)
    point("upload.committed")
    return made


def _settle(upload: Upload) -> str:
    place = get_place(upload.storage)
    if isinstance(place, LocalParts):
        place.finish(upload.pk, upload.key)
        return ""
    if upload.is_single:
        return _version_of(upload, place)
    return place.finish(
        upload.key,
        upload.multipart_id,
        # Not listed yet: where they were joined before, there are none, and `finish` finds the object.
        place.parts(upload.key, upload.multipart_id),
        size=upload.size or 0,
        crc64nvme=crc64.from_text(upload.crc64nvme),
    )


def _version_of(upload: Upload, place: DirectStorage) -> str:
    stored = place.stat(upload.key)
    known = place.known(crc64.from_text(upload.crc64nvme))
    if stored is None or stored.size != upload.size or stored.crc64nvme not in known:
        raise StorageRejected(f"{upload.key} is not the object that was announced: {stored}")
    return stored.version


@transaction.atomic(durable=True)
def _record(finished: Sequence[tuple[Upload, str]]) -> dict[UUID, File]:
    """The rows. Who lost the race to another finisher writes nothing."""
    now = database_now()
    uploads = [upload for upload, _ in finished]
    ids = [upload.pk for upload in uploads]
    mine = Upload.objects.move_many(ids, UploadState.COMPLETING, UploadState.COMPLETE, completed_at=now)
    nothing = blank(File, now)
    files = [
        unsaved(File, {**nothing, **fields_of(upload, _first_look(upload), version=version, now=now)})
        for upload, version in finished
        if upload.pk in mine
    ]
    insert(files)
    arrived(files)
    UploadPart.objects.filter(upload__in=[upload for upload in uploads if not upload.is_single]).delete()
    point("upload.before_commit")
    return {file.upload_id: file for file in files if file.upload_id}


class Look(NamedTuple):
    """What is known of the bytes already: `sha256` is "" where only an examination will tell."""

    head: bytes
    sha256: str


def fields_of(upload: Upload, look: Look, *, version: str = "", now: datetime | None = None) -> dict[str, Any]:
    """Of the File that an upload becomes. Its type is by name and first bytes until it is examined."""
    days = upload.workspace.upload_retention_days
    return {
        "id": upload.file_id,
        "workspace_id": upload.workspace_id,
        "kind": FileKind.UPLOAD,
        "name": upload.name,
        "path": upload.path,
        "size": upload.size or 0,
        "sha256": look.sha256,
        "crc64nvme": upload.crc64nvme,
        "media_type": detect(upload.name, look.head),
        "scan_state": first_state(sha256=look.sha256),
        "storage": upload.storage,
        "key": upload.key,
        "version": version,
        "upload_id": upload.pk,
        "created_by_id": upload.created_by_id,
        "expires_at": (now or Now()) + timedelta(days=days),
    }


def _first_look(upload: Upload) -> Look:
    """A small file on a local disk is read here and now: an examination of its own would cost more than all of it."""
    storage = get_storage(upload.storage)
    if not isinstance(storage, LocalStorage):
        return Look(b"", "")
    size = upload.size or 0
    is_small = size <= SMALL
    # Of a small one a byte more than it has, and no room for a megabyte.
    data = storage.head(upload.key, size + 1 if is_small else HEAD_BYTES)
    is_sound = is_small and upload.crc64nvme == crc64.to_text(crc64.update(data))
    return Look(data[:HEAD_BYTES], hashlib.sha256(data).hexdigest() if is_sound else "")


def fail(upload: Upload, code: str, detail: str) -> bool:
    """The end without a File, and the bytes gone. False: somebody else moved it first."""
    moved = upload.move(UploadState.FAILED, failure_code=code, failure_detail=detail[:500], expires_at=None)
    if moved:
        drop_bytes(upload)
    return moved


def drop_bytes(upload: Upload) -> None:
    """Whatever arrived for an upload that ended without a File. Gone is as good as dropped."""
    place = get_place(upload.storage)
    if isinstance(place, LocalParts):
        place.drop(upload.pk)
    elif upload.multipart_id:
        place.abort(upload.key, upload.multipart_id)
    else:
        place.delete(upload.key)
    UploadPart.objects.filter(upload=upload).delete()
