"""How long a file is kept: longer, or until a hold is released; and what is left to show of a deleted one."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from orchestration.errors import Conflict, Invalid
from orchestration.models import File
from orchestration.services.access import require_role
from orchestration.services.files import audit_file
from orchestration.states import AuditAction, FileEventKind, Role

if TYPE_CHECKING:
    from orchestration.models import User

MAX_REASON = 500


def longest_term() -> timedelta:
    """From today on; nothing can be extended beyond it."""
    return timedelta(days=settings.MAX_RETENTION_DAYS)


def end_of(day: date) -> datetime:
    """So that a file kept until a day is there on all of it, in UTC."""
    return datetime.combine(day, time.min, UTC) + timedelta(days=1)


@transaction.atomic(durable=True)
def extend_file(*, user: User, file: File, days: int | None = None, until: datetime | None = None) -> File:
    """Keep the file `days` longer than now, or `until` a date. Raises Invalid for less than now, or too much."""
    require_role(user=user, workspace=file.workspace, role=Role.SUBMITTER)
    locked, now = _lock(file)
    if locked.deleted_at is not None:
        raise Conflict(f"{file.name} is deleted. Bring it back first.")
    wanted = _wanted(locked, now, days, until)
    if wanted <= locked.expires_at:
        raise Invalid(f"{file.name} is kept until {_day(locked.expires_at)} already; a later date is needed.")
    if wanted > (latest := now + longest_term()):
        raise Invalid(f"{file.name} can be kept until {_day(latest)} at most.")
    File.objects.filter(pk=file.pk).update(expires_at=wanted, warned_at=None)
    locked.event(FileEventKind.EXTENDED, actor=user, old=_stamp(locked.expires_at), new=_stamp(wanted)).save()
    before, after = {"expires_at": locked.expires_at}, {"expires_at": wanted}
    audit_file(AuditAction.FILE_EXTENDED, by=user, file=locked, before=before, after=after)
    locked.refresh_from_db()
    return locked


def _wanted(file: File, now: datetime, days: int | None, until: datetime | None) -> datetime:
    if (days is None) == (until is None):
        raise Invalid("Say either by how many days, or until when.")
    if until is not None:
        return until
    days = days or 0
    if not 1 <= days <= settings.MAX_RETENTION_DAYS:
        raise Invalid(f"A file is extended by 1 to {settings.MAX_RETENTION_DAYS:,} days at once.")
    return max(file.expires_at, now) + timedelta(days=days)


@transaction.atomic(durable=True)
def hold_file(*, user: User, file: File, reason: str) -> File:
    """Neither its date nor anybody deletes the file until a manager releases it. Deleted ones are not destroyed."""
    require_role(user=user, workspace=file.workspace, role=Role.MANAGER)
    if not reason.strip() or len(reason) > MAX_REASON:
        raise Invalid(f"A hold needs a reason, of at most {MAX_REASON} characters.")
    return _set_hold(user, file, hold=True, reason=reason.strip())


@transaction.atomic(durable=True)
def release_file(*, user: User, file: File, reason: str = "") -> File:
    """The file's own date counts again. If that has passed, the file is deleted with the next sweep."""
    require_role(user=user, workspace=file.workspace, role=Role.MANAGER)
    if len(reason) > MAX_REASON:
        raise Invalid(f"A reason has at most {MAX_REASON} characters.")
    return _set_hold(user, file, hold=False, reason=reason.strip())


def _set_hold(user: User, file: File, *, hold: bool, reason: str) -> File:
    locked, _ = _lock(file)
    if locked.purged_at is not None:
        raise Conflict(f"The bytes of {file.name} are destroyed; there is nothing left to hold.")
    if locked.hold != hold:
        File.objects.filter(pk=file.pk).update(hold=hold)
        kind = FileEventKind.HELD if hold else FileEventKind.UNHELD
        locked.event(kind, actor=user, reason=reason).save()
        action = AuditAction.FILE_HELD if hold else AuditAction.FILE_UNHELD
        audit_file(action, by=user, file=locked, after={"reason": reason})
        locked.refresh_from_db()
    return locked


def _lock(file: File) -> tuple[File, datetime]:
    """The row, locked, and the database's time."""
    rows = File.objects.annotate(now=Now()).select_for_update(no_key=True, of=("self",))
    locked: File = rows.get(pk=file.pk)
    return locked, locked.__dict__["now"]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"
