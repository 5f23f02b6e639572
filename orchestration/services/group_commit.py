"""Submissions that wait at the same moment are read and committed together: the trips cost more than the jobs.

One that cannot be, or that is in the way of the others, is left to be finished alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError

from orchestration.models.entry import Entry, enter_jobs
from orchestration.models.joined import read_together
from orchestration.models.ready import found_ahead
from orchestration.services.jobs import finished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextvars import Context

    from orchestration.models.joined import Asked, Found
    from orchestration.services.jobs import Submission


@dataclass(slots=True)
class Call:
    """`ahead`: what `begin` will ask for, None: nothing is read ahead. It runs in `context`, which is its own."""

    begin: Callable[[], Submission[Any]]
    ahead: Asked | None
    context: Context
    result: Any = None
    failed: Exception | None = None
    is_done: bool = False
    _going: Submission[Any] | None = None
    _entry: Entry | None = None

    def look(self, found: Found | None) -> Entry | None:
        """What it has to write, if that may be written with others'."""
        self._going = self.begin()
        self.context.run(found_ahead.set, found)
        self._step(partial(next, self._going))
        return None if self._entry is None or self._entry.check else self._entry

    def go_on(self, *, is_written: bool) -> None:
        if self._going is not None:
            self._step(partial(self._going.send, is_written))

    def finish(self) -> None:
        """To its end, alone. In whatever thread: it stands still meanwhile."""
        try:
            self.result = self.context.run(finished, self._going or self.begin(), self._entry)
        except Exception as exc:  # noqa: BLE001  raised where the result is awaited
            self.failed = exc
        self.is_done = True

    def _step(self, step: Callable[[], Entry]) -> None:
        try:
            self._entry = self.context.run(step)
        except StopIteration as end:
            self.result, self.is_done = end.value, True
        except Exception as exc:  # noqa: BLE001  raised where the result is awaited
            self.failed, self.is_done = exc, True


def run_together(calls: Sequence[Call]) -> None:
    """Each is done afterwards, or stands where it has to be finished alone. Runs in a database thread."""
    entries = {}
    for call, found in zip(calls, _read(calls), strict=True):
        if (entry := call.look(found)) is not None:
            entries[id(call)] = entry
    waiting = [call for call in calls if id(call) in entries]
    if len(waiting) == 1:
        waiting.pop().finish()
    try:
        written = enter_jobs([entries[id(call)] for call in waiting]) if waiting else []
    except DatabaseError:
        return  # whose fault it is shows when each is written alone
    for call, is_written in zip(waiting, written, strict=True):
        call.go_on(is_written=is_written)


def _read(calls: Sequence[Call]) -> list[Found | None]:
    asked = [call.ahead for call in calls if call.ahead is not None]
    try:
        found = iter(read_together(asked) if asked else ())
    except DatabaseError:
        return [None] * len(calls)  # each asks for itself, and hears what is wrong
    return [None if call.ahead is None else next(found) for call in calls]
