"""One pass over a file that has arrived: SHA-256, CRC64NVME, true type, and what the scanner says.

A lease in database time says who is at it, because a large file takes longer than a message lives. Who lost the lease
records nothing.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, F, Q
from django.db.models.functions import Now

from orchestration import crc64, going
from orchestration.errors import ScannerUnavailable, StorageGone, StorageRejected, StorageUnavailable
from orchestration.execution.dedup import share_content
from orchestration.execution.file_notices import tell_of_file
from orchestration.execution.isolation import one_at_a_time
from orchestration.ids import new_id
from orchestration.media_types import HEAD_BYTES, detect
from orchestration.models import Examination, File, FileEvent
from orchestration.points import point
from orchestration.scanners.base import Subject
from orchestration.scanners.registry import get_scanner
from orchestration.states import FileEventKind, ScanState
from orchestration.storage.registry import get_direct, get_storage

if TYPE_CHECKING:
    from uuid import UUID

    from orchestration.scanners.base import Scan

log = logging.getLogger(__name__)

LEASE: Final = timedelta(minutes=2)
RENEW_S: Final = 30.0
BLOCK: Final = 1 << 20
BUDGET_S: Final = 45.0
"""After so long a task lets others have the worker; beat brings the next."""
LARGE: Final = 1 << 30
"""Bytes. Of such files one is looked at at a time, so that they do not take every worker from the small ones."""
FIRST_PAUSE: Final = timedelta(seconds=5)
MOST_DOUBLINGS: Final = 6


class LeaseLost(Exception):
    """Another worker has the file now."""


class Ending(Exception):
    """This process was told to end: somebody else is to have the file."""


@dataclass(slots=True)
class Claim:
    file: File
    id: UUID
    renewed: float = field(default_factory=time.monotonic)

    def renew(self) -> None:
        if going.is_told():
            raise Ending
        if time.monotonic() - self.renewed < RENEW_S:
            return
        mine = Examination.objects.filter(pk=self.file.pk, claim=self.id)
        if not mine.update(leased_until=Now() + LEASE):
            raise LeaseLost
        self.renewed = time.monotonic()


@dataclass(frozen=True, slots=True)
class Finding:
    sha256: str
    crc64nvme: str
    media_type: str
    infection: str


def examine_due() -> int:
    """Until nothing is due or the time is over; the number of files that have an answer now."""
    until, done = time.monotonic() + BUDGET_S, 0
    while going.is_before(until):
        claim = _claim()
        if claim is None:
            break
        with one_at_a_time(claim.file.pk):
            done += _examine(claim)
    return done


@transaction.atomic(durable=True)
def _claim() -> Claim | None:
    """The next that is due and that nobody has, or whose worker has died."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=Now())
    due = Examination.objects.filter(free, not_before__lte=Now())
    large_under_way = Examination.objects.filter(leased_until__gte=Now(), file__size__gte=LARGE)
    due = due.filter(Q(file__size__lt=LARGE) | ~Exists(large_under_way))
    found = due.select_for_update(skip_locked=True, of=("self",)).select_related("file").order_by("not_before").first()
    if found is None:
        return None
    claim = Claim(found.file, new_id())
    Examination.objects.filter(pk=found.pk).update(claim=claim.id, leased_until=Now() + LEASE)
    if found.file.scan_state == ScanState.RECEIVED:
        found.file.move_scan(ScanState.SCANNING)
    return claim


