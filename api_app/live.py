"""The live stream of one job's events. No thread and no connection is held while it waits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout
from starlette.responses import Response

from api_app.answers import event_out
from api_app.database import Busy, in_db
from api_app.errors import NotAuthenticated
from orchestration.errors import OrchestrationError
from orchestration.follow import hub
from orchestration.models import Event, Job

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.types import Receive, Scope, Send

BATCH: Final = 500
COMMENT_EVERY_S: Final = 15.0
CHECK_EVERY_S: Final = 60.0
PAUSE_S: Final = 0.5
_LATER: Final = (Busy, OperationalError, InterfaceError, PoolTimeout)


class News(NamedTuple):
    text: bytes
    last: int
    is_full: bool
    """There may be more to read at once."""
    ended: str
    """The job's final state, once all its events are in `text` or were before."""


# Watchers of one job that stand at the same place share one reading. Of this process's event loop alone.
_readings: dict[tuple[UUID, int, int], asyncio.Task[News]] = {}
_open: set[LiveEvents] = set()
_state = {"stopping": False}


def stop_streams() -> None:
    """The process is about to end: whoever watches comes back to another one and misses nothing."""
    _state["stopping"] = True
    for stream in _open:
        stream.flag.set()


class LiveEvents(Response):
    def __init__(self, job_id: UUID, *, after: int, may_watch: Callable[[], None]) -> None:
        self._job_id, self._last, self._may_watch = job_id, after, may_watch
        self.flag = asyncio.Event()
        self.background = None
        self.status_code = 200
        self.body = b""
        self.raw_headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        streaming = asyncio.ensure_future(self._stream(send))
        gone = asyncio.ensure_future(_disconnected(receive))
        _open.add(self)
        try:
            await asyncio.wait({streaming, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _open.discard(self)
            for task in (streaming, gone):
                task.cancel()
            await asyncio.wait({streaming, gone})
        if not streaming.cancelled():
            streaming.result()

    async def _stream(self, send: Send) -> None:
        async with hub.subscribe(f"job.{self._job_id}") as self.flag:
            await _say(send, b"retry: 1000\n: connected\n\n")
            checked = time.monotonic()
            while not _state["stopping"]:
                self.flag.clear()
                news = await self._news()
                if news is not None and news.text:
                    await _say(send, news.text)
                    self._last = news.last
                if news is not None and news.ended:
                    await _say(send, b'event: end\ndata: {"state": "%s"}\n\n' % news.ended.encode())
                    break
                if time.monotonic() - checked > CHECK_EVERY_S:
                    checked = time.monotonic()
                    if not await self._still_allowed():
                        break
                if news is None or not news.is_full:
                    await self._wait(send, PAUSE_S if news is None else COMMENT_EVERY_S)
        await send({"type": "http.response.body", "body": b""})

    async def _wait(self, send: Send, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self.flag.wait()
        except TimeoutError:
            await _say(send, b": still here\n\n")

    async def _news(self) -> News | None:
        """None: not just now."""
        place = (self._job_id, self._last, hub.released)
        reading = _readings.get(place)
        if reading is None:
            reading = asyncio.ensure_future(in_db(_read, *place))
            _readings[place] = reading
            reading.add_done_callback(lambda _: _readings.pop(place, None))
        try:
            return await asyncio.shield(reading)
        except _LATER:
            return None

    async def _still_allowed(self) -> bool:
        try:
            await in_db(self._may_watch)
        except (NotAuthenticated, OrchestrationError):
            return False
        except _LATER:
            return True  # asked again in a minute
        return True


def _read(job_id: UUID, last: int, released: int) -> News:
    rows = list(Event.objects.filter(job_id=job_id, id__gt=last, id__lte=released).order_by("id")[:BATCH])
    text = "".join(
        f"id: {row.pk}\nevent: {row.kind}\ndata: {event_out(row).model_dump_json()}\n\n" for row in rows
    ).encode()
    last = rows[-1].pk if rows else last
    if len(rows) == BATCH:
        return News(text, last, is_full=True, ended="")
    return News(text, last, is_full=False, ended=_ended(job_id, last))


def _ended(job_id: UUID, last: int) -> str:
    """The final state, if no event of the job lies beyond `last`: one may be committed but not yet released."""
    job = Job.objects.only("state").get(pk=job_id)
    if not job.is_finished or Event.objects.filter(job_id=job_id, id__gt=last).exists():
        return ""
    return job.state


async def _say(send: Send, text: bytes) -> None:
    await send({"type": "http.response.body", "body": text, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
