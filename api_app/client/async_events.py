"""Live news of a job for whoever awaits. True is the job itself, asked again at each piece of news."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import TYPE_CHECKING, Self

import httpx

from api_app.client import asking
from api_app.client.contract import events as event_calls
from api_app.client.errors import EsteiraError, ProblemError, UnreachableError
from api_app.client.feed import Feed, next_look_s, rest_s
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from api_app.client.async_transport import AsyncTransport
    from api_app.client.contract.shapes import Event, Job


class AsyncEventStream:
    """As `EventStream`."""

    def __init__(self, transport: AsyncTransport, job_id: str, *, after: int = 0, patience_s: float = math.inf) -> None:
        self.is_open = False
        self._transport = transport
        self._path = event_calls.list_events(job_id).path
        self._feed = Feed(transport.trying, after=after, patience_s=patience_s)

    async def __aiter__(self) -> AsyncIterator[Event | None]:
        """None stands for "connected": something may have happened before."""
        while not self._feed.is_over:
            try:
                async with contextlib.aclosing(self._one_connection()) as connection:
                    async for event in connection:
                        yield event
            except (httpx.HTTPError, UnreachableError, ProblemError) as fault:
                pause = self._feed.after_fault(fault)
            else:
                pause = self._feed.after_end()
            finally:
                self.is_open = False
            await asyncio.sleep(pause)

    async def _one_connection(self) -> AsyncGenerator[Event | None]:
        async with self._transport.stream(self._path, **self._feed.options()) as response:
            self._feed.begin(response)
            self.is_open = True
            yield None
            async for chunk in response.aiter_raw():
                for event in self._feed.read(chunk):
                    yield event
                if self._feed.is_over:
                    return


class AsyncNudges:
    """A task that reads the stream, so that the watcher wakes up when something happened."""

    def __init__(self, transport: AsyncTransport, job_id: str) -> None:
        self._stream = AsyncEventStream(transport, job_id)
        self._happened = asyncio.Event()
        self._task = asyncio.create_task(self._listen(), name=f"events of {job_id}")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _listen(self) -> None:
        try:
            async for _ in self._stream:
                self._happened.set()
        except EsteiraError:
            return  # no stream to be had: the watcher asks every second, and hears a "no" itself

    async def wait(self, at_most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(at_most_s, next_look_s(is_open=self._stream.is_open))):
                await self._happened.wait()
        self._happened.clear()


async def watch(transport: AsyncTransport, job_id: str, *, deadline: float = math.inf) -> AsyncGenerator[Job]:
    """The job now and after every change, until it has ended or `time.monotonic()` is past the deadline."""
    job, took_s = await _ask(transport, job_id)
    yield job
    if job["state"] in FINISHED:
        return
    async with AsyncNudges(transport, job_id) as nudges:
        while job["state"] not in FINISHED and time.monotonic() < deadline:
            await nudges.wait(max(0, deadline - time.monotonic()))
            job, took_s = await _ask(transport, job_id)
            yield job
            await asyncio.sleep(rest_s(took_s) if job["state"] not in FINISHED else 0)


async def _ask(transport: AsyncTransport, job_id: str) -> tuple[Job, float]:
    began = time.monotonic()
    job = await transport.ask(asking.shown(job_id))
    return job, time.monotonic() - began
