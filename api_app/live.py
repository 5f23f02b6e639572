"""Live streams of events. No thread and no connection of the database is held while one waits.

A reader pulls: the next batch is read when it has taken the last one, so that a slow one costs no more memory than a
quick one. Who takes nothing for SLOW_S is let go, and comes back with its bookmark.
"""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from api_app.database import Busy, in_db
from api_app.errors import NotAuthenticated, answer
from api_app.feeds import news_of
from api_app.readers import ReaderTooSlow
from orchestration.errors import OrchestrationError, TooManyLive
from orchestration.follow import hub
from orchestration.places import place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from uuid import UUID

    from starlette.types import Receive, Scope, Send

    from api_app.feeds import Feed, News

COMMENT_EVERY_S: Final = 15.0
CHECK_EVERY_S: Final = 60.0
PAUSE_S: Final = 0.5
SLOW_S: Final = 30.0
LATER: Final = (Busy, OperationalError, InterfaceError, PoolTimeout)

_state = {"stopping": False}


def stop_streams() -> None:
    """The process is about to end: whoever watches comes back to another one and misses nothing."""
    _state["stopping"] = True
    hub.wake_all()


def is_stopping() -> bool:
    return _state["stopping"]


class Ending(StrEnum):
    """Why a stream is over."""

    GONE = "gone"
    ENDED = "ended"
    REFUSED = "refused"
    STOPPING = "stopping"


class Wire(Protocol):
    """How a reader is told."""

    async def greet(self) -> None:
        """From here on nothing is missed."""
        ...

    async def tell(self, news: News) -> None: ...

    async def be_there(self, last: int) -> None:
        """Something small, so that nobody on the way takes the line for dead."""
        ...


class Stream:
    """One reader of one feed, from after `last` on."""

    def __init__(self, feed: Feed, wire: Wire, *, last: int, may_watch: Callable[[], object]) -> None:
        self._feed, self._wire, self._last, self._may_watch = feed, wire, last, may_watch

    async def run(self, receive: Receive) -> Ending:
        """Until there is no more to tell, or nobody to tell it to. Raises ReaderTooSlow."""
        return await while_connected(self._stream(), receive) or Ending.GONE

    async def _stream(self) -> Ending:
        async with hub.subscribe(self._feed.topic) as self._flag:
            await in_time(self._wire.greet())
            checked = time.monotonic()
            while not is_stopping():
                self._flag.clear()
                news = await self._news()
                if news is not None and news.messages:
                    await in_time(self._wire.tell(news))
                if news is not None:
                    self._last = news.last
                    if news.ended:
                        return Ending.ENDED
                if time.monotonic() - checked > CHECK_EVERY_S:
                    checked = time.monotonic()
                    if not await self._still_allowed():
                        return Ending.REFUSED
                if news is None or not news.is_full:
                    await self._wait(PAUSE_S if news is None else COMMENT_EVERY_S)
        return Ending.STOPPING

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._flag.wait()
        except TimeoutError:
            await in_time(self._wire.be_there(self._last))

    async def _news(self) -> News | None:
        """None: not just now."""
        try:
            return await news_of(self._feed, self._last)
        except LATER:
            return None

    async def _still_allowed(self) -> bool:
        try:
            await in_db(self._may_watch)
        except (NotAuthenticated, OrchestrationError):
            return False
        except LATER:
            return True  # asked again in a minute
        return True


async def while_connected[T](streaming: Coroutine[Any, Any, T], receive: Receive) -> T | None:
    """What it gives; None where the reader left before. Raises what it raises."""
    work = asyncio.ensure_future(streaming)
    gone = asyncio.ensure_future(disconnected(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.wait({work, gone})
    return None if work.cancelled() else work.result()


async def in_time(telling: Awaitable[None]) -> None:
    """Raises ReaderTooSlow."""
    try:
        async with asyncio.timeout(SLOW_S):
            await telling
    except TimeoutError as exc:
        raise ReaderTooSlow from exc


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
        pass


class LiveEvents(Response):
    """A feed as Server-Sent Events."""

    def __init__(self, feed: Feed, *, user_id: UUID, after: int, may_watch: Callable[[], object]) -> None:
        self._feed, self._user_id, self._after, self._may_watch = feed, user_id, after, may_watch
        self.background = None
        self.status_code = 200
        self.body = b""
        self.raw_headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with place_of(self._user_id):
                await self._tell(receive, send)
        except TooManyLive as exc:
            await answer(exc)(scope, receive, send)

    async def _tell(self, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await Stream(self._feed, ServerSent(send), last=self._after, may_watch=self._may_watch).run(receive)
        await send({"type": "http.response.body", "body": b""})


class ServerSent:
    def __init__(self, send: Send) -> None:
        self._send = send

    async def greet(self) -> None:
        await self._say(b"retry: 1000\n: connected\n\n")

    async def tell(self, news: News) -> None:
        await self._say(news.sse)

    async def be_there(self, last: int) -> None:
        """An id without data moves the reader's bookmark and is no event for it."""
        await self._say(b": still here\nid: %d\n\n" % last)

    async def _say(self, text: bytes) -> None:
        await self._send({"type": "http.response.body", "body": text, "more_body": True})
