"""The platform's own routes on a port of this process, with what may happen to a runner's call on its way."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from api_app.main import PREFIX, build
from orchestration.runner.protocol import PREFIX as RUNNER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["PREFIX", "Door", "Fate", "opened"]

STARTS_S: Final = 30.0


class Fate(StrEnum):
    AWAY = "away"
    """It is answered with 503, and nothing has come of it."""
    LOST = "reply lost"
    """It has come to all it can come to, and whoever asked hears 502."""


class Door:
    """`fates` of the next calls by their last word, such as `finish`; `shut` calls are away until they are opened."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.fates: defaultdict[str, deque[Fate]] = defaultdict(deque)
        self.shut: set[str] = set()
        self.met: defaultdict[str, int] = defaultdict(int)
        """How many calls of each word met a fate, or a shut door."""

    def reset(self) -> None:
        self.fates.clear()
        self.shut.clear()
        self.met.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = scope["path"].removeprefix(RUNNER) if scope["type"] == "http" else ""
        fate = Fate.AWAY if call in self.shut else self._next(call)
        if fate is None:
            await self._app(scope, receive, send)
            return
        self.met[call] += 1
        if fate is Fate.LOST:
            await self._app(scope, receive, _nobody)
        await _say(send, 502 if fate is Fate.LOST else 503)

    def _next(self, call: str) -> Fate | None:
        return self.fates[call].popleft() if self.fates.get(call) else None


async def _nobody(_: Message) -> None:
    """Where an answer goes that is lost."""


async def _say(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


@contextmanager
def opened(port: int) -> Iterator[Door]:
    app: Any = build()
    door = Door(app)
    server = uvicorn.Server(
        uvicorn.Config(
            door,
            host="127.0.0.1",
            port=port,
            log_config=None,
            log_level="warning",
            lifespan="off",
            timeout_graceful_shutdown=5,
        )
    )
    ready = threading.Event()
    began = server.startup

    async def startup(*words: Any, **named: Any) -> None:
        await began(*words, **named)
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run, name="door", daemon=True)
    thread.start()
    assert ready.wait(STARTS_S), "the door did not open"
    try:
        yield door
    finally:
        server.should_exit = True
        thread.join()
