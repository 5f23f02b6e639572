"""Opening and deleting files, and bringing them back."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models.functions import Greatest, Now

from orchestration.errors import Conflict, NotFound, OrchestrationError
from orchestration.models import Examination, File, Job, JobInput
from orchestration.models.audit import write_audit
from orchestration.models.file import UNDELETE
from orchestration.services.access import require_role
from orchestration.services.uploads.rooms import check_room
from orchestration.states import JOB_UNFINISHED, AuditAction, FileEventKind, Role, ScanState
from orchestration.storage.registry import get_direct, get_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import BinaryIO
    from uuid import UUID

    from orchestration.models import User, Workspace


log = logging.getLogger(__name__)

URL_LIVES: Final = timedelta(minutes=5)


def open_content(file: File) -> BinaryIO:
    return get_storage(file.storage).open(file.key, file.version)


def download_url(file: File, *, media_type: str) -> str | None:
    """Where to fetch it from object storage, for five minutes; None where we serve it ourselves.

    Whoever has it needs no permission any more, so ask only after one was found. It is never kept.
    """
    direct = get_direct(file.storage)
    if direct is None:
        return None
    log.info("download signed", extra={"file_id": str(file.pk)})
    name = file.name.rpartition("/")[2]
    return direct.sign_get(file.key, file.version, name=name, media_type=media_type, lives=URL_LIVES)


def view_url(file: File, *, media_type: str) -> tuple[str, str] | None:
    """As `download_url`, to be shown inside of a page of ours, and the origin that such a page must allow."""
    direct = get_direct(file.storage)
    if direct is None:
        return None
    log.info("view signed", extra={"file_id": str(file.pk)})
    return direct.sign_view(file.key, file.version, media_type=media_type, lives=URL_LIVES), direct.origin


def why_not_readable(file: File) -> str:
    """A sentence for who wants its bytes while they are not clean."""
    if file.damaged_at:
        return (
            f"{file.name} cannot be fetched. {file.scan_detail} If you have the file, upload it again; otherwise ask "
            "your administrator to restore it from a backup."
        )
    if file.scan_state == ScanState.QUARANTINED:
        why = file.scan_detail.rstrip(".") or "the check found something"
        return f"{file.name} was quarantined: {why}. It cannot be fetched. Ask your administrator about it."
    waiting = Examination.objects.filter(pk=file.pk).values_list("reason", flat=True).first()
    return f"{file.name} is still being checked. {waiting or 'It can be fetched in a moment.'}"


def audit_file(action: AuditAction, *, by: User, file: File, **said: Any) -> None:
    write_audit(action, by=by, workspace=file.workspace, about=file, name=file.name, **said)


def note_read(*, user: User, file: File) -> None:
    """Before its bytes are given out: that somebody reads what another has brought or made."""
    if file.created_by_id != user.pk:
        audit_file(AuditAction.FILE_READ, by=user, file=file)


def note_archive_read(*, user: User, files: Iterable[File]) -> None:
    """As `note_read`, of many at once: one entry for each workspace."""
    others: dict[Workspace, list[UUID]] = {}
    for file in files:
        if file.created_by_id != user.pk:
            others.setdefault(file.workspace, []).append(file.pk)
    for workspace, ids in others.items():
        write_audit(AuditAction.FILE_READ, by=user, workspace=workspace, after={"files": len(ids), "ids": ids})


@transaction.atomic(durable=True)
def delete_file(*, user: User, file: File) -> None:
    """Hide the file; for 30 days it can be brought back. Refused on hold, and while an unfinished job reads it."""
    require_role(user=user, workspace=file.workspace, role=Role.SUBMITTER)
    locked = File.objects.select_for_update(no_key=True).get(pk=file.pk)
    if locked.hold:
        raise Conflict(f"{file.name} is on hold. Release the hold first.")
    if JobInput.objects.filter(file=file, job__state__in=JOB_UNFINISHED).exists():
        raise Conflict(f"{file.name} is an input of a job that has not finished. Cancel the job first, or wait.")
    if locked.job_id and not Job.objects.get(pk=locked.job_id).is_finished:
        raise Conflict(f"{file.name} is an output of a job that has not finished. Cancel the job first, or wait.")
    if File.objects.filter(pk=file.pk, deleted_at__isnull=True).update(deleted_at=Now()):
        locked.event(FileEventKind.DELETED, actor=user).save()
        audit_file(AuditAction.FILE_DELETED, by=user, file=locked)


def undelete_file(*, user: User, file: File) -> File:
    """The file is back, for 30 days at least. Raises NotFound when it is too late, QuotaExceeded without room."""
    require_role(user=user, workspace=file.workspace, role=Role.SUBMITTER)
    if file.purged_at is None and get_storage(file.storage).size(file.key) is None:
        raise NotFound(f"The bytes of {file.name} are gone from the storage, so it cannot be brought back.")
    return _undelete(user, file)


@transaction.atomic(durable=True)
def _undelete(user: User, file: File) -> File:
    # The workspace's row before the file's, as everything that counts room does.
    check_room(file.workspace, 0)
    locked = File.objects.select_for_update(no_key=True).get(pk=file.pk)
    if locked.deleted_at is None:
        return locked
    back = File.objects.deleted().filter(pk=file.pk)
    if not back.update(deleted_at=None, warned_at=None, expires_at=Greatest("expires_at", Now() + UNDELETE)):
        raise NotFound(f"{file.name} was deleted more than {UNDELETE.days} days ago and cannot be brought back.")
    locked.event(FileEventKind.UNDELETED, actor=user).save()
    audit_file(AuditAction.FILE_UNDELETED, by=user, file=locked)
    locked.refresh_from_db()
    return locked


def for_each(
    act: Callable[..., object], *, user: User, ids: Sequence[UUID], deleted: bool = False
) -> list[tuple[File, OrchestrationError | None]]:
    """Do one thing to many files; for each that the user may see, in order, what was wrong with it."""
    seen = File.objects.visible_to(user).filter(deleted_at__isnull=not deleted, superseded_at__isnull=True)
    found = seen.select_related("workspace").in_bulk(list(ids))
    return [(found[i], _outcome(act, user, found[i])) for i in dict.fromkeys(ids) if i in found]


def _outcome(act: Callable[..., object], user: User, file: File) -> OrchestrationError | None:
    try:
        act(user=user, file=file)
    except OrchestrationError as exc:
        return exc
    return None
