"""Bytes on their way in: exact length, digest in the same pass, durable before the File row exists."""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import DigestMismatch, Invalid, TooLarge, UploadRefused
from orchestration.ids import new_id
from orchestration.media_types import HEAD_BYTES, detect
from orchestration.models import File, Upload
from orchestration.points import point
from orchestration.services.access import find_workspace
from orchestration.spec.units import format_size
from orchestration.states import FileKind, Role, ScanState, UploadState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from orchestration.models import User, Workspace

STORAGE: Final = "uploads"
MAX_NAME_BYTES: Final = 1024


def clean_name(name: str) -> str:
    """A file's name as metadata; never a path on our disk. Raises Invalid with what is wrong."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name or name in {".", ".."}:
        raise Invalid("The file has no name. Give one, for example ?name=table.csv.")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise Invalid(f"The file's name is longer than {MAX_NAME_BYTES} bytes.")
    if "/" in name or "\\" in name:
        raise Invalid("A file's name may not contain / or \\.")
    if any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in name):
        raise Invalid("The file's name contains control characters.")
    return name


class Receiving:
    """One upload in one request. Write, then commit; or discard. Used by one thread at a time."""

    def __init__(self, *, user: User, workspace: Workspace, name: str, size: int | None, sha256: str | None) -> None:
        self._user, self._workspace, self._name = user, workspace, name
        self._size, self._sha256 = size, sha256
        self._upload_id, self._file_id = new_id(), new_id()
        self._key = f"{workspace.pk}/{self._file_id.hex[-2:]}/{self._file_id}"
        self._incoming = get_storage(STORAGE).receive(self._key)
        self._digest = hashlib.sha256()
        self._head = b""
        self.received = 0

    def write(self, data: bytes) -> None:
        """Raises UploadRefused as soon as the bytes are more than announced or allowed."""
        self.received += len(data)
        if self.received > settings.MAX_UPLOAD_BYTES:
            raise TooLarge(f"This server accepts files up to {format_size(settings.MAX_UPLOAD_BYTES)}.")
        if self._size is not None and self.received > self._size:
            raise UploadRefused(f"More bytes arrived than the {self._size} announced.")
        if len(self._head) < HEAD_BYTES:
            self._head += data[: HEAD_BYTES - len(self._head)]
        self._digest.update(data)
        self._incoming.write(data)

    def commit(self) -> File:
        """The File, whose bytes are durable. Raises UploadRefused when length or digest differ."""
        if self._size is not None and self.received != self._size:
            raise UploadRefused(f"Only {self.received} of {self._size} bytes arrived. Send the file again.")
        sha256 = self._digest.hexdigest()
        if self._sha256 and self._sha256 != sha256:
            raise DigestMismatch
        self._incoming.commit()
        point("upload.bytes_durable")
        file = self._write_rows(sha256)
        point("upload.committed")
        return file

    @transaction.atomic(durable=True)
    def _write_rows(self, sha256: str) -> File:
        upload = Upload(
            pk=self._upload_id,
            workspace=self._workspace,
            created_by=self._user,
            state=UploadState.COMPLETE,
            name=self._name,
            size=self.received,
            completed_at=Now(),
        )
        upload.save(force_insert=True)
        file = File(
            pk=self._file_id,
            workspace=self._workspace,
            kind=FileKind.UPLOAD,
            name=self._name,
            size=self.received,
            sha256=sha256,
            media_type=detect(self._name, self._head),
            # No scanner is configured in this version; with one, files start as PENDING and jobs wait.
            scan_state=ScanState.CLEAN,
            storage=STORAGE,
            key=self._key,
            upload=upload,
            created_by=self._user,
            expires_at=Now() + timedelta(days=self._workspace.upload_retention_days),
        )
        file.save(force_insert=True)
        point("upload.before_commit")
        return File.objects.select_related("workspace").get(pk=file.pk)

    def discard(self) -> None:
        """Drop the unfinished bytes. What was committed stays."""
        self._incoming.discard()


def receive(
    *, user: User, name: str, workspace: str = "", size: int | None = None, sha256: str | None = None
) -> Receiving:
    """Begin to receive one file. `size` in bytes and `sha256` in hex are checked when given."""
    place = find_workspace(user=user, slug=workspace, role=Role.SUBMITTER)
    if size is not None and size > settings.MAX_UPLOAD_BYTES:
        raise TooLarge(f"This server accepts files up to {format_size(settings.MAX_UPLOAD_BYTES)}.")
    return Receiving(user=user, workspace=place, name=clean_name(name), size=size, sha256=sha256)
