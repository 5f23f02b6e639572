"""Logs of attempts: in object storage, by offset; never in a row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.models import Attempt

STORAGE: Final = "logs"
MAX_READ: Final = 1 << 20
SETTLED: Final = timedelta(minutes=1)
"""By then every machine sees the same folder: what is not there is gone."""
COUNTED: Final = 32 << 20
"""Lines are counted, and found by their number, in so much of a log."""
_END_OF_LINE: Final = re.compile(rb"\r\n|\r|\n")


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
    start = _start(size, offset)
    data = b""
    if size > start:
        with storage.open(key) as log:
            log.seek(start)
            data = log.read(min(limit, MAX_READ))
    end = start + len(data)
    return LogPart(data=data, end=end, is_complete=end >= size and _is_over(attempt, end))


def _is_over(attempt: Attempt, end: int) -> bool:
    """Its row knows the end at once. A folder that several machines share may show each of them an earlier one."""
    if attempt.finished_at is None:
        return False
    return end >= attempt.log_size or attempt.finished_at < timezone.now() - SETTLED


def start_of(*, attempt: Attempt, offset: int) -> int:
    """Where `offset` is now; a negative one counts from the end."""
    return _start(get_storage(STORAGE).size(log_key(attempt)) or 0, offset)


def _start(size: int, offset: int) -> int:
    return max(0, size + offset) if offset < 0 else min(offset, size)


def lines_before(*, attempt: Attempt, offset: int) -> int | None:
    """How many lines end before `offset`; None where that is too far in to count them."""
    if offset > COUNTED:
        return None
    return sum(_ends(block) for block in _blocks(attempt, until=offset))


def offset_of_line(*, attempt: Attempt, line: int) -> int | None:
    """Where `line` begins, the first being 1; None where the log has no such line, or has it too far in."""
    left, at = line - 1, 0
    for block in _blocks(attempt, until=COUNTED):
        ends = _ends(block)
        if left <= ends:
            found = [0, *(match.end() for match in _END_OF_LINE.finditer(block))]
            return at + found[left]
        left, at = left - ends, at + len(block)
    return None


def _ends(block: bytes) -> int:
    return block.count(b"\n") + block.count(b"\r") - block.count(b"\r\n")


def _blocks(attempt: Attempt, *, until: int) -> Iterator[bytes]:
    """From the beginning; none ends between a carriage return and its line feed, or the end of a line counted twice."""
    storage, key = get_storage(STORAGE), log_key(attempt)
    left = min(until, storage.size(key) or 0)
    if not left:
        return
    held = b""
    with storage.open(key) as log:
        while left > 0 and (read := log.read(min(MAX_READ, left))):
            left -= len(read)
            block = held + read
            # Not read on for the end of them: a log of nothing but carriage returns would be copied once for each.
            held = b"\r" if left > 0 and block.endswith(b"\r") else b""
            yield block.removesuffix(held)
    if held:
        yield held
