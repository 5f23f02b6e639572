"""The head of the audit log's chain, noted outside of the database: whoever writes all of it anew there meets these.

Numbered objects beside the results, never overwritten. What is in the database is not asked how many there are.
"""

from __future__ import annotations

import json
import logging
from bisect import bisect_left
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from orchestration.execution.leader import leading
from orchestration.models import AuditSeal
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

ALIAS: Final = "results"
FOLDER: Final = "audit/anchors/"


@dataclass(frozen=True, slots=True)
class Anchor:
    """The seal that was the last one at that time."""

    number: int
    position: int
    digest: str
    at: str


def anchor() -> Anchor | None:
    """What was noted; None: nothing has happened since the last, or somebody else does it."""
    with leading("audit anchor") as leader:
        head = AuditSeal.objects.order_by("-position").first()
        if leader is None or head is None:
            return None
        number = _count()
        last = _read(number) if number else None
        if last and (last.position, last.digest) == (head.position, head.digest):
            return None
        return _note(Anchor(number + 1, head.position, head.digest, head.sealed_at.isoformat()))


def anchors() -> Iterator[Anchor | None]:
    """In their order; None for one that is missing before others that are there."""
    for number in range(1, _count() + 1):
        yield _read(number)


def _note(made: Anchor) -> Anchor | None:
    incoming = get_storage(ALIAS).receive(_key(made.number))
    try:
        incoming.write(json.dumps(asdict(made)).encode())
        incoming.commit()
    except FileExistsError:
        # Taken for dead, another has led meanwhile: what lies there stays.
        log.info("audit anchored by another", extra={"number": made.number})
        return None
    finally:
        incoming.discard()
    log.info("audit anchored", extra=asdict(made))
    return made


def _read(number: int) -> Anchor | None:
    storage = get_storage(ALIAS)
    if storage.size(_key(number)) is None:
        return None
    with closing(storage.open(_key(number))) as file:
        return Anchor(**json.loads(file.read()))


def _count() -> int:
    """Found by halving: they are numbered without a gap."""
    storage, most = get_storage(ALIAS), 1
    while storage.size(_key(most)) is not None:
        most *= 2
    return bisect_left(range(1, most + 1), True, key=lambda number: storage.size(_key(number)) is None)


def _key(number: int) -> str:
    return f"{FOLDER}{number:08}.json"
