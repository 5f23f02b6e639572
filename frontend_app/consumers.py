"""Keeps an open page as it would be drawn now: sends what has changed of it, or says that the page should look.

A change sets a flag, never a queue: a slow reader finds one flag, however much has happened.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest

from frontend_app.http import whole_number
from frontend_app.live.rights import Person, grounds_of
from frontend_app.live.room import POLICY_VIOLATION, Room, Seat, enter, leave
from frontend_app.live.shown import HomeShown, JobShown
from frontend_app.people.signed_in import user_of
from frontend_app.views.jobs import run_asked
from orchestration.errors import TooManyLive
from orchestration.follow import hub
from orchestration.models import Job, User, Workspace
from orchestration.places import leave_place, take_place
from orchestration.services.second_factor import must_set_up
from orchestration.states import Role

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from frontend_app.live.shown import Shown

PUSH_EVERY_S: Final = 0.25
RECHECK_EVERY_S: Final = 60.0
MOST_DIGITS: Final = 18
CHANGED: Final = '{"changed": true}'
TOLD: Final = '{"told": true}'
"""There is something for this person herself, behind the bell."""


class Watcher(AsyncWebsocketConsumer):
    """One page's socket. Below it, a class says what is watched and who may."""

    _has_place = False

    def watched_by(self, user: User) -> str | Shown | None:
        """The group to listen to, or what is shown; None when `user` may not, or may no longer."""
        raise NotImplementedError

    async def connect(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._changed, self._told = asyncio.Event(), asyncio.Event()
        self._groups: set[str] = set()
        watched = await self._permitted()
        if watched is None or not self._takes_a_place() or not await self._begin(watched):
            await self.close()  # before accept: the handshake is refused with 403
            return
        self._groups.add(f"person.{self._person}")
        for group in self._groups:
            await self.channel_layer.group_add(group, self.channel_name)
        await self.accept()
        self._tasks = [asyncio.create_task(work) for work in self._work()]

    async def disconnect(self, code: int) -> None:  # noqa: ARG002  channels' signature
        for task in self._tasks:
            task.cancel()
        if self._has_place:
            self._has_place = False
            leave_place(self._person)
        for group in self._groups:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is expected from a page."""

    async def changed(self, message: dict[str, Any]) -> None:  # noqa: ARG002  the message says no more than its type
        self._changed.set()

    async def told(self, message: dict[str, Any]) -> None:  # noqa: ARG002  the same
        self._told.set()

    def _takes_a_place(self) -> bool:
        try:
            take_place(self._person)
        except TooManyLive:
            return False
        self._has_place = True
        return True

    async def _begin(self, watched: str | Shown) -> bool:
        self._groups.add(str(watched))
        return True

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

    async def _permitted(self) -> str | Shown | None:
        # Off the one thread that thread-sensitive calls of all sockets would queue for.
        return await database_sync_to_async(self._permitted_now, thread_sensitive=False)()

    def _permitted_now(self) -> str | Shown | None:
        """From the session as it is in the database now, not as it was when the socket opened."""
        key = self.scope["session"].session_key
        if not key:
            return None
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
        user = user_of(request)
        if not isinstance(user, User) or must_set_up(user=user):
            return None
        self._person = user.pk
        return self.watched_by(user)

    def _workspace(self, user: User) -> Workspace | None:
        slug = self.scope["url_route"]["kwargs"]["slug"]
        found: Workspace | None = Workspace.objects.visible_to(user).filter(slug=slug).first()
        return found

    def _asked(self, name: str) -> str:
        """From the address; "" where it is not there."""
        return parse_qs(self.scope["query_string"].decode("latin-1")).get(name, [""])[0]


class PersonWatcher(Watcher):
    """Of pages that watch nothing else."""

    def watched_by(self, user: User) -> str | None:
        return f"person.{user.pk}"


class WorkspaceWatcher(Watcher):
    """Of pages that each person sees in a way of her own: told that something changed, they fetch it."""

    def watched_by(self, user: User) -> str | None:
        workspace = self._workspace(user)
        return f"workspace.{workspace.pk}" if workspace else None


class Spectator(Watcher):
    """Of pages that are the same for several people: they are sent what has changed of it."""

    _seat: Seat | None = None
    _room: Room | None = None

    async def disconnect(self, code: int) -> None:
        if self._room is not None and self._seat is not None:
            leave(self._room, self._seat)
        await super().disconnect(code)

    async def _begin(self, watched: str | Shown) -> bool:
        if self._seat is None or isinstance(watched, str):
            return False
        self._room = enter(watched, self._seat)  # and only then: what happens from here on is not missed
        seen = whole_number(self._asked("seen"), digits=MOST_DIGITS)
        changed = database_sync_to_async(watched.has_changed, thread_sensitive=False)
        if seen is None or (hub.released > seen and await changed(seen)):
            self._room.look_again()
        return True

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        return [self._show(), self._push(self._told, TOLD), self._recheck()]

    async def _show(self) -> None:
        seat, room = self._seat, self._room
        while seat and room:
            await seat.news.wait()
            seat.news.clear()
            if seat.closed_with:
                await self.close(code=seat.closed_with)
                return
            if news := room.news_for(seat):
                await self.send(news)

    def _permitted_now(self) -> str | Shown | None:
        session = self.scope["session"]
        if self._seat is None and session.session_key and (user_id := session.get(SESSION_KEY)):
            # Noted before it is asked for: a change between the two counts as one that comes after.
            person = Person(session.session_key, UUID(user_id))
            self._seat = Seat(person, grounds_of([person]).get(person), super()._permitted_now)
        return super()._permitted_now()

    def _language(self) -> str:
        """That of the page."""
        asked = self._asked("language")
        return asked if asked in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


class JobWatcher(Spectator):
    def watched_by(self, user: User) -> Shown | None:
        job_id = self.scope["url_route"]["kwargs"]["job_id"]
        job = Job.objects.visible_to(user).select_related("workspace").only("workspace").filter(pk=job_id).first()
        if job is None:
            return None
        may_act = job.workspace.lets(user, Role.SUBMITTER)
        return JobShown(job.pk, job.workspace_id, run_asked(self._asked("run")), may_act, self._language())


class HomeWatcher(Spectator):
    def watched_by(self, user: User) -> Shown | None:
        workspace = self._workspace(user)
        return HomeShown(workspace.pk, self._language()) if workspace else None
