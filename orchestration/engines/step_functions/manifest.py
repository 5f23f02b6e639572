"""Which items the children of an array work on: a file of equal lines, of which each child reads its own slice.

Lines of one width, so that a slice is a range of bytes and nobody reads 10,000 lines to work on one. A line names
its job too: an execution may one day carry several.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from uuid import UUID

from orchestration.errors import EngineRejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LINE_BYTES: Final = 64
MOST_CHILDREN: Final = 10_000
MOST_PER_CHILD: Final = 500
# AWS: jobs of three to five minutes are worth a container's start.
WORTH_A_START_S: Final = 180.0
_HIGHEST_ITEM: Final = 999_999_999


def lines(items: Iterable[tuple[UUID, int]]) -> Iterator[bytes]:
    """One line an item, in the order in which children take them."""
    for job_id, item in items:
        if not 0 <= item <= _HIGHEST_ITEM:
            raise EngineRejected(f"An item's index must be from 0 to {_HIGHEST_ITEM}; one is {item}.")
        yield f'{{"item":{item:<9d},"job":"{job_id}"}}\n'.encode()


def read_lines(data: bytes) -> list[tuple[UUID, int]]:
    """What `lines` wrote, of any slice. Anything else is a ValueError."""
    if len(data) % LINE_BYTES:
        raise ValueError(f"{len(data)} bytes are no whole number of lines of {LINE_BYTES} bytes")
    return [_read(data[at : at + LINE_BYTES]) for at in range(0, len(data), LINE_BYTES)]


def _read(line: bytes) -> tuple[UUID, int]:
    try:
        entry = json.loads(line)
        return UUID(entry["job"]), int(entry["item"])
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError(f"{line!r} is no line of a manifest") from exc


def children(total: int, per_child: int) -> int:
    return -(-total // per_child)


def items_per_child(total: int, *, seconds_per_item: float = WORTH_A_START_S) -> int:
    """As many as fill a few minutes, and as many as an array of the largest size needs."""
    worth = int(WORTH_A_START_S / max(seconds_per_item, WORTH_A_START_S / MOST_PER_CHILD))
    return max(worth, children(total, MOST_CHILDREN), 1)


def child_slice(child: int, *, per_child: int, total: int) -> range:
    """The lines of this child; the last one may have fewer. A job that is no array is child 0."""
    if not 0 <= child < children(total, per_child):
        raise ValueError(f"there is no child {child} among {children(total, per_child)}")
    return range(child * per_child, min((child + 1) * per_child, total))


def child_bytes(child: int, *, per_child: int, total: int) -> tuple[int, int]:
    """The first and the last byte of the child's slice, as HTTP's Range counts them."""
    mine = child_slice(child, per_child=per_child, total=total)
    return mine.start * LINE_BYTES, mine.stop * LINE_BYTES - 1
