"""Beginning an upload: what is asked is checked, the room reserved, one row written; or many rows at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.errors import (
    IdempotencyKeyReused,
    Invalid,
    OrchestrationError,
    StorageFull,
)
from orchestration.execution.finishing import local_parts
from orchestration.ids import new_id
from orchestration.models import Upload, Workspace
from orchestration.models.bulk import blank, database_now, insert, unsaved
from orchestration.models.upload import STORAGE, TTL
from orchestration.services.access import find_workspace
from orchestration.services.uploads.complete import complete_empty
from orchestration.services.uploads.limits import BATCH_FOLDER, BATCH_MAX, MAX_FINGERPRINT, part_size_for
from orchestration.services.uploads.names import clean_name, clean_path
from orchestration.services.uploads.rooms import check_open, check_room, check_size
from orchestration.states import Role, UploadDoor, UploadMode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from orchestration.models import User


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file that somebody wants to send. `size` in bytes, None while unknown; `crc64nvme` base64, "" if unknown."""

    name: str
    size: int | None
    path: str = ""
    content_type: str = ""
    modified: datetime | None = None
    crc64nvme: str = ""
    fingerprint: str = ""
    resume: bool = False
    part_size_hint: int | None = None

    def digest(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, default=str).encode()).hexdigest()


class Begun(NamedTuple):
    upload: Upload
    is_new: bool


def create_upload(
    *,
    user: User,
    wanted: Wanted,
    workspace: str = "",
    idempotency_key: str = "",
    door: UploadDoor = UploadDoor.API,
    concat: str = "",
    sha256: str = "",
) -> tuple[Upload, bool]:
    """The upload and whether this call made it. Its size is reserved in the workspace's quota.

    Raises InvalidName, Invalid, TooLarge, QuotaExceeded, TooManyOpenUploads, StorageFull, IdempotencyKeyReused.
    """
    place = find_workspace(user=user, slug=workspace, role=Role.SUBMITTER)
    if idempotency_key and (found := _replay(user, place, idempotency_key, wanted)):
        return found, False
    if wanted.resume and (found := _to_resume(user, place, wanted)):
        return found, False
    upload = checked_upload(user, place, wanted, door, nothing_asked())
    upload.concat, upload.sha256 = concat, sha256
    upload.idempotency_key = idempotency_key or None
    upload.request_digest = wanted.digest() if idempotency_key else ""
    try:
        _enter(user, place, [upload])
    except IntegrityError:
        if idempotency_key and (found := _replay(user, place, idempotency_key, wanted)):
            return found, False
        raise
    return _ready([upload])[upload.pk], True


def create_uploads(
    *, user: User, wanted: Sequence[Wanted], workspace: str = "", atomic: bool = False
) -> list[Begun | OrchestrationError]:
    """For each, in order, the upload or what is wrong with it; `atomic`: a wrong one raises and nothing is made."""
    if len(wanted) > BATCH_MAX:
        raise Invalid(f"A batch takes at most {BATCH_MAX} uploads; this one has {len(wanted)}.")
    place = find_workspace(user=user, slug=workspace, role=Role.SUBMITTER)
    resumable = _all_to_resume(user, place, wanted)
    batch = new_id()
    results: list[Begun | OrchestrationError] = []
    fresh: list[Upload] = []
    nothing, folder = nothing_asked(), f"{BATCH_FOLDER[1:]}{batch}"
    for one in wanted:
        found = resumable.get((one.fingerprint, one.size)) if one.resume else None
        try:
            upload = found or checked_upload(user, place, one, UploadDoor.API, nothing, folder=folder)
        except OrchestrationError as exc:
            if atomic:
                raise
            results.append(exc)
            continue
        results.append(Begun(upload, is_new=found is None))
        if found is None:
            fresh.append(upload)
    _enter(user, place, fresh)
    made = _ready(fresh)
    return [
        Begun(made.get(one.upload.pk, one.upload), one.is_new) if isinstance(one, Begun) else one for one in results
    ]


