"""Bytes on their way in: exact length, digest in the same pass, durable before the File row exists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.errors import DigestMismatch, SendDirectly, UploadRefused
from orchestration.execution.arrival import arrived
from orchestration.execution.finishing import Look, fields_of
from orchestration.ids import new_id
from orchestration.media_types import HEAD_BYTES
from orchestration.models import File, Upload
from orchestration.models.upload import STORAGE
from orchestration.points import point
from orchestration.services.access import find_workspace
from orchestration.services.uploads.names import clean_name, clean_path
from orchestration.services.uploads.redirect import sends_elsewhere
from orchestration.services.uploads.rooms import check_room, check_size
from orchestration.states import Role, UploadDoor, UploadState
from orchestration.storage.registry import get_storage
from orchestration.tasks import nudge_examine

if TYPE_CHECKING:
    from orchestration.models import User, Workspace


@dataclass(frozen=True, slots=True)
class Announced:
    """What a request says of its body; "" and None for what it leaves open. `sha256` in hex, `crc64nvme` in base64."""

    name: str
    size: int | None = None
    sha256: str = ""
    crc64nvme: str = ""
    path: str = ""


class Receiving:
    """One upload in one request. Write, then commit; or discard. Used by one thread at a time."""

    def __init__(self, *, user: User, workspace: Workspace, announced: Announced) -> None:
        self._user, self._workspace, self._announced = user, workspace, announced
        self._size = announced.size
        self._upload_id, self._file_id = new_id(), new_id()
        self._key = f"{workspace.pk}/{self._file_id.hex[-2:]}/{self._file_id}"
        self._crc = crc64.EMPTY
        self._incoming = get_storage(STORAGE).receive(self._key)
        self._digest = hashlib.sha256()
        self._head = b""
        self.received = 0

    def write(self, data: bytes | memoryview) -> None:
        """Raises UploadRefused as soon as the bytes are more than announced or allowed."""
        self.received += len(data)
        check_size(self.received)
        if self._size is not None and self.received > self._size:
            raise UploadRefused(f"More bytes arrived than the {self._size} announced.")
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        self._digest.update(data)
        self._crc = crc64.update(data, self._crc)
        self._incoming.write(data)

    def commit(self) -> Upload:
        """The upload with its File, whose bytes are durable. Raises UploadRefused when length or digest differ."""
        if self._size is not None and self.received != self._size:
            raise UploadRefused(f"Only {self.received} of {self._size} bytes arrived. Send the file again.")
        sha256 = self._digest.hexdigest()
        if self._announced.sha256 not in {"", sha256} or self._announced.crc64nvme not in {"", self._checksum}:
            raise DigestMismatch
        self._incoming.commit()
        point("upload.bytes_durable")
        upload = self._write_rows(sha256)
        point("upload.committed")
        nudge_examine()
        return upload

    @property
    def _checksum(self) -> str:
        return crc64.to_text(self._crc)

    @transaction.atomic(durable=True)
    def _write_rows(self, sha256: str) -> Upload:
        check_room(self._workspace, self.received)
        upload = Upload(
            pk=self._upload_id,
            workspace=self._workspace,
            created_by=self._user,
            state=UploadState.COMPLETE,
            door=UploadDoor.REQUEST,
            name=self._announced.name,
            path=self._announced.path,
            size=self.received,
            crc64nvme=self._checksum,
            storage=STORAGE,
            key=self._key,
            file_id=self._file_id,
            completed_at=Now(),
        )
        upload.save(force_insert=True)
        file = File(**fields_of(upload, Look(self._head, sha256)))
        file.save(force_insert=True)
        arrived([file])
        point("upload.before_commit")
        return Upload.objects.select_related("workspace", "file").get(pk=upload.pk)

    def discard(self) -> None:
        """Drop the unfinished bytes. What was committed stays."""
        self._incoming.discard()


def receive(*, user: User, announced: Announced, workspace: str = "") -> Receiving:
    """Begin to receive one file. Raises InvalidName, TooLarge, QuotaExceeded and what `find_workspace` raises.

    Raises SendDirectly where files go to object storage: no byte of them passes through here.
    """
    place = find_workspace(user=user, slug=workspace, role=Role.SUBMITTER)
    if sends_elsewhere():
        raise SendDirectly
    check_size(announced.size or 0)
    if announced.crc64nvme:
        crc64.from_text(announced.crc64nvme)
    with transaction.atomic():
        check_room(place, announced.size or 0)
    cleaned = replace(announced, name=clean_name(announced.name), path=clean_path(announced.path))
    return Receiving(user=user, workspace=place, announced=cleaned)
