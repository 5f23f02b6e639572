"""Live news of a job. The stream only makes news come sooner; true is the job itself, asked again each time."""

import json
import math
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Self, cast

import httpx

from api_app.client.errors import EsteiraError, ProblemError, UnreachableError
from api_app.client.shapes import FINISHED, Event, Job
from api_app.client.transport import BUSY, GATEWAY, Patience, Repeat, Transport

# The platform sends a comment every 15 s: a stream that is silent for longer is dead.
SILENCE = httpx.Timeout(25, connect=5)
POLL_S, SAFETY_POLL_S = 1.0, 10.0
SHORTEST_INTERVAL_S = 0.2
RECONNECT_S = 0.1


class EventStream:
    """Events of one job from `after` on, over any number of connections, none twice, until the job has ended."""

    def __init__(self, transport: Transport, job_id: str, *, after: int = 0, patience_s: float = math.inf) -> None:
        self.last_id = after
        self.is_open = False
        self._transport = transport
        self._path = f"jobs/{job_id}/events"
        self._patience_s = patience_s
        self._closed = threading.Event()
        self._response: httpx.Response | None = None

    def __iter__(self) -> Iterator[Event | None]:
        """None stands for "connected": something may have happened before."""
        patience = Patience()
        while not self._closed.is_set():
            try:
                for event in self._one_connection():
                    # Not for a server that takes connections and drops them.
                    patience = patience if event is None else Patience()
                    yield event
            except (httpx.HTTPError, UnreachableError, ProblemError) as fault:
                asked_s = fault.retry_after_s if isinstance(fault, ProblemError) else 0
                pause = patience.pause(at_least_s=asked_s, within_s=self._patience_s)
                if isinstance(fault, httpx.HTTPError) and pause is None:
                    raise self._transport.unreachable(fault) from fault
                if pause is None or not _may_pass(fault):
                    raise
            except RuntimeError:
                # httpx says so when somebody closed the client while this thread was connecting.
                if not self._closed.is_set():
                    raise
                return
            else:
                pause = patience.pause(at_least_s=RECONNECT_S, within_s=math.inf)
            finally:
                self.is_open = False
            self._closed.wait(pause)

    def _one_connection(self) -> Iterator[Event | None]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self.last_id:
            headers["Last-Event-ID"] = str(self.last_id)
        response = self._transport.send(
            "GET", self._path, headers=headers, timeout=SILENCE, stream=True, repeat=Repeat.NEVER
        )
        try:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise EsteiraError("The platform has no stream of events.")
            self._response, self.is_open = response, True
            if self._closed.is_set():
                return
            yield None
            yield from self._read(response)
        finally:
            self._response = None
            response.close()

    def _read(self, response: httpx.Response) -> Iterator[Event | None]:
        for number, name, data in server_sent(response.iter_raw()):
            if name == "end":
                self._closed.set()
                yield None
                return
            if number is not None:
                if number <= self.last_id:
                    continue
                self.last_id = number
            try:
                event = json.loads(data)
            except ValueError:
                event = None
            # "resync" and whatever a later version may send: a reason to look, not an event.
            yield cast("Event", event) if isinstance(event, dict) and "kind" in event else None

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


def _may_pass(fault: Exception) -> bool:
    return not isinstance(fault, ProblemError) or fault.status in BUSY | GATEWAY


def server_sent(chunks: Iterable[bytes]) -> Iterator[tuple[int | None, str, str]]:
    """(id, name, data) of each event. Split at LF only: U+2028 in a file name is no end of a line."""
    buffered = b""
    number: int | None = None
    name, data = "", list[str]()
    for chunk in chunks:
        *lines, buffered = (buffered + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.removesuffix(b"\r").decode(errors="replace").partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                data.append(value)
            elif field == "event":
                name = value
            elif field == "id" and value.isdecimal():
                number = int(value)
            elif not field and not value and data:
                yield number, name, "\n".join(data)
                number, name, data = None, "", []


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
        self._happened.wait(min(at_most_s, SAFETY_POLL_S if self._stream.is_open else POLL_S))
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
            # A job with ten thousand inputs is a long answer: spend at most a fifth of the time on asking.
            time.sleep(max(SHORTEST_INTERVAL_S, 4 * took_s) if job["state"] not in FINISHED else 0)


def _ask(transport: Transport, job_id: str) -> tuple[Job, float]:
    began = time.monotonic()
    job = cast("Job", transport.json("GET", f"jobs/{job_id}"))
    return job, time.monotonic() - began
