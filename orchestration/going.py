"""Whether this process was told to end: what may take long gives back what it has, and somebody else goes on."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_told: Final = threading.Event()


def tell(*, to_end: bool = True) -> None:
    if to_end:
        _told.set()
    else:
        _told.clear()


def is_told() -> bool:
    return _told.is_set()


def wait_until_told() -> None:
    _told.wait()


def is_before(end: float) -> bool:
    """For rounds that last until `end` (of time.monotonic) and no longer than this process may."""
    return not is_told() and time.monotonic() < end


def while_not_told[T](things: Iterable[T]) -> Iterator[T]:
    """For what is left to whoever comes next."""
    for thing in things:
        if is_told():
            return
        yield thing
