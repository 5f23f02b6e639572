"""From Uploads to their JSON. Runs in a database thread."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from api_app.answers import file_out
from api_app.errors import answer
from api_app.gate import TUS
from api_app.upload_schemas import FailureOut, PutOut, UploadBrief, UploadOut
from orchestration.services.uploads.limits import MAX_PARALLEL
from orchestration.services.uploads.received import received
from orchestration.services.uploads.redirect import checksums, sends_elsewhere
from orchestration.services.uploads.signing import WantedPart, sign_unrecorded
from orchestration.states import STREAMED, UploadDoor, UploadMode, UploadState

if TYPE_CHECKING:
    from api_app.schemas import FileOut
    from orchestration.models import Upload
    from orchestration.storage.base import SignedPut


def put_out(number: int, signed: SignedPut) -> PutOut:
    return PutOut(number=number, method="PUT", url=signed.url, headers=signed.headers, expires_at=signed.expires_at)


def upload_out(upload: Upload, *, is_new: bool = False, lists: bool = False) -> UploadOut:
    """`is_new`: nothing has arrived, so nobody is asked. `lists`: object storage is not asked for each of many."""
    direct = sends_elsewhere(upload.storage)
    ranges, size = _received(upload, is_new=is_new, silent=lists and direct)
    return UploadOut(
        id=upload.pk,
        state=UploadState(upload.state),
        workspace=upload.workspace.slug,
        name=upload.name,
        path=upload.path,
        size=upload.size,
        content_type=upload.content_type,
        fingerprint=upload.fingerprint,
        door=upload.door,
        mode=UploadMode(upload.mode),
        transport="direct" if direct else "app",
        part_size=upload.part_size,
        part_count=upload.part_count,
        received=ranges,
        received_bytes=size,
        max_parallel=MAX_PARALLEL,
        created_at=upload.created_at,
        expires_at=upload.expires_at,
        put=_put(upload),
        tus_url=f"{TUS}/{upload.pk}" if upload.door in STREAMED else None,
        failure=FailureOut(code=upload.failure_code, detail=upload.failure_detail) if upload.failure_code else None,
        file=_file(upload),
    )


def upload_brief(upload: Upload, *, is_new: bool = False) -> UploadOut | UploadBrief:
    """Of what can be sent at once and of what became a file no more than that; whatever went another way is whole."""
    put, file = _put(upload) if is_new else None, _file(upload)
    if put is None and file is None:
        return upload_out(upload, is_new=is_new)
    return UploadBrief(id=upload.pk, state=UploadState(upload.state), put=put, file=file)


def _file(upload: Upload) -> FileOut | None:
    """What became of it, as long as that is there: a deleted file is on the page of what can be brought back."""
    if upload.state != UploadState.COMPLETE or not hasattr(upload, "file") or upload.file.deleted_at:
        return None
    return file_out(upload.file)


def _received(upload: Upload, *, is_new: bool, silent: bool) -> tuple[str | None, int | None]:
    if upload.state == UploadState.COMPLETE:
        return _all(upload), upload.size
    if is_new or upload.state != UploadState.OPEN:
        return "", 0
    if upload.door in STREAMED:
        return "", upload.offset
    if silent:
        return None, None
    there = received(upload)
    return there.text, there.size


def _all(upload: Upload) -> str:
    last = upload.part_count or 1
    return "1" if last == 1 else f"1-{last}"


def _put(upload: Upload) -> PutOut | None:
    """The way to send a small file at once, where its checksum is known: one round trip less."""
    is_ready = upload.state == UploadState.OPEN and upload.mode == UploadMode.SINGLE and upload.crc64nvme
    if not is_ready or upload.door != UploadDoor.API or len(checksums()) > 1:
        return None  # where the storage asks for another checksum than is known, the part is signed first
    return put_out(1, sign_unrecorded(upload, [WantedPart(1, upload.crc64nvme)])[0])


def problem_of(exc: Exception) -> dict[str, Any]:
    """What the same mistake alone would be answered with."""
    said: dict[str, Any] = json.loads(bytes(answer(exc).body))
    return said
