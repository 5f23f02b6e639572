"""Live news of a job. The stream only makes news come sooner; true is the job itself, asked again each time."""

from __future__ import annotations

import math
import socket
import threading
import time
from typing import TYPE_CHECKING, Self

import httpx

from api_app.client import asking
from api_app.client.contract import events as event_calls
from api_app.client.errors import EsteiraError, ProblemError, UnreachableError
from api_app.client.feed import Feed, next_look_s, rest_s
from api_app.client.states import FINISHED
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api_app.client.contract.shapes import Event, Job
    from api_app.client.transport import Transport


class EventStream:
    """Events of one job from `after` on, over any number of connections, none twice, until the job has ended."""

    def __init__(self, transport: Transport, job_id: str, *, after: int = 0, patience_s: float = math.inf) -> None:
        self.is_open = False
        self._transport = transport
        self._path = event_calls.list_events(job_id).path
        self._feed = Feed(transport.trying, after=after, patience_s=patience_s)
        self._closed = threading.Event()
        self._response: httpx.Response | None = None

    def __iter__(self) -> Iterator[Event | None]:
        """None stands for "connected": something may have happened before."""
        while not self._closed.is_set() and not self._feed.is_over:
            try:
                yield from self._one_connection()
            except (httpx.HTTPError, UnreachableError, ProblemError) as fault:
                pause = self._feed.after_fault(fault)
            except RuntimeError:
                # httpx says so when somebody closed the client while this thread was connecting.
                if not self._closed.is_set():
                    raise
                return
            else:
                pause = self._feed.after_end()
            finally:
                self.is_open = False
            self._closed.wait(pause)

    def _one_connection(self) -> Iterator[Event | None]:
        response = self._transport.send("GET", self._path, stream=True, repeat=Repeat.NEVER, **self._feed.options())
        try:
            self._feed.begin(response)
            self._response, self.is_open = response, True
            if self._closed.is_set():
                return
            yield None
            for chunk in response.iter_raw():
                yield from self._feed.read(chunk)
                if self._feed.is_over:
                    return
        finally:
            self._response = None
            response.close()

    def close(self) -> None:
        """From any thread: the one that reads wakes up at once."""
        self._closed.set()
        response = self._response
        stream = response.extensions.get("network_stream") if response else None
        connection = stream.get_extra_info("socket") if stream else None
        if connection is not None:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it ended by itself in the meantime


class Nudges:
    """A thread that reads the stream, so that the watcher wakes up when something happened."""

    def __init__(self, transport: Transport, job_id: str) -> None:
        self._stream = EventStream(transport, job_id)
        self._happened = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"events of {job_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._thread.join(timeout=1)

    def _listen(self) -> None:
        try:
            for _ in self._stream:
                self._happened.set()
        except EsteiraError:
            return  # no stream to be had: the watcher asks every second, and hears a "no" itself

    def wait(self, at_most_s: float) -> None:
        self._happened.wait(min(at_most_s, next_look_s(is_open=self._stream.is_open)))
        self._happened.clear()


def watch(transport: Transport, job_id: str, *, deadline: float = math.inf) -> Iterator[Job]:
    """The job now and after every change, until it has ended or `time.monotonic()` is past the deadline."""
    job, took_s = _ask(transport, job_id)
    yield job
    if job["state"] in FINISHED:
        return
    with Nudges(transport, job_id) as nudges:
        while job["state"] not in FINISHED and time.monotonic() < deadline:
            nudges.wait(max(0, deadline - time.monotonic()))
            job, took_s = _ask(transport, job_id)
            yield job
            time.sleep(rest_s(took_s) if job["state"] not in FINISHED else 0)


def _ask(transport: Transport, job_id: str) -> tuple[Job, float]:
    began = time.monotonic()
    job = transport.ask(asking.shown(job_id))
    return job, time.monotonic() - began
