"""Tells an open page that something changed; the page then fetches what it shows. No content travels here.

A change sets a flag, never a queue: a slow reader finds one flag, however much has happened.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from orchestration.models import Job, User, Workspace

if TYPE_CHECKING:
    from collections.abc import Coroutine

PUSH_EVERY_S: Final = 0.25
RECHECK_EVERY_S: Final = 60.0
POLICY_VIOLATION: Final = 1008
CHANGED: Final = '{"changed": true}'


class Watcher(AsyncWebsocketConsumer):
    """One page's socket. Below it, a class says what is watched and who may."""

    def topic_for(self, user: User) -> str | None:
        """The group to listen to; None when `user` may not, or may no longer."""
        raise NotImplementedError

    async def connect(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._topic = await self._permitted()
        if self._topic is None:
            await self.close()  # before accept: the handshake is refused with 403
            return
        await self.channel_layer.group_add(self._topic, self.channel_name)
        await self.accept()
        self._tasks = [asyncio.create_task(work) for work in self._work()]

    async def disconnect(self, code: int) -> None:  # noqa: ARG002  channels' signature
        for task in self._tasks:
            task.cancel()
        if self._topic is not None:
            await self.channel_layer.group_discard(self._topic, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected from a page."""

    async def changed(self, message: dict[str, Any]) -> None:  # noqa: ARG002  the message says no more than its type
        self._changed.set()

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        return [self._push(), self._recheck()]

    async def _push(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self.send(CHANGED)
            await asyncio.sleep(PUSH_EVERY_S)

    async def _recheck(self) -> None:
        """Signed out, deactivated or out of the workspace: the socket does not outlive the right to it."""
        while True:
            await asyncio.sleep(RECHECK_EVERY_S)
            if await self._permitted() is None:
                await self.close(code=POLICY_VIOLATION)
                return

    async def _permitted(self) -> str | None:
        # Off the one thread that thread-sensitive calls of all sockets would queue for.
        return await database_sync_to_async(self._permitted_now, thread_sensitive=False)()

    def _permitted_now(self) -> str | None:
        """From the session as it is in the database now, not as it was when the socket opened."""
        key = self.scope["session"].session_key
        if not key:
            return None
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        user = get_user(request)
        return self.topic_for(user) if isinstance(user, User) else None


class JobWatcher(Watcher):
    def topic_for(self, user: User) -> str | None:
        job_id = self.scope["url_route"]["kwargs"]["job_id"]
        return f"job.{job_id}" if Job.objects.visible_to(user).filter(pk=job_id).exists() else None


class WorkspaceWatcher(Watcher):
    def topic_for(self, user: User) -> str | None:
        slug = self.scope["url_route"]["kwargs"]["slug"]
        workspace = Workspace.objects.visible_to(user).filter(slug=slug).first()
        return f"workspace.{workspace.pk}" if workspace else None
