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
from orchestration.services.second_factor import must_set_up

if TYPE_CHECKING:
    from collections.abc import Coroutine

PUSH_EVERY_S: Final = 0.25
RECHECK_EVERY_S: Final = 60.0
POLICY_VIOLATION: Final = 1008
CHANGED: Final = '{"changed": true}'
TOLD: Final = '{"told": true}'
"""There is something for this person herself, behind the bell."""


class Watcher(AsyncWebsocketConsumer):
    """One page's socket. Below it, a class says what is watched and who may."""

    def topic_for(self, user: User) -> str | None:
        """The group to listen to; None when `user` may not, or may no longer."""
        raise NotImplementedError

    async def connect(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._changed, self._told = asyncio.Event(), asyncio.Event()
        self._groups: set[str] = set()
        self._topic = await self._permitted()
        if self._topic is None:
            await self.close()  # before accept: the handshake is refused with 403
            return
        self._groups = {self._topic, f"person.{self._person}"}
        for group in self._groups:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self._tasks = [asyncio.create_task(work) for work in self._work()]

    async def disconnect(self, code: int) -> None:  # noqa: ARG002  channels' signature
        for task in self._tasks:
            task.cancel()
        for group in self._groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected from a page."""

    async def changed(self, message: dict[str, Any]) -> None:  # noqa: ARG002  the message says no more than its type
        self._changed.set()

    async def told(self, message: dict[str, Any]) -> None:  # noqa: ARG002  the same
        self._told.set()

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        return [self._push(self._changed, CHANGED), self._push(self._told, TOLD), self._recheck()]

    async def _push(self, flag: asyncio.Event, said: str) -> None:
        while True:
            await flag.wait()
            flag.clear()
            await self.send(said)
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
        if not isinstance(user, User) or must_set_up(user=user):
            return None
        self._person = user.pk
        return self.topic_for(user)


class PersonWatcher(Watcher):
    """Of pages that watch nothing else."""

    def topic_for(self, user: User) -> str | None:
        return f"person.{user.pk}"


class JobWatcher(Watcher):
    def topic_for(self, user: User) -> str | None:
        job_id = self.scope["url_route"]["kwargs"]["job_id"]
        return f"job.{job_id}" if Job.objects.visible_to(user).filter(pk=job_id).exists() else None


class WorkspaceWatcher(Watcher):
    def topic_for(self, user: User) -> str | None:
        slug = self.scope["url_route"]["kwargs"]["slug"]
        workspace = Workspace.objects.visible_to(user).filter(slug=slug).first()
        return f"workspace.{workspace.pk}" if workspace else None
