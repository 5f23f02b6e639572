"""What a stream tells: events from a bookmark on, read once for all readers who stand at the same place."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from api_app.answers import event_out
from api_app.database import in_db
from orchestration.follow import hub
from orchestration.models import Event, Job

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

BATCH: Final = 500
FAR: Final = 10_000
"""A reader of a workspace that is further behind, in events of the whole server, is told to look at the state anew."""


@dataclass(frozen=True, slots=True)
class Message:
    """`data` is JSON. The same on every way; `number`, where there is one, is the bookmark to come back with."""

    name: str
    data: str
    number: int | None = None

    @property
    def sse(self) -> str:
        number = "" if self.number is None else f"id: {self.number}\n"
        return f"{number}event: {self.name}\ndata: {self.data}\n\n"

    @property
    def frame(self) -> str:
        return f'{{"id": {json.dumps(self.number)}, "event": "{self.name}", "data": {self.data}}}'


@dataclass(frozen=True)
class News:
    """`last` is where to read on. `is_full`: there may be more at once. `ended`: no more will come."""

    messages: tuple[Message, ...]
    last: int
    is_full: bool = False
    ended: bool = False

    @cached_property
    def sse(self) -> bytes:
        """Written out once, however many read it."""
        return "".join(message.sse for message in self.messages).encode()


class Feed(Protocol):
    """What is watched. Equal ones share their readings."""

    @property
    def topic(self) -> str: ...

    def read(self, last: int, released: int) -> News:
        """In a database thread: at most BATCH events from after `last` on, none beyond `released`."""
        ...


@dataclass(frozen=True, slots=True)
class JobFeed:
    """All that happened to one job, from its first event on if that is asked for, until it has ended."""

    job_id: UUID

    @property
    def topic(self) -> str:
        return f"job.{self.job_id}"

    def read(self, last: int, released: int) -> News:
        of_it = Event.objects.filter(job_id=self.job_id, id__gt=last)
        rows = list(of_it.filter(id__lte=released).order_by("id")[:BATCH])
        messages, last = _told(rows), rows[-1].pk if rows else last
        if len(rows) == BATCH:
            return News(messages, last, is_full=True)
        job = Job.objects.only("state").get(pk=self.job_id)
        # An event beyond `last` may be committed and not yet released: it comes before the end.
        if not job.is_finished or of_it.filter(id__gt=last).exists():
            return News(messages, last)
        end = Message("end", json.dumps({"state": job.state}))
        return News((*messages, end), last, ended=True)


@dataclass(frozen=True, slots=True)
class WorkspaceFeed:
    """What happens to all jobs of a workspace from now on, or from a bookmark that is not far away."""

    workspace_id: UUID

    @property
    def topic(self) -> str:
        return f"workspace.{self.workspace_id}"

    def read(self, last: int, released: int) -> News:
        if is_far(last, released):
            # The table has no index by workspace, and nobody reads so much: what is, is shorter than what was.
            return News((resync(released),), released)
        between = Event.objects.filter(id__gt=last, id__lte=released)
        rows = list(between.filter(workspace_id=self.workspace_id).order_by("id")[:BATCH])
        if len(rows) == BATCH:
            return News(_told(rows), rows[-1].pk, is_full=True)
        # Other workspaces' events lie behind the reader too, or it would be far away one day without missing any.
        return News(_told(rows), max(last, released))


def is_far(last: int, released: int) -> bool:
    """On either side: a bookmark from before a restored backup lies ahead, and nothing would come for long."""
    return abs(released - last) > FAR


def resync(number: int) -> Message:
    said = "You are too far behind. Load what you show anew; then events go on after this id."
    return Message("resync", json.dumps({"after": number, "detail": said}), number)


def _told(rows: Iterable[Event]) -> tuple[Message, ...]:
    return tuple(Message(row.kind, event_out(row).model_dump_json(), row.pk) for row in rows)


# Of this process's event loop alone.
_readings: dict[tuple[Feed, int, int], asyncio.Task[News]] = {}


async def news_of(feed: Feed, last: int) -> News:
    """Raises what `in_db` does."""
    place = (feed, last, hub.released)
    reading = _readings.get(place)
    if reading is None:
        reading = asyncio.ensure_future(in_db(feed.read, last, hub.released))
        _readings[place] = reading
        reading.add_done_callback(lambda _: _readings.pop(place, None))
    return await asyncio.shield(reading)