def nothing_asked() -> dict[str, Any]:
    """Of uploads that begin now, what nobody asks for."""
    now = database_now()
    return blank(Upload, now) | {"expires_at": now + TTL}


def checked_upload(
    user: User, place: Workspace, wanted: Wanted, door: UploadDoor, nothing: Mapping[str, Any], *, folder: str = ""
) -> Upload:
    """For `insert`; `nothing` says what of it nobody asked for."""
    size = wanted.size
    if size is not None and size < 0:
        raise Invalid("A file's size is 0 or more bytes.")
    check_size(size or 0)
    if len(wanted.fingerprint) > MAX_FINGERPRINT:
        raise Invalid(f"A fingerprint has at most {MAX_FINGERPRINT} characters.")
    if wanted.crc64nvme:
        crc64.from_text(wanted.crc64nvme)
    part_size = part_size_for(size, wanted.part_size_hint)
    file_id = new_id()
    fields: dict[str, Any] = {
        "id": new_id(),
        "workspace_id": place.pk,
        "created_by_id": user.pk,
        "door": door,
        "mode": UploadMode.SINGLE if size is not None and size <= part_size else UploadMode.PARTS,
        "name": clean_name(wanted.name),
        "path": clean_path(wanted.path),
        "size": size,
        "content_type": wanted.content_type[:255],
        "modified_at": wanted.modified,
        "fingerprint": wanted.fingerprint,
        "crc64nvme": wanted.crc64nvme,
        "part_size": part_size,
        "part_count": None if size is None else max(1, -(-size // part_size)),
        "storage": STORAGE,
        # Of a batch lie side by side, so that one listing shows which of them have arrived.
        "key": f"{place.pk}/{folder or file_id.hex[-2:]}/{file_id}",
        "file_id": file_id,
    }
    upload = unsaved(Upload, {**nothing, **fields})
    upload.workspace = place
    return upload


@transaction.atomic(durable=True)
def _enter(user: User, place: Workspace, uploads: Sequence[Upload]) -> None:
    if not uploads:
        return
    more = sum(upload.size or 0 for upload in uploads)
    check_room(place, more)
    check_open(user, len(uploads))
    parts = local_parts(uploads[0])
    if parts is not None and more > parts.free_bytes():
        raise StorageFull
    insert(uploads)


def _ready(uploads: Sequence[Upload]) -> dict[UUID, Upload]:
    """What is empty needs no bytes and is complete at once, where it is known to be whole."""
    return {upload.pk: complete_empty(upload) if _is_whole(upload) else upload for upload in uploads}


def _is_whole(upload: Upload) -> bool:
    return upload.size == 0 and upload.door != UploadDoor.IETF and not upload.is_partial


def _replay(user: User, place: Workspace, key: str, wanted: Wanted) -> Upload | None:
    found: Upload | None = (
        Upload.objects.select_related("workspace").filter(created_by=user, idempotency_key=key).first()
    )
    if found and (found.workspace_id, found.request_digest) != (place.pk, wanted.digest()):
        raise IdempotencyKeyReused
    return found


def _to_resume(user: User, place: Workspace, wanted: Wanted) -> Upload | None:
    return _all_to_resume(user, place, [wanted]).get((wanted.fingerprint, wanted.size))


def _all_to_resume(user: User, place: Workspace, wanted: Sequence[Wanted]) -> dict[tuple[str, Any], Upload]:
    prints = [one.fingerprint for one in wanted if one.resume and one.fingerprint]
    if not prints:
        return {}
    found = Upload.objects.open().filter(
        created_by=user, workspace=place, fingerprint__in=prints, door=UploadDoor.API, expires_at__gt=Now()
    )
    return {(u.fingerprint, u.size): u for u in found.select_related("workspace").order_by("id")}