def _examine(claim: Claim) -> bool:
    point("examine.claimed")
    try:
        finding = _look(claim)
    except (LeaseLost, Ending):
        _give_back(claim)
        return False
    except (FileNotFoundError, StorageGone):
        return _record(claim, ScanState.QUARANTINED, "Its bytes are missing from the storage.")
    except (ScannerUnavailable, StorageUnavailable, StorageRejected, OSError) as exc:
        _put_off(claim, str(exc) or type(exc).__name__)
        return False
    point("examine.looked")
    file = claim.file
    if file.crc64nvme not in {"", finding.crc64nvme}:
        # Without its digest it stays here for good: nobody may release bytes that nobody sent.
        detail = "Its bytes are not those that arrived: they were damaged in the storage. Send the file again."
        return _record(claim, ScanState.QUARANTINED, detail)
    known = {"sha256": finding.sha256, "media_type": finding.media_type}
    if finding.infection:
        return _record(claim, ScanState.QUARANTINED, _named(file) or finding.infection, **known)
    return _record(claim, ScanState.CLEAN, "", **known)


def _look(claim: Claim) -> Finding:
    file, digest, crc, head = claim.file, hashlib.sha256(), crc64.EMPTY, b""
    scan: Scan = get_scanner().begin(Subject(file.size, partial(_tag, file)))
    try:
        with get_storage(file.storage).open(file.key, file.version) as source:
            while block := source.read(BLOCK):
                head = head or block[:HEAD_BYTES]
                digest.update(block)
                crc = crc64.update(block, crc)
                scan.feed(block)
                claim.renew()
        infection = scan.verdict()
    except StorageRejected:
        # Nobody may read it where the bucket's policy shuts what is infected away: then it stays there for good.
        if not (infection := scan.verdict()):
            raise
        return Finding("", file.crc64nvme, file.media_type, infection)
    finally:
        scan.close()
    return Finding(digest.hexdigest(), crc64.to_text(crc), detect(file.name, head), infection)


def _tag(file: File) -> str:
    direct = get_direct(file.storage)
    return direct.scan_tag(file.key, file.version) if direct else ""


def _named(file: File) -> str:
    """What an event said was found, where the scanner itself tells only that something was."""
    told = FileEvent.objects.filter(file_id=file.pk, kind=FileEventKind.SCAN, data__has_key="finding")
    return str(told.order_by("-id").values_list("data__finding", flat=True).first() or "")


def _record(claim: Claim, to: ScanState, detail: str, **known: Any) -> bool:
    """The answer, its event, and for clean content its sharing: together, or nothing if the lease was lost."""
    with transaction.atomic(durable=True):
        if not Examination.objects.filter(pk=claim.file.pk, claim=claim.id).delete()[0]:
            return False
        if not claim.file.move_scan(to, scan_detail=detail[:500], scanned_at=Now(), **known):
            return False
        file = File.objects.get(pk=claim.file.pk)
        file.event(FileEventKind.SCAN, old=ScanState.SCANNING, new=to, reason=detail[:500]).save()
        if to == ScanState.CLEAN:
            share_content(file)
        else:
            tell_of_file(file, "quarantined", detail)
        point("examine.before_commit")
    if to == ScanState.QUARANTINED:
        log.warning("file quarantined", extra={"file_id": str(claim.file.pk), "detail": detail})
    return True


@transaction.atomic(durable=True)
def _give_back(claim: Claim) -> None:
    """Unless another worker has it."""
    if Examination.objects.filter(pk=claim.file.pk, claim=claim.id).update(claim=None, leased_until=None):
        claim.file.move_scan(ScanState.RECEIVED)


def _put_off(claim: Claim, reason: str) -> None:
    """Nothing passes while nobody can look: the file waits, says why, and is tried again ever more seldom."""
    with transaction.atomic(durable=True):
        mine = Examination.objects.select_for_update().filter(pk=claim.file.pk, claim=claim.id).first()
        if mine is None:
            return
        pause = FIRST_PAUSE * 2 ** min(mine.tries, MOST_DOUBLINGS)
        Examination.objects.filter(pk=mine.pk).update(
            claim=None,
            leased_until=None,
            not_before=Now() + pause,
            tries=F("tries") + 1,
            reason=reason[:500],
        )
        claim.file.move_scan(ScanState.RECEIVED)
    log.warning("file cannot be examined yet", extra={"file_id": str(claim.file.pk), "error": reason})
