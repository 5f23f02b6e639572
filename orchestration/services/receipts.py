"""What is left of a deleted file: who or which rule deleted it, when, and when its bytes were destroyed.

A receipt is put together from the file's row and its events, which nothing changes or deletes. It is not signed: it
says what this platform's records say, and is worth what its database is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from orchestration.errors import Conflict
from orchestration.execution.retention import DESTROYED, PURGING, SHARED
from orchestration.models import File, FileEvent
from orchestration.models.file import UNDELETE
from orchestration.states import FILE_GONE_BY, FileEventKind

if TYPE_CHECKING:
    from datetime import datetime

THERE: Final = "kept"
GOING: Final = "being destroyed"
HEIRS: Final = 10_000
"""A chain of files that shared an object has an end; this one only bounds a mistake."""
_FACTS: Final = (
    "name", "path", "kind", "media_type", "size", "sha256", "crc64nvme", "created_at", "expires_at",
)  # fmt: skip
_PRIVATE: Final = frozenset({"storage", "key", "version"})


@dataclass(frozen=True, slots=True)
class Bytes:
    """`state`: kept, being destroyed, destroyed, or shared: a file of equal content has them still."""

    state: str
    released_at: datetime | None
    """When this file gave them up for good."""
    destroyed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    file: File
    deleted_at: datetime
    deleted_by: str | None
    """None: a rule did it."""
    rule: str
    """In words, when nobody did it by hand."""
    undelete_until: datetime
    bytes: Bytes
    events: tuple[FileEvent, ...]


def receipt_of(*, file: File) -> Receipt:
    """`file` with its workspace and creator. Raises Conflict for a file that is not deleted."""
    if file.deleted_at is None:
        raise Conflict(f"{file.name} is not deleted, so there is no receipt of its deletion.")
    events = history_of(file=file)
    last = next((event for event in reversed(events) if event.kind in FILE_GONE_BY), None)
    return Receipt(
        file=file,
        deleted_at=file.deleted_at,
        deleted_by=last.actor.username if last and last.actor else None,
        rule=_rule(file, last),
        undelete_until=file.deleted_at + UNDELETE,
        bytes=_bytes(events),
        events=events,
    )


def as_document(receipt: Receipt) -> dict[str, Any]:
    """The same for programs and pages. Where the bytes lay is left out: it is nobody's business."""
    file = receipt.file
    return {
        "file": file.pk,
        "workspace": file.workspace.slug,
        **{name: getattr(file, name) for name in _FACTS},
        "created_by": file.created_by.username if file.created_by else None,
        "deleted_at": receipt.deleted_at,
        "deleted_by": receipt.deleted_by,
        "rule": receipt.rule or None,
        "undelete_until": receipt.undelete_until if receipt.bytes.released_at is None else None,
        "bytes": receipt.bytes.state,
        "released_at": receipt.bytes.released_at,
        "bytes_destroyed_at": receipt.bytes.destroyed_at,
        "events": [_event(event) for event in receipt.events],
        "signed": False,
        "issued_at": timezone.now(),
    }


def _event(event: FileEvent) -> dict[str, Any]:
    return {
        "at": event.at,
        "kind": event.kind,
        "by": event.actor.username if event.actor else None,
        "old": event.old or None,
        "new": event.new or None,
        "reason": event.reason or None,
        "data": {key: value for key, value in event.data.items() if key not in _PRIVATE},
    }


def history_of(*, file: File) -> tuple[FileEvent, ...]:
    """Everything that happened to the file after it came, the oldest first."""
    return tuple(FileEvent.objects.filter(file_id=file.pk).select_related("actor").order_by("id"))


def _rule(file: File, last: FileEvent | None) -> str:
    if last is None:
        return "deleted before deletions were recorded"
    if last.kind == FileEventKind.EXPIRED:
        return f"its date had come: {file.kind}, {last.reason}"
    return ""


def _bytes(events: tuple[FileEvent, ...]) -> Bytes:
    purges = [event for event in events if event.kind == FileEventKind.PURGED]
    if not purges:
        return Bytes(THERE, None, None)
    begun, end = purges[0], purges[-1]
    if end.new == PURGING:
        return Bytes(GOING, begun.at, None)
    destroyed = _end_of_object(end)
    return Bytes(DESTROYED if destroyed else SHARED, begun.at, destroyed.at if destroyed else None)


def _end_of_object(event: FileEvent | None) -> FileEvent | None:
    """From each file that let go to the one it left the bytes to, until one destroyed them."""
    for _ in range(HEIRS):
        if event is None or event.new == DESTROYED:
            return event
        heir: Any = event.data.get("bytes_left_to")
        purges = FileEvent.objects.filter(file_id=heir, kind=FileEventKind.PURGED, new__in=[DESTROYED, SHARED])
        event = purges.order_by("-id").first()
    return None
