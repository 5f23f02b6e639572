"""Letting a file out of quarantine: by an administrator, with a reason, and a record of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from orchestration.errors import Conflict, Forbidden, Invalid
from orchestration.models import File
from orchestration.services.files import audit_file
from orchestration.services.retention import MAX_REASON
from orchestration.states import AuditAction, FileEventKind, ScanState
from orchestration.tasks import nudge_dispatch

if TYPE_CHECKING:
    from orchestration.models import User


def release_from_quarantine(*, user: User, file: File, reason: str) -> None:
    """From now on the file counts as clean. Raises Forbidden, Invalid without a reason, Conflict where it cannot be."""
    if not user.is_superuser and not user.has_perm("orchestration.change_file"):
        raise Forbidden("Only an administrator releases files from quarantine.")
    reason = reason.strip()
    if not 1 <= len(reason) <= MAX_REASON:
        raise Invalid(f"Say why, in at most {MAX_REASON} characters: it is kept with the file.")
    with transaction.atomic(durable=True):
        locked = File.objects.select_for_update(no_key=True).get(pk=file.pk)
        if locked.scan_state != ScanState.QUARANTINED:
            raise Conflict(f"{locked.name} is not in quarantine: it is {locked.scan_state}.")
        if locked.damaged_at:
            raise Conflict(
                f"{locked.name} cannot be released. {locked.scan_detail} Restore them from a backup, or upload the "
                "same file again: it comes back by itself within the hour."
            )
        if not locked.sha256:
            raise Conflict(f"{locked.name} cannot be released. {locked.scan_detail}")
        locked.move_scan(ScanState.CLEAN)
        old, new = ScanState.QUARANTINED, ScanState.CLEAN
        locked.event(FileEventKind.RELEASED, actor=user, old=old, new=new, reason=reason).save()
        audit_file(AuditAction.FILE_RELEASED, by=user, file=locked, after={"reason": reason})
    nudge_dispatch()
