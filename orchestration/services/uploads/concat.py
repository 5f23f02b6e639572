"""Several partial uploads become one (tus: concatenation). Their checksums are combined; no byte is read again.

The bytes are copied before anything is decided: until then the partial ones are as they were, and the copy is a file
that no row knows. Then one transaction ends the partial ones and writes the joined one as `completing`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.errors import Conflict, Invalid, NotFound, PartsMissing
from orchestration.execution.finishing import drop_bytes, finish
from orchestration.models import Upload
from orchestration.points import point
from orchestration.services.access import require_role
from orchestration.services.uploads.complete import ended_as
from orchestration.services.uploads.create import checked_upload, nothing_asked
from orchestration.services.uploads.lookups import list_uploads
from orchestration.services.uploads.rooms import check_room
from orchestration.services.uploads.signing import require_open
from orchestration.services.uploads.stream import folder_of
from orchestration.states import Role, UploadDoor, UploadState
from orchestration.storage.local_parts import WHOLE
from orchestration.tasks import nudge_examine

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from orchestration.models import User
    from orchestration.services.uploads.create import Wanted
    from orchestration.storage.local_parts import LocalParts

_JOINED: Final = (UploadState.COMPLETING, UploadState.COMPLETE)
ENDED: Final = "One of these partial uploads has ended in the meantime. Look at each, then join them again."


def join_uploads(*, user: User, ids: Sequence[UUID], wanted: Wanted, workspace: str, concat: str) -> Upload:
    """The upload that has the bytes of all, in this order. Asked again for the same: the same.

    Raises NotFound, Invalid, PartsMissing, PartBusy, Conflict, UploadExpired, QuotaExceeded, TooLarge, StorageFull.
    """
    partial = _partials(user, ids, workspace)
    place = partial[0].workspace
    require_role(user=user, workspace=place, role=Role.SUBMITTER)
    final = _joined_before(partial, concat)
    if final is None:
        _require_whole(partial)
        size = sum(upload.offset for upload in partial)
        final = checked_upload(user, place, replace(wanted, size=size), UploadDoor.TUS, nothing_asked())
        final.concat = concat
        _join(partial, final)
        point("concat.decided")
    if final.state == UploadState.COMPLETING:
        final = finish(final)
        nudge_examine()
    if final.state == UploadState.FAILED:
        raise ended_as(final)
    if final.state == UploadState.COMPLETE:
        for upload in partial:
            drop_bytes(upload)
        point("concat.released")
    return final


def went_into(upload: Upload) -> bool:
    """Whether its bytes live on in another upload."""
    return upload.joined_to is not None and Upload.objects.filter(pk=upload.joined_to, state__in=_JOINED).exists()


def _partials(user: User, ids: Sequence[UUID], workspace: str) -> list[Upload]:
    if not ids or len(set(ids)) != len(ids):
        raise Invalid("Upload-Concat: final; names one or more partial uploads, each of them once.")
    found = list_uploads(user=user, workspace=workspace).in_bulk(ids)
    if missing := [upload_id for upload_id in ids if upload_id not in found]:
        raise NotFound(f"There is no such partial upload of yours: {missing[0]}.")
    uploads = [found[upload_id] for upload_id in ids]
    if len({upload.workspace_id for upload in uploads}) > 1:
        raise Invalid("These partial uploads are in different workspaces: say the same one for each.")
    if whole := [upload for upload in uploads if not upload.is_partial]:
        raise Invalid(f"Upload {whole[0].pk} was not begun as a partial one (Upload-Concat: partial).")
    return uploads


def _joined_before(partial: Sequence[Upload], concat: str) -> Upload | None:
    """For a client that did not hear the answer."""
    used = {upload.joined_to for upload in partial if upload.joined_to}
    if not used:
        return None
    before = Upload.objects.select_related("workspace").filter(pk__in=used, state__in=_JOINED).first()
    if before is not None and before.concat == concat:
        return before
    raise Conflict("Some of these partial uploads are part of another file already. Send them again.")


def _require_whole(partial: Sequence[Upload]) -> None:
    for upload in partial:
        require_open(upload, UploadDoor.TUS)
    short = [upload for upload in partial if upload.size is None or upload.offset != upload.size]
    if short:
        raise PartsMissing(
            f"{len(short)} of {len(partial)} partial uploads are not finished. Finish each, then join them.",
            missing=" ".join(str(upload.pk) for upload in short),
        )


def _join(partial: Sequence[Upload], final: Upload) -> None:
    parts = folder_of(final)
    # Whoever joins them at the same time waits here, instead of copying for nothing.
    lock = parts.open_part(partial[0].pk, 0, WHOLE)
    try:
        parts.join(final.pk, [(upload.pk, upload.offset) for upload in partial])
        point("concat.copied")
        _decide(parts, partial, final)
    except FileNotFoundError as exc:
        raise Conflict(ENDED) from exc
    finally:
        os.close(lock)


def _decide(parts: LocalParts, partial: Sequence[Upload], final: Upload) -> None:
    final.state, final.expires_at = UploadState.COMPLETING, None
    final.crc64nvme = crc64.to_text(crc64.combine(_checksums(partial)))
    final.part_count = 1
    try:
        _enter(partial, final)
    except BaseException:
        parts.drop(final.pk)
        raise
    final.refresh_from_db()


def _checksums(partial: Sequence[Upload]) -> list[tuple[int, int]]:
    return [(crc64.from_text(upload.running_crc), upload.offset) for upload in partial if upload.offset]


@transaction.atomic(durable=True)
def _enter(partial: Sequence[Upload], final: Upload) -> None:
    """Their room becomes its room: nothing is counted twice, and nothing is added."""
    check_room(final.workspace, 0)
    ids = [upload.pk for upload in partial]
    mine = Upload.objects.open().filter(pk__in=ids).select_for_update(of=("self",)).order_by("pk")
    if len(mine) != len(ids):
        raise Conflict(ENDED)
    Upload.objects.filter(pk__in=ids).update(
        state=UploadState.ABORTED, joined_to=final.pk, touched_at=Now(), expires_at=None
    )
    final.save(force_insert=True)
