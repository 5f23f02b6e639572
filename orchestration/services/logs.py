"""Logs of attempts: in object storage, by offset; never in a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from orchestration.models import Attempt

STORAGE: Final = "logs"
MAX_READ: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class LogPart:
    data: bytes
    end: int
    """Offset of the first byte that was not returned."""
    is_complete: bool
    """Nothing more will come after `end`."""


def log_key(attempt: Attempt) -> str:
    return attempt.log_key


def read_log(*, attempt: Attempt, offset: int = 0, limit: int = MAX_READ) -> LogPart:
    """At most `limit` (and MAX_READ) bytes from `offset`; a negative offset counts from the end."""
    storage = get_storage(STORAGE)
    key = log_key(attempt)
    size = storage.size(key) or 0
    start = max(0, size + offset) if offset < 0 else min(offset, size)
    data = b""
    if size > start:
        with storage.open(key) as log:
            log.seek(start)
            data = log.read(min(limit, MAX_READ))
    end = start + len(data)
    return LogPart(data=data, end=end, is_complete=attempt.finished_at is not None and end >= size)
