"""Everybody who watches the same: something changes, it is drawn once, and each gets what is new to her.

Nothing queues up. A room knows each part as it is now and since which drawing it is so; a reader who is slow is sent
the difference to what she had, however much has happened, when she is ready for it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from channels.db import database_sync_to_async
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from frontend_app.live.rights import grounds_of
from orchestration.follow import hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from frontend_app.live.rights import Grounds, Person
    from frontend_app.live.shown import Shown

log = logging.getLogger(__name__)

LEAST_PAUSE_S: Final = 0.25
REST: Final = 3
"""So many times as long as a drawing and its sending took, nothing is drawn: a quarter of a processor at most."""
GROW_S: Final = 5.0
POLICY_VIOLATION: Final = 1008
FAILED: Final = 1011
LATER: Final = (OperationalError, InterfaceError, PoolTimeout)
LATER_S: Final = 0.5
PART: Final = re.compile(r'(?=<section id="([a-z-]+)" data-live\b)')
GROWING: Final = "data-growing"
# However many rooms there are: so many drawings at a time, off the threads that the rest of the process needs.
_THREADS: Final = ThreadPoolExecutor(2, "live")


class Seat:
    """One page in a room. `permitted` asks in full what the page may be shown."""

    def __init__(self, person: Person, grounds: Grounds | None, permitted: Callable[[], object]) -> None:
        self.person, self.grounds, self.permitted = person, grounds, permitted
        self.news = asyncio.Event()
        self.closed_with = 0
        """Why it was shown out, as a WebSocket says it; 0: it was not."""
        self.had = 0
        """The last drawing whose parts it was sent."""
        self.may_have = 0
        """The last drawing that it was found to be permitted."""


class Room:
    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self._seats: set[Seat] = set()
        self._parts: dict[str, tuple[int, str]] = {}
        self._drawing = 0
        self._said: dict[int, str] = {}
        self._changed: asyncio.Event | None = None
        self._is_behind = False
        self._grows = False
        self._work: asyncio.Task[None] | None = None

    def enter(self, seat: Seat) -> None:
        self._seats.add(seat)
        if self._work is None:
            self._work = asyncio.create_task(self._run())

    def leave(self, seat: Seat) -> bool:
        """Whether anybody is left."""
        self._seats.discard(seat)
        if not self._seats and self._work is not None:
            self._work.cancel()
        return bool(self._seats)

    def news_for(self, seat: Seat) -> str:
        """What it has not had, as one message; "" if there is nothing. It counts as sent."""
        if seat.may_have < self._drawing or seat.had == self._drawing:
            return ""
        had, seat.had = seat.had, self._drawing
        if had not in self._said:
            new = "".join(html for since, html in self._parts.values() if since > had)
            self._said[had] = json.dumps({"html": new}) if new else ""
        return self._said[had]

    def look_again(self) -> None:
        """What somebody's page shows may be old."""
        self._is_behind = True
        if self._changed is not None:
            self._changed.set()

    async def _run(self) -> None:
        try:
            async with hub.subscribe(self.shown.topic) as self._changed:
                while True:
                    await self._until(self._changed)
                    begun = time.monotonic()
                    await self._turn()
                    took = time.monotonic() - begun
                    await asyncio.sleep(max(LEAST_PAUSE_S, REST * took))
        except Exception:
            # Its pages would stand still and say that they are live: they come back, and ask for themselves meanwhile.
            log.exception("a live page could not be drawn")
            self._show_out(self._seats, FAILED)

    async def _until(self, changed: asyncio.Event) -> None:
        """Something has changed, somebody has come, or what grows by itself has grown."""
        if not self._is_behind:
            with suppress(TimeoutError):
                async with asyncio.timeout(GROW_S if self._grows else None):
                    await changed.wait()
        self._is_behind = False
        changed.clear()

    async def _turn(self) -> None:
        here = list(self._seats)
        look = database_sync_to_async(self._look, thread_sensitive=False, executor=_THREADS)
        try:
            html, permitted = await look(here)
        except LATER as exc:
            log.warning("a live page waits for the database", extra={"error": str(exc)})
            self._is_behind = True
            await asyncio.sleep(LATER_S)
            return
        self._take(html)
        self._show_out((seat for seat in here if seat not in permitted), POLICY_VIOLATION)
        for seat in permitted:
            seat.may_have = self._drawing
            seat.news.set()
        await asyncio.sleep(0)  # they are sent to now; it counts for the rest

    def _look(self, seats: list[Seat]) -> tuple[str, set[Seat]]:
        """In this order: whoever loses her right while it is drawn is not sent what was read after that."""
        html = self.shown.draw()
        found = grounds_of(seat.person for seat in seats)
        return html, {seat for seat in seats if html and self._is_permitted(seat, found.get(seat.person))}

    def _is_permitted(self, seat: Seat, grounds: Grounds | None) -> bool:
        if grounds is None:
            return False
        if grounds != seat.grounds:
            if seat.permitted() != self.shown:
                return False
            seat.grounds = grounds
        return True

    def _take(self, html: str) -> None:
        drawn = PART.split(html)
        self._drawing += 1
        self._said.clear()
        self._grows = GROWING in html
        for name, part in zip(drawn[1::2], drawn[2::2], strict=True):
            before = self._parts.get(name)
            if before is None or before[1] != part:
                self._parts[name] = (self._drawing, part)

    def _show_out(self, seats: Iterable[Seat], code: int) -> None:
        for seat in seats:
            seat.closed_with = code
            seat.news.set()


_rooms: dict[Shown, Room] = {}


def enter(shown: Shown, seat: Seat) -> Room:
    room = _rooms.get(shown)
    if room is None:
        room = _rooms[shown] = Room(shown)
    room.enter(seat)
    return room


def leave(room: Room, seat: Seat) -> None:
    if not room.leave(seat) and _rooms.get(room.shown) is room:
        del _rooms[room.shown]
