"""Start and end of the process: both frameworks', and of what follows the events table."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from channels.layers import get_channel_layer
from django.db import connections

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from starlette.types import ASGIApp, Receive, Scope, Send

    from orchestration.follow import Follower, Hub

    type Phase = Callable[[], AbstractAsyncContextManager[Any]]

log = logging.getLogger(__name__)
READY_S: Final = 10.0
RESTART_S: Final = 1.0
PERSON: Final = "person."


class CannotStart(Exception):
    """The web process cannot start."""


class Lifespan:
    """Enters the phases in order and leaves them in the opposite one. A phase that fails ends the process."""

    def __init__(self, app: ASGIApp, phases: Sequence[Phase]) -> None:
        self._app, self._phases = app, phases

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        async with AsyncExitStack() as entered:
            try:
                for phase in self._phases:
                    await entered.enter_async_context(phase())
            except Exception as exc:
                log.exception("cannot start")
                await send({"type": "lifespan.startup.failed", "message": str(exc) or type(exc).__name__})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


@asynccontextmanager
async def database_pools() -> AsyncIterator[None]:
    """Django opens them when they are first needed; somebody has to close them."""
    yield
    await asyncio.to_thread(_close_pools)


def _close_pools() -> None:
    for alias in connections:
        connections[alias].close()
        connections[alias].close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it


@asynccontextmanager
async def following(follower: Follower, hub: Hub) -> AsyncIterator[None]:
    bridge = Bridge()
    hub.listeners.append(bridge.heard)
    hub.person_listeners.append(bridge.heard_of)
    tasks = [asyncio.create_task(_keep_following(follower)), asyncio.create_task(bridge.run())]
    try:
        await _ready(follower)
        yield
    finally:
        hub.listeners.remove(bridge.heard)
        hub.person_listeners.remove(bridge.heard_of)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ready(follower: Follower) -> None:
    try:
        async with asyncio.timeout(READY_S):
            await follower.ready.wait()
    except TimeoutError as exc:
        raise CannotStart(
            f"The database has not answered for {READY_S:.0f} s. Is it running, and is DATABASE_URL right? "
            "Are the tables there (manage.py prepare)?"
        ) from exc


async def _keep_following(follower: Follower) -> None:
    while True:
        try:
            await follower.run()
        except Exception:
            # Nobody waits for this task: without a restart every page would quietly stop moving.
            log.exception("the follower stopped; starting it again")
            await asyncio.sleep(RESTART_S)


class Bridge:
    """From the hub to Channels' groups. One message stands for any number of changes to a topic."""

    def __init__(self) -> None:
        self._topics: set[str] = set()
        self._some = asyncio.Event()

    def heard(self, events: list[tuple[int, UUID, UUID]]) -> None:
        for _, workspace, job in events:
            self._topics.update((f"job.{job}", f"workspace.{workspace}"))
        self._some.set()

    def heard_of(self, user_id: str) -> None:
        self._topics.add(f"{PERSON}{user_id}")
        self._some.set()

    async def run(self) -> None:
        layer = get_channel_layer()
        if layer is None:
            return
        while True:
            await self._some.wait()
            self._some.clear()
            topics, self._topics = self._topics, set()
            for topic in topics:
                await layer.group_send(topic, {"type": "told" if topic.startswith(PERSON) else "changed"})
