"""The proven code of threads, for whoever awaits: uploads and downloads, which may be stopped at any time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from api_app.client.progress import Progress, no_progress
from api_app.client.transport import Notice, Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from api_app.client.credentials import Credentials

AT_ONCE = 16
"""Calls of one client; an upload has threads of its own for its parts."""


class Threads:
    def __init__(self, login: Credentials, *, patience_s: float, notice: Notice) -> None:
        self._login, self._patience_s, self._notice = login, patience_s, notice
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="esteira")

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run[T](self, work: Callable[[Transport], T]) -> T:
        """Cancelled, it first sees the thread end: nothing goes on behind its caller's back."""
        # Not here: to read all CAs for TLS would hold up everything else of the loop.
        with await asyncio.to_thread(self._transport) as transport:
            running = self._pool.submit(work, transport)
            try:
                return await asyncio.wrap_future(running)
            except asyncio.CancelledError:
                transport.stop()
                await _ended(asyncio.wrap_future(running))
                raise

    def _transport(self) -> Transport:
        return Transport(self._login, patience_s=self._patience_s, notice=self._notice)


async def _ended[T](running: asyncio.Future[T]) -> None:
    await asyncio.wait([running])
    if not running.cancelled():
        running.exception()  # that it was stopped, which whoever cancelled it knows; unread, asyncio would log it


def in_loop(progress: Progress) -> Progress:
    """Of a thread's progress the loop's own thread is told."""
    if progress is no_progress:
        return progress
    loop = asyncio.get_running_loop()

    def tell(phase: str, done: int, total: int) -> None:
        loop.call_soon_threadsafe(progress, phase, done, total)

    return tell
