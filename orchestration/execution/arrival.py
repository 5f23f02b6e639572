"""What becomes of a file in the moment it comes to exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from orchestration.execution.dedup import share_content
from orchestration.models import Examination
from orchestration.states import ScanState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestration.models import File


def first_state(*, sha256: str) -> ScanState:
    """Clean at once only where nobody scans and the bytes are known already."""
    return ScanState.CLEAN if settings.SCANNER == "none" and sha256 else ScanState.RECEIVED


def arrived(files: Sequence[File]) -> None:
    """Part of the transaction that writes the files: those that must be examined wait for it from now on."""
    waiting = [Examination(file=file) for file in files if file.scan_state == ScanState.RECEIVED]
    Examination.objects.bulk_create(waiting)
    # In one order for everybody: each content has a lock of its own.
    for file in sorted(files, key=lambda file: file.sha256):
        if file.scan_state == ScanState.CLEAN:
            share_content(file)
