"""Requests that write, by what they write: a new one ends the one in flight, whose sender may have died quietly."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from api_app.database import to_the_end

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

OLDER_S: Final = 5


@dataclass(frozen=True, slots=True)
class _Flight:
    task: asyncio.Task[Any]
    landed: asyncio.Event = field(default_factory=asyncio.Event)


class Flights[K: Hashable]:
    def __init__(self) -> None:
        self._flying: dict[K, _Flight] = {}

    async def end_older(self, key: K) -> bool:
        """Until it has let go, or OLDER_S are over. Whether there was one."""
        older = self._flying.get(key)
        if older is None:
            return False
        older.task.cancel()
        with suppress(TimeoutError):
            await asyncio.wait_for(older.landed.wait(), OLDER_S)
        return True

    @contextmanager
    def flying(self, key: K, task: asyncio.Task[Any]) -> Iterator[None]:
        """While `task` writes and until the block, which must let go of the file, has ended."""
        flight = self._flying[key] = _Flight(task)
        try:
            yield
        finally:
            flight.landed.set()
            if self._flying.get(key) is flight:
                del self._flying[key]


async def settled(task: asyncio.Task[Any]) -> None:
    """The task is over, however it ended. Cancelled meanwhile, it ends the task first: nobody may write on."""
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        await to_the_end(task)
        raise
