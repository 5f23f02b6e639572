"""Readers of live streams, from inside the loop of a test, and the events that they are told."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Self

from orchestration.follow import hub
from orchestration.states import EventKind
from tests.api.door import HOST, Client, scope_for

if TYPE_CHECKING:
    from orchestration.models import Event, Job
    from tests.api.door import Door


def happened(job: Job, *states: str) -> list[int]:
    """Events written, but not yet released."""
    return [job_event(job, state).pk for state in states]


def job_event(job: Job, state: str) -> Event:
    event = job.event(EventKind.JOB, old="WAITING", new=state, reason="a test\nsays so")
    event.save(force_insert=True)
    return event


def release(job: Job, *ids: int) -> None:
    hub.publish([(i, job.workspace_id, job.pk) for i in ids])


async def somebody_waits() -> None:
    """For anything at all."""
    async with asyncio.timeout(5):
        while not hub._waiting:  # noqa: ASYNC110  the hub tells nobody who has come
            await asyncio.sleep(0.005)


class Watching:
    """One stream of Server-Sent Events."""

    def __init__(
        self, door: Door, token: str, path: str, *headers: tuple[bytes, bytes], client: Client | None = None
    ) -> None:
        raw = [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())]
        raw += [(b"accept", b"text/event-stream")]
        raw += headers
        self.client = client or Client()
        scope = scope_for("GET", f"/api/v1{path}", raw)
        self.task = asyncio.ensure_future(door.app(scope, self.client.receive, self.client.send))

    async def __aenter__(self) -> Client:
        await self.client.wait_for(lambda answer: answer.status > 0)
        return self.client

    async def __aexit__(self, *_: object) -> None:
        self.client.gone.set()
        async with asyncio.timeout(5):
            await self.task


def events_in(text: bytes) -> list[dict[str, Any]]:
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and line[0] != ":")
        if "data" in fields:
            found.append({**fields, "data": json.loads(fields["data"])})
    return found


class Socket:
    """One WebSocket."""

    def __init__(self, door: Door, path: str, token: str = "", *headers: tuple[bytes, bytes]) -> None:
        raw = [(b"host", HOST.encode()), *headers]
        if token:
            raw.append((b"authorization", f"Bearer {token}".encode()))
        self._scope = scope_for("GET", f"/api/v1{path}", raw, type="websocket", scheme="ws", subprotocols=[])
        self._scope["extensions"] = {"websocket.http.response": {}}
        self._door = door
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._heard: asyncio.Queue[Any] = asyncio.Queue()
        self._answered = asyncio.Event()
        self.status = 0
        self.problem = b""
        self.closed: int | None = None

    async def __aenter__(self) -> Self:
        self._told.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(self._door.app(self._scope, self._told.get, self._send))
        async with asyncio.timeout(5):
            await self._answered.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._told.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with asyncio.timeout(5):
            await self.task

    async def _send(self, message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                self.status = 101
            case "websocket.send":
                self._heard.put_nowait(json.loads(message["text"]))
            case "websocket.close":
                self.closed = message["code"]
            case "websocket.http.response.start":
                self.status = message["status"]
            case "websocket.http.response.body":
                self.problem += message["body"]
        if self.status:
            self._answered.set()

    async def hear(self) -> Any:
        """The next message that is no sign of life."""
        async with asyncio.timeout(5):
            while (message := await self._heard.get())["event"] == "here":
                pass
        return message

    async def ended(self) -> int | None:
        async with asyncio.timeout(5):
            await self.task
        return self.closed
