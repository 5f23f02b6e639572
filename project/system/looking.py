"""One look at everything at a time, by a thread of its own: what hangs there holds up no page."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from django.db import connection

from project.doctor.rounds import examine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from orchestration.findings import Finding

type Found = tuple[str, Finding]

_one_at_a_time: Final = threading.Lock()


class Busy(Exception):
    """Somebody else has this process look just now."""


async def look() -> AsyncIterator[Found]:
    """Each finding with its area, as it comes. Who leaves ends it after the check under way. Raises Busy."""
    if not _one_at_a_time.acquire(blocking=False):
        raise Busy
    one = _Look(asyncio.get_running_loop())
    one.start()
    try:
        while (found := await one.found.get()) is not None:
            yield found
    finally:
        one.is_wanted = False


class _Look(threading.Thread):
    """Holds the place until it has ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name="doctor", daemon=True)
        self.found: asyncio.Queue[Found | None] = asyncio.Queue()
        self.is_wanted = True
        self._loop = loop

    def run(self) -> None:
        try:
            for one in examine():
                self._tell(one)
                if not self.is_wanted:
                    return
        finally:
            connection.close()
            _one_at_a_time.release()
            self._tell(None)

    def _tell(self, one: Found | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the process ends
            self._loop.call_soon_threadsafe(self.found.put_nowait, one)
