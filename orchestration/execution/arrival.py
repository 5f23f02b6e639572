"""What becomes of a file in the moment it comes to exist."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from django.conf import settings

from orchestration.execution.dedup import share_content
from orchestration.models import Examination, File
from orchestration.states import ScanState

if TYPE_CHECKING:
    from collections.abc import Sequence

FEW: Final = 3


def first_state(*, sha256: str) -> ScanState:
    """Clean at once only where nobody scans and the bytes are known already."""
    return ScanState.CLEAN if settings.SCANNER == "none" and sha256 else ScanState.RECEIVED


def arrived(files: Sequence[File]) -> None:
    """Part of the transaction that writes the files: those that must be examined wait for it from now on."""
    waiting = [Examination(file=file) for file in files if file.scan_state == ScanState.RECEIVED]
    Examination.objects.bulk_create(waiting)
    clean = [file for file in files if file.scan_state == ScanState.CLEAN]
    # In one order for everybody: each content has a lock of its own.
    for file in sorted(_not_alone(clean), key=lambda file: file.sha256):
        share_content(file)


def _not_alone(files: Sequence[File]) -> Sequence[File]:
    """Those whose content may be here already: of many, most are not, and to look for each would cost most of all."""
    if len(files) < FEW:
        return files
    counts = Counter(file.sha256 for file in files)
    others = File.objects.filter(workspace=files[0].workspace_id, sha256__any=list(counts), purged_at__isnull=True)
    known = set(others.exclude(pk__any=[file.pk for file in files]).values_list("sha256", flat=True))
    return [file for file in files if file.sha256 in known or counts[file.sha256] > 1]
