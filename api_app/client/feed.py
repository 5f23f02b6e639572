"""What is known of a job's events over any number of connections. Decides, and reads nothing: both clients go by it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

import httpx

from api_app.client.errors import EsteiraError, ProblemError
from api_app.client.trying import BUSY, GATEWAY, Patience, Trying

if TYPE_CHECKING:
    from collections.abc import Iterator

    from api_app.client.contract.shapes import Event

# The platform sends a comment every 15 s: a stream that is silent for longer is dead.
SILENCE = httpx.Timeout(25, connect=5)
RECONNECT_S = 0.1
POLL_S, SAFETY_POLL_S = 1.0, 10.0
SHORTEST_INTERVAL_S = 0.2


class Feed:
    """Events of one job from `after` on, none twice, until the job has ended."""

    def __init__(self, trying: Trying, *, after: int = 0, patience_s: float = math.inf) -> None:
        self.is_over = False
        self._last_id = after
        self._trying = trying
        self._patience_s = patience_s
        self._patience = Patience()
        self._reader = ServerSent()

    def options(self) -> dict[str, Any]:
        """Of the next connection's request."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last_id:
            headers["Last-Event-ID"] = str(self._last_id)
        return {"headers": headers, "timeout": SILENCE}

    def begin(self, response: httpx.Response) -> None:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise EsteiraError("The platform has no stream of events.")
        self._reader = ServerSent()

    def read(self, chunk: bytes) -> Iterator[Event | None]:
        """None: a reason to look at the job, without an event."""
        for number, name, data in self._reader.read(chunk):
            if name == "end":
                self.is_over = True
                yield None
                return
            if number is not None:
                if number <= self._last_id:
                    continue
                self._last_id = number
            event = _event(data)
            if event is not None:
                # Not for a server that takes connections and drops them.
                self._patience = Patience()
            yield event

    def after_end(self) -> float:
        """Seconds until the next connection, after one that ended without a fault."""
        if self.is_over:
            return 0
        return self._patience.pause(at_least_s=RECONNECT_S, within_s=math.inf) or RECONNECT_S

    def after_fault(self, fault: httpx.HTTPError | EsteiraError) -> float:
        """The same after one that broke, or did not come about. Raises what is not tried again."""
        asked_s = fault.retry_after_s if isinstance(fault, ProblemError) else 0
        pause = self._patience.pause(at_least_s=asked_s, within_s=self._patience_s)
        if isinstance(fault, httpx.HTTPError) and pause is None:
            raise self._trying.unreachable(fault) from fault
        if pause is None or (isinstance(fault, ProblemError) and fault.status not in BUSY | GATEWAY):
            raise fault
        return pause


def _event(data: str) -> Event | None:
    try:
        event = json.loads(data)
    except ValueError:
        return None
    # "resync" and whatever a later version may send: a reason to look, not an event.
    return cast("Event", event) if isinstance(event, dict) and "kind" in event else None


class ServerSent:
    """(id, name, data) of each event. Split at LF only: U+2028 in a file name is no end of a line."""

    def __init__(self) -> None:
        self._buffered = b""
        self._number: int | None = None
        self._name = ""
        self._data: list[str] = []

    def read(self, chunk: bytes) -> Iterator[tuple[int | None, str, str]]:
        *lines, self._buffered = (self._buffered + chunk).split(b"\n")
        for line in lines:
            field, _, value = line.removesuffix(b"\r").decode(errors="replace").partition(":")
            value = value.removeprefix(" ")
            if field == "data":
                self._data.append(value)
            elif field == "event":
                self._name = value
            elif field == "id" and value.isdecimal():
                self._number = int(value)
            elif not field and not value and self._data:
                yield self._number, self._name, "\n".join(self._data)
                self._number, self._name, self._data = None, "", []


def next_look_s(*, is_open: bool) -> float:
    """How long a watcher waits for news at most: a stream that is open tells by itself, but for a mistake of ours."""
    return SAFETY_POLL_S if is_open else POLL_S


def rest_s(took_s: float) -> float:
    """After a look: a job with ten thousand inputs is a long answer; at most a fifth of the time goes into asking."""
    return max(SHORTEST_INTERVAL_S, 4 * took_s)
