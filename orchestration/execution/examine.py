"""One pass over a file that has arrived: SHA-256, CRC64NVME and true type."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from orchestration import crc64
from orchestration.ids import new_id
from orchestration.media_types import HEAD_BYTES, detect
from orchestration.models import Examination, File
from orchestration.states import ScanState
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from uuid import UUID

LEASE: Final = timedelta(minutes=10)
BLOCK: Final = 1 << 20


def examine_all() -> int:
    done = 0
    while (claimed := _claim()) is not None:
        _examine(*claimed)
        done += 1
    return done


@transaction.atomic(durable=True)
def _claim() -> tuple[File, UUID] | None:
    due = Examination.objects.filter(Q(leased_until__isnull=True) | Q(leased_until__lt=Now()), not_before__lte=Now())
    found = due.select_for_update(skip_locked=True, of=("self",)).select_related("file").order_by("not_before").first()
    if found is None:
        return None
    claim = new_id()
    Examination.objects.filter(pk=found.pk).update(claim=claim, leased_until=Now() + LEASE)
    File.objects.filter(pk=found.pk, scan_state=ScanState.RECEIVED).update(scan_state=ScanState.SCANNING)
    return found.file, claim


def _examine(file: File, claim: UUID) -> None:
    digest, crc, head = hashlib.sha256(), crc64.EMPTY, b""
    with get_storage(file.storage).open(file.key, file.version) as source:
        while block := source.read(BLOCK):
            head = head or block[:HEAD_BYTES]
            digest.update(block)
            crc = crc64.update(block, crc)
    with transaction.atomic(durable=True):
        if not Examination.objects.filter(pk=file.pk, claim=claim).delete()[0]:
            return
        damaged = file.crc64nvme not in {"", crc64.to_text(crc)}
        File.objects.filter(pk=file.pk).update(
            sha256=digest.hexdigest(),
            media_type=detect(file.name, head),
            scan_state=ScanState.QUARANTINED if damaged else ScanState.CLEAN,
            scanned_at=Now(),
        )
