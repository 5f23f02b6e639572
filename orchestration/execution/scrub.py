"""Bytes at rest are read again and compared with their SHA-256, so that damage is found before somebody needs the file.

One process does it at a time, at a bounded rate. A damaged file goes into quarantine: nobody can fetch it or run on it.
It comes out by itself when its bytes are right again, from a backup or because the same content was uploaded anew.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from orchestration import going
from orchestration.errors import StorageGone, StorageRejected, StorageUnavailable
from orchestration.execution.dedup import one_by_one, whole_twin
from orchestration.execution.file_notices import tell_of_file
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.leader import leading
from orchestration.models import File
from orchestration.points import point
from orchestration.states import FileEventKind, ScanState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from orchestration.execution.leader import Leader
    from orchestration.models.file import FileQuerySet

log = logging.getLogger(__name__)

DUTY: Final = "scrub"
BUDGET_S: Final = 30.0
"""No file is begun after it; one that was begun is read to its end."""
LOOK_AGAIN: Final = timedelta(hours=1)
"""How long after damage was found its bytes are read again: somebody may have restored them."""
BLOCK: Final = 1 << 20
MIB: Final = 1 << 20
STAY_S: Final = 1.0
MOST_UNREAD: Final = 20
"""Files of one round that the storage would not give: more of them are its trouble, not theirs."""
MOST_REFUSED: Final = 1_000
CHANGED: Final = "Its bytes are no longer those that were stored: they were damaged in the storage."
MISSING: Final = "Its bytes are missing from the storage."
UNREADABLE: Final = "Its bytes cannot be read any more: the disk reports an error."
WITNESSES: Final = 3
NOT_THERE: Final = (
    "The storage has neither this file nor any other that was asked for. Is it mounted, and the right one?"
)
RESTORED: Final = "its bytes are right again"


class Refused:
    """Keys that the storage would not give lately. Otherwise the same files, always refused, would use up each round.

    Of this process only: another one, or a new one, finds out by itself.
    """

    def __init__(self) -> None:
        self._since: dict[str, float] = {}

    def add(self, key: str) -> None:
        self._since.pop(key, None)
        self._since[key] = time.monotonic()
        while len(self._since) > MOST_REFUSED:
            del self._since[next(iter(self._since))]

    def keys(self) -> list[str]:
        """Those of the last hour."""
        now = time.monotonic()
        self._since = {key: at for key, at in self._since.items() if now - at < LOOK_AGAIN.total_seconds()}
        return [*self._since]


refused: Final = Refused()


class NotLeader(Exception):
    """Another process does it now."""


class Reading:
    """What one round may read: `rate` in bytes a second, and only while this process leads."""

    def __init__(self, leader: Leader, rate: int) -> None:
        self._leader, self._rate = leader, rate
        self._begun = self._stayed = time.monotonic()
        self._bytes = 0

    def took(self, size: int) -> None:
        self._bytes += size
        time.sleep(max(0.0, self._begun + self._bytes / self._rate - time.monotonic()))
        if time.monotonic() - self._stayed > STAY_S:
            if not self._leader.stay():
                raise NotLeader
            self._stayed = time.monotonic()


def scrub() -> int:
    """Read what is due, longest unread first. Returns how many files turned out damaged or right again."""
    if not settings.SCRUB_DAYS:
        return 0
    with leading(DUTY) as leader:
        if leader is None:
            return 0
        return _round(Reading(leader, settings.SCRUB_MIB_S * MIB))


def _round(reading: Reading) -> int:
    until, changed, unread = time.monotonic() + BUDGET_S, 0, list[str]()
    passed_by = refused.keys()
    while going.is_before(until) and len(unread) < MOST_UNREAD:
        file = _next(passed_by + unread)
        if file is None:
            break
        unread.append(file.key)
        with one_at_a_time(file.pk):
            try:
                found = _look(file, reading.took)
            except NotLeader:
                break
            except (StorageUnavailable, StorageRejected, OSError) as exc:
                refused.add(file.key)
                log.warning("file not read", extra={"file_id": str(file.pk), "error": repr(exc)})
                continue
            point("scrub.read")
            changed += _record(file, found)
            unread.remove(file.key)
    return changed


def _next(unread: Collection[str]) -> File | None:
    """Whose time came first."""
    found = [rows.exclude(key__in=unread).order_by("verified_at").first() for rows in _due()]
    return min((file for file in found if file), key=lambda file: file.verified_at + _lasts(file), default=None)


def _lasts(file: File) -> timedelta:
    return LOOK_AGAIN if file.damaged_at else timedelta(days=settings.SCRUB_DAYS)


def _due() -> tuple[FileQuerySet, FileQuerySet]:
    """Of two kinds and asked for apart: each has an index, while for both in one every file would be looked at."""
    there = File.objects.filter(purged_at__isnull=True).exclude(sha256="")
    sound = there.filter(scan_state=ScanState.CLEAN, verified_at__lte=Now() - timedelta(days=settings.SCRUB_DAYS))
    return sound, there.filter(damaged_at__isnull=False, verified_at__lte=Now() - LOOK_AGAIN)


def _look(file: File, took: Callable[[int], None]) -> str:
    """What is wrong with its bytes, "" for nothing. Raises what the storage raises where it does not answer."""
    digest = hashlib.sha256()
    try:
        with get_storage(file.storage).open(file.key, file.version) as source:
            while block := source.read(BLOCK):
                digest.update(block)
                took(len(block))
    except (FileNotFoundError, StorageGone) as exc:
        if not _gives_others(file):
            raise StorageUnavailable(NOT_THERE) from exc
        return MISSING
    except OSError as exc:
        if exc.errno != errno.EIO:
            raise
        return UNREADABLE
    return "" if digest.hexdigest() == file.sha256 else CHANGED


def _gives_others(file: File) -> bool:
    """Whether its storage has others of its files, the first and the last; or should have none.

    Of a disk that is not mounted, or a bucket of another name, every file would be found missing, and jobs would fail.
    """
    others = File.objects.filter(storage=file.storage, scan_state=ScanState.CLEAN, purged_at__isnull=True)
    others = others.exclude(key=file.key).exclude(sha256="")
    witnesses = [*others.order_by("pk")[:WITNESSES], *others.order_by("-pk")[:WITNESSES]]
    return not witnesses or any(_is_there(one) for one in witnesses)


def _is_there(file: File) -> bool:
    try:
        with get_storage(file.storage).open(file.key, file.version) as source:
            source.read(1)
    except (FileNotFoundError, StorageGone):
        return False
    return True


@transaction.atomic(durable=True)
def _record(file: File, found: str) -> int:
    """For every file that shares the bytes; the number of those that are damaged now and were not, or were and are not.

    Who was purged, or given other bytes, while these were read is left alone.
    """
    # Whoever is about to share these bytes has done so by now, or will find what is said of them here.
    one_by_one(file)
    same = File.objects.filter(storage=file.storage, key=file.key, version=file.version, purged_at__isnull=True)
    rows = list(same.select_for_update(no_key=True).order_by("pk"))
    File.objects.filter(pk__in=[row.pk for row in rows]).update(verified_at=Now())
    clean = [row for row in rows if row.scan_state == ScanState.CLEAN]
    damaged = [row for row in rows if row.damaged_at]
    if not found:
        return sum(_restored(row, RESTORED) for row in damaged)
    twin = whole_twin(file)
    if twin is not None:
        return sum(_moved(row, twin) for row in clean + damaged)
    return sum(_damaged(row, found) for row in clean)


def _damaged(file: File, found: str) -> bool:
    if not file.move_scan(ScanState.QUARANTINED, scan_detail=found, damaged_at=Now()):
        return False
    file.event(FileEventKind.DAMAGED, old=ScanState.CLEAN, new=ScanState.QUARANTINED, reason=found).save()
    tell_of_file(file, "damaged", found)
    log.error("file damaged", extra={"file_id": str(file.pk), "key": file.key, "detail": found})
    return True


def _restored(file: File, why: str) -> bool:
    if not file.move_scan(ScanState.CLEAN, scan_detail="", damaged_at=None):
        return False
    file.event(FileEventKind.RESTORED, old=ScanState.QUARANTINED, new=ScanState.CLEAN, reason=why).save()
    return True


def _moved(file: File, twin: File) -> bool:
    """The same content lies here twice: the good object serves both, and the sweep of objects takes the bad one."""
    File.objects.filter(pk=file.pk).update(key=twin.key, version=twin.version)
    why = f"its bytes were damaged, and the same content was stored as {twin.name} too"
    if file.damaged_at:
        return _restored(file, why)
    file.event(FileEventKind.RESTORED, reason=why, data={"same_as": str(twin.pk)}).save()
    return True
