"""Ending an upload: completed, by one or a thousand, or aborted. What was promised is checked here again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db import transaction

from orchestration import crc64
from orchestration.errors import (
    Conflict,
    DigestMismatch,
    Invalid,
    NotFound,
    OrchestrationError,
    QuotaExceeded,
    UploadNotOpen,
)
from orchestration.execution.finishing import DAMAGED, drop_bytes, fail, finish, finish_whole, takes_time
from orchestration.models import Upload, Workspace
from orchestration.points import point
from orchestration.services.access import require_role
from orchestration.services.uploads.limits import BATCH_FOLDER, BATCH_MAX
from orchestration.services.uploads.lookups import list_uploads
from orchestration.services.uploads.received import received, require_whole
from orchestration.services.uploads.rooms import check_room
from orchestration.services.uploads.signing import require_open
from orchestration.states import Role, UploadDoor, UploadMode, UploadState
from orchestration.storage.local_parts import LocalParts
from orchestration.storage.registry import get_place
from orchestration.tasks import nudge_examine, nudge_finish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import User

MISMATCH: Final = "checksum_mismatch"
UNSUMMED: Final = (
    "The object storage has no checksum of what arrived. Send the file again, with x-amz-checksum-crc64nvme."
)


def complete(*, user: User, upload: Upload, crc64nvme: str = "", size: int | None = None) -> Upload:
    """The upload, `complete` with its File, or `completing` where the storage takes its time. Repeated: the same.

    Raises PartsMissing, UploadNotOpen, DigestMismatch (the upload has failed, its bytes are gone), QuotaExceeded.
    """
    require_role(user=user, workspace=upload.workspace, role=Role.SUBMITTER)
    if upload.state == UploadState.OPEN:
        _decide(upload, crc64nvme, size)
    if upload.state == UploadState.COMPLETING:
        upload = _finish(upload)
    if upload.state == UploadState.FAILED:
        raise DigestMismatch(upload.failure_detail) if upload.failure_code == MISMATCH else ended_as(upload)
    if upload.state not in {UploadState.COMPLETE, UploadState.COMPLETING}:
        raise ended_as(upload)
    return upload


def _finish(upload: Upload) -> Upload:
    """Now, or by a worker soon: whoever asks again hears what became of it."""
    if takes_time(upload):
        nudge_finish(str(upload.pk))
        return upload
    done = finish(upload)
    nudge_examine()
    return done


def ended_as(upload: Upload) -> OrchestrationError:
    """What to say to whoever goes on with an upload that has ended."""
    why = f" {upload.failure_detail}" if upload.failure_detail else ""
    return UploadNotOpen(f"The upload is {upload.state}.{why}", state=upload.state)


def _decide(upload: Upload, crc64nvme: str, size: int | None) -> None:
    """To `completing` if all is there and fits what was announced; who loses the race sees what the other decided."""
    require_open(upload)
    there = received(upload)
    if upload.state != UploadState.OPEN:
        return
    total = require_whole(upload, there, size)
    announced = crc64nvme or upload.crc64nvme
    if announced:
        crc64.from_text(announced)
    if announced and there.crc64nvme is not None and crc64.from_text(announced) != there.crc64nvme:
        fail(upload, MISMATCH, "The bytes that arrived are not the bytes that were announced. Send the file again.")
        return
    # A whole file on a local disk was sent under a signature that bound the checksum; nobody asked for it again.
    checksum = announced if there.crc64nvme is None else crc64.to_text(there.crc64nvme)
    if not checksum and not upload.is_single:
        raise Invalid("Say crc64nvme of the whole file: this server's object storage has none to compare.")
    if not checksum:
        fail(upload, DAMAGED, UNSUMMED)
        return
    with transaction.atomic(durable=True):
        check_room(upload.workspace, total - (upload.size or 0))
        moved = upload.move(
            UploadState.COMPLETING,
            size=total,
            crc64nvme=checksum,
            part_count=len(there.parts),
            expires_at=None,
        )
    if not moved:
        upload.refresh_from_db()
    point("upload.completing")


def complete_empty(upload: Upload) -> Upload:
    """A file of no bytes needs none to arrive."""
    place = get_place(upload.storage)
    if isinstance(place, LocalParts):
        with place.whole(upload.pk, 0):
            pass
    else:
        place.receive(upload.key).commit()
    upload.move(UploadState.COMPLETING, crc64nvme=crc64.to_text(crc64.EMPTY), expires_at=None)
    done = finish(upload)
    nudge_examine()
    return done


def complete_many(*, user: User, ids: Sequence[UUID], workspace: str = "") -> list[Upload | OrchestrationError]:
    """For each, in order, the upload or what is wrong with it. Small files share one sync and one transaction."""
    if len(ids) > BATCH_MAX:
        raise Invalid(f"A batch takes at most {BATCH_MAX} uploads; this one has {len(ids)}.")
    mine = list_uploads(user=user, workspace=workspace)
    asked = mine.open().filter(pk__any=set(ids), mode=UploadMode.SINGLE)
    # Most have no file yet and all of them one workspace: joined to each row, both would cost more than the rest.
    done = _together(user, list(asked.select_related(None)))
    uploads = mine.filter(pk__any=set(ids) - done.keys()).in_bulk()
    results: list[Upload | OrchestrationError] = []
    for upload_id in ids:
        upload = done.get(upload_id) or uploads.get(upload_id)
        if upload is None:
            results.append(NotFound("There is no such upload of yours."))
        elif upload_id in done and upload.state == UploadState.COMPLETE:
            results.append(upload)  # who may was asked for all of them together
        else:
            results.append(_one(user, upload))
    return results


def _one(user: User, upload: Upload) -> Upload | OrchestrationError:
    try:
        return complete(user=user, upload=upload)
    except OrchestrationError as exc:
        return exc


def _together(user: User, uploads: list[Upload]) -> dict[UUID, Upload]:
    """Those that could be completed, as they are now. For any other, asking for it alone says what is wrong."""
    by_place: dict[UUID, list[Upload]] = {}
    for upload in uploads:
        by_place.setdefault(upload.workspace_id, []).append(upload)
    there: dict[Workspace, list[tuple[Upload, str]]] = {}
    for place in Workspace.objects.filter(pk__in=by_place):
        for upload in by_place[place.pk]:
            upload.workspace = place
        if place.lets(user, Role.SUBMITTER):
            there[place] = _arrived([upload for upload in by_place[place.pk] if upload.door == UploadDoor.API])
    with transaction.atomic(durable=True):
        # Nothing is added to what was reserved; a quota that was lowered meanwhile is found here.
        arrived = [one for place, some in there.items() if some and _has_room(place) for one in some]
        ids = [upload.pk for upload, _ in arrived]
        moved = Upload.objects.move_many(ids, UploadState.OPEN, UploadState.COMPLETING)
    point("upload.completing")
    mine = [(upload, version) for upload, version in arrived if upload.pk in moved]
    made = finish_whole(mine)
    nudge_examine()
    done: dict[UUID, Upload] = {}
    for upload, _ in mine:
        done[upload.pk] = upload
        if file := made.get(upload.pk):
            upload.become(file)
    others = Upload.objects.filter(pk__in=moved - made.keys()).select_related("file", "workspace")
    return done | others.in_bulk()


def _has_room(place: Workspace) -> bool:
    try:
        check_room(place, 0)
    except QuotaExceeded:
        return False
    return True


def _arrived(uploads: list[Upload]) -> list[tuple[Upload, str]]:
    """Whose bytes are there at their full size, and their version: the signature bound the rest to that."""
    announced = [upload for upload in uploads if upload.crc64nvme]
    if not announced:
        return []
    place = get_place(announced[0].storage)
    if isinstance(place, LocalParts):
        return [(upload, "") for upload in announced if place.size(upload.pk) == upload.size]
    # Only what was begun as a batch has a folder that holds nothing else.
    folders = {upload.key.rpartition("/")[0] for upload in announced if BATCH_FOLDER in upload.key}
    listed = {key: stored for folder in folders for key, stored in place.listed(f"{folder}/")}
    there = [(upload, listed[upload.key]) for upload in announced if upload.key in listed]
    return [(upload, stored.version) for upload, stored in there if stored.size == upload.size]


def abort(*, user: User, upload: Upload) -> None:
    """The upload ends, its bytes go, its room is free. Any number of times. Raises Conflict once it is complete."""
    require_role(user=user, workspace=upload.workspace, role=Role.SUBMITTER)
    moved = upload.state == UploadState.OPEN and upload.move(UploadState.ABORTED, expires_at=None)
    if not moved:
        upload.refresh_from_db()
        if upload.state in {UploadState.COMPLETE, UploadState.COMPLETING}:
            raise Conflict("The upload is complete: delete its file instead.")
    # Once more for what ended before: a part that was on its way may have come after.
    drop_bytes(upload)
