"""Answers that wait for something to happen, for clients without streams. Meanwhile neither thread nor connection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Query

from api_app.live import LATER, disconnected, is_stopping
from orchestration.follow import hub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

MOST_S: Final = 60
LOOK_EVERY_S: Final = 10.0
"""Without a hint as well, should one have been lost."""
PAUSE_S: Final = 0.2
"""Between two looks: a job of ten thousand items has a hundred events a second."""
Wait = Annotated[
    int, Query(ge=0, le=MOST_S, description="Seconds to wait for a change; the answer comes sooner if there is one.")
]


async def until_news[T](
    request: Request, topic: str, look: Callable[[], Awaitable[T]], is_news: Callable[[T], bool], seconds: float
) -> T:
    """What `look` found when it was news, when the time was up, or when the client had left or the process ends."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    # Before the first look: what happens right after it sets the flag.
    async with hub.subscribe(topic) as flag:
        found = await look()
        gone = asyncio.ensure_future(disconnected(request.receive))
        try:
            while not is_news(found) and not gone.done() and not is_stopping() and (left := end - loop.time()) > 0:
                await _flag_or_gone(flag, gone, min(left, LOOK_EVERY_S))
                flag.clear()
                found = await _again(look, found)
                await asyncio.sleep(0 if is_news(found) else min(PAUSE_S, max(0.0, end - loop.time())))
        finally:
            gone.cancel()
            await asyncio.wait({gone})
    return found


async def _flag_or_gone(flag: asyncio.Event, gone: asyncio.Future[Any], seconds: float) -> None:
    flagged: asyncio.Future[Any] = asyncio.ensure_future(flag.wait())
    try:
        await asyncio.wait([flagged, gone], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        flagged.cancel()


async def _again[T](look: Callable[[], Awaitable[T]], before: T) -> T:
    try:
        return await look()
    except LATER:
        return before  # the first look got through, so this one is made again
