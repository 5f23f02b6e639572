"""How much a workspace holds, counted from rows, and whether more has room; how large one file may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from orchestration.errors import QuotaExceeded, TooLarge, TooManyOpenUploads
from orchestration.models import Upload, Workspace
from orchestration.models.file import UNDELETE
from orchestration.models.usage import reserved_bytes, stored_bytes
from orchestration.spec.units import format_size

if TYPE_CHECKING:
    from orchestration.models import User


def check_size(size: int) -> None:
    """Raises TooLarge."""
    most = settings.MAX_UPLOAD_BYTES
    if size > most:
        raise TooLarge(f"This server accepts files up to {format_size(most)}.")


def check_room(place: Workspace, more: int) -> None:
    """Raises QuotaExceeded. In a transaction: the workspace's row is locked, so that two cannot take the same room."""
    quota = place.quota_bytes
    if quota is None:
        return
    Workspace.objects.select_for_update(no_key=True).get(pk=place.pk)
    used = used_bytes(place)
    if used + more > quota:
        raise QuotaExceeded(
            f"Workspace {place.slug} may hold {format_size(quota)}; {format_size(used)} are taken, and this needs "
            f"{format_size(more)}. Ask an administrator for more. Delete files to have their room once their bytes are "
            f"destroyed, {UNDELETE.days} days later."
        )


def used_bytes(place: Workspace) -> int:
    """Of files whose bytes are there, each object once, and of uploads under way."""
    return stored_bytes(place) + reserved_bytes(place)


def check_open(user: User, more: int) -> None:
    """Raises TooManyOpenUploads."""
    most = settings.MAX_OPEN_UPLOADS
    if Upload.objects.open().filter(created_by=user).count() + more > most:
        raise TooManyOpenUploads(f"You may have {most:,} unfinished uploads. Complete or abort some, then go on.")
