"""Whoever sent a file or had it made is told before its date comes: by mail if she has it, on the pages in any case.

`warned_at` is that it was told. It is empty again when the date changes, so that the new one is told too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now

from orchestration.execution.letter import Going
from orchestration.execution.notifying import tell
from orchestration.models import File, FileEvent, Membership
from orchestration.models.notification import mailed_at_once
from orchestration.states import FileEventKind, FileKind, NotificationKind

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from orchestration.models import User
    from orchestration.models.file import FileQuerySet

BUNDLE: Final = timedelta(days=7)
"""What goes within this after the first comes along, so that who uploads every day is not mailed every day."""
MAIL_PATIENCE: Final = timedelta(days=2)
"""How long a mail server may be down before the pages count as told."""
MOST: Final = 10_000
NAME_LENGTH: Final = 200
BATCH: Final = 500
ROUNDS: Final = 20
BY_MAIL: Final = "mail"
BY_PAGE: Final = "page"


def _window() -> timedelta:
    return timedelta(days=settings.EXPIRY_WARNING_DAYS)


def unwarned(more: timedelta = timedelta(0)) -> FileQuerySet:
    """Files that go within ESTEIRA_EXPIRY_WARNING_DAYS (and `more`) and whose last half has begun.

    The half, because a file that is kept for a week need not be announced when it has just come.
    """
    soon = File.objects.current().filter(
        kind__in=[FileKind.UPLOAD, FileKind.RESULT],
        hold=False,
        warned_at__isnull=True,
        expires_at__lt=Now() + _window() + more,
    )
    rows: FileQuerySet = soon.alias(age=Now() - F("created_at"), left=F("expires_at") - Now()).filter(
        age__gte=F("left")
    )
    return rows if settings.EXPIRY_WARNING_DAYS else rows.none()


def to_mail(more: timedelta = timedelta(0)) -> FileQuerySet:
    """Those of them whose people are mailed at once."""
    rows: FileQuerySet = unwarned(more).filter(_wants_mail())
    return rows


def _wants_mail() -> Q:
    here = OuterRef("workspace")
    return mailed_at_once(
        NotificationKind.FILES_GOING, user="created_by", workspace=here, mail_on="created_by__mail_on"
    )


def going(user: User) -> list[Going]:
    """What to tell this person, the first to go first; nothing of a workspace that she has left."""
    due = to_mail().filter(created_by=user)
    if not due.filter(pk__in=File.objects.visible_to(user).values("pk")).exists():
        return []
    rows = to_mail(BUNDLE).filter(created_by=user, pk__in=File.objects.visible_to(user).values("pk"))
    fields = ("pk", "name", "size", "workspace__slug", "expires_at")
    return [Going(*row) for row in rows.order_by("expires_at", "pk").values_list(*fields)[:MOST]]


@transaction.atomic
def record_told(ids: Collection[UUID], *, by: str) -> int:
    """Those of them whose date was not changed meanwhile."""
    found = unwarned(BUNDLE).filter(pk__in=ids).select_for_update(no_key=True, skip_locked=True, of=("self",))
    files = list(found)
    File.objects.filter(pk__in=[file.pk for file in files]).update(warned_at=Now())
    FileEvent.objects.bulk_create(
        file.event(FileEventKind.WARNED, new=by, data={"expires_at": file.expires_at.isoformat()}) for file in files
    )
    _tell(files)
    return len(files)


def _tell(files: Collection[File]) -> None:
    """All of one person and workspace are one notification; those that an earlier one told of stay in it."""
    heaps: dict[tuple[UUID, UUID], list[File]] = {}
    for file in files:
        if file.created_by_id:
            heaps.setdefault((file.created_by_id, file.workspace_id), []).append(file)
    for (person, workspace), heap in sorted(heaps.items()):
        first = min(heap, key=lambda file: file.expires_at)
        data = {
            "file": str(first.pk),
            "name": first.name[:NAME_LENGTH],
            "at": first.expires_at.isoformat(),
            "day": f"{first.expires_at:%Y-%m-%d}",  # as a release before this one reads it
        }
        tell(
            kind=NotificationKind.FILES_GOING,
            workspace_id=workspace,
            people=[person],
            group="",
            data=data,
            count=len(heap),
        )


def warn_files() -> int:
    """Count as told by the pages what nobody can be mailed about."""
    total = 0
    for _ in range(ROUNDS):
        ids = list(_by_page_only().order_by("expires_at").values_list("pk", flat=True)[:BATCH])
        total += record_told(ids, by=BY_PAGE)
        if len(ids) < BATCH:
            break
    return total


def _by_page_only() -> FileQuerySet:
    if not settings.MAILERS:
        return unwarned()
    member = Membership.objects.filter(user=OuterRef("created_by"), workspace=OuterRef("workspace"))
    wants_mail = Q(created_by__is_active=True) & ~Q(created_by__email="") & _wants_mail()
    reachable = wants_mail & (Q(created_by__is_superuser=True) | Q(Exists(member)))
    waited_long = Q(expires_at__lt=Now() + _window() - min(MAIL_PATIENCE, _window() / 2))
    # An unknown creator makes the conditions NULL, which is not False: asked for by name.
    rows: FileQuerySet = unwarned().filter(Q(created_by__isnull=True) | ~reachable | waited_long)
    return rows
