"""One trace of a job, from the request that asked for it to its results. Costs nothing where nobody takes it.

Who takes it is set by the process at its start. A span of what has ended has an id that everybody can work out who
knows of what it is: so spans of other processes lie below it before it is told.
"""

from __future__ import annotations

import hashlib
import re
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, Self

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from datetime import datetime

type Value = str | int | float | bool

_FORM: Final = re.compile(r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Place:
    """A span in a trace that is kept."""

    trace_id: int
    span_id: int

    @classmethod
    def read(cls, traceparent: str) -> Self | None:
        """As W3C writes it. None: no form of it, or of a trace that is not kept."""
        found = _FORM.fullmatch(traceparent)
        if found is None or not int(found["flags"], 16) & 1:
            return None
        place = cls(int(found["trace"], 16), int(found["span"], 16))
        return place if place.trace_id and place.span_id else None

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def of(self, *what: object) -> Place:
        """In the same trace, the one place for this."""
        digest = hashlib.sha256("/".join(map(str, what)).encode()).digest()
        return Place(self.trace_id, int.from_bytes(digest[:8]) or 1)


class Recorder(Protocol):
    """Never raises, and never waits for anybody."""

    def here(self) -> Place | None:
        """The span under way here."""

    def live(self, name: str, under: Place | None, said: dict[str, Value]) -> AbstractContextManager[None]:
        """Under `under`, or what is under way here."""

    def past(
        self,
        name: str,
        place: Place,
        under: Place,
        span: tuple[datetime, datetime],
        failure: str,
        said: dict[str, Value],
    ) -> None: ...


_recorders: Final[list[Recorder]] = []


def record_with(recorder: Recorder | None) -> None:
    _recorders[:] = [recorder] if recorder else []


def here() -> str:
    """The traceparent of what is under way; empty where nothing is kept of it."""
    place = _recorders[0].here() if _recorders else None
    return str(place) if place else ""


def trace_id() -> str:
    place = _recorders[0].here() if _recorders else None
    return f"{place.trace_id:032x}" if place else ""


def span(name: str, *, under: Place | None = None, **said: Value) -> AbstractContextManager[None]:
    """While it lasts, as part of `under`, or of what is under way; of nothing where neither is there.

    What is said of it never names a file, a person or anything that they wrote: traces leave the platform.
    """
    if not _recorders or not (under or _recorders[0].here()):
        return nullcontext()
    return _recorders[0].live(name, under, _named(said))


def past(
    name: str,
    place: Place,
    *,
    under: Place,
    began: datetime,
    ended: datetime,
    failure: str = "",
    **said: Value,
) -> None:
    """What is over by now."""
    if _recorders:
        _recorders[0].past(name, place, under, (min(began, ended), ended), failure, _named(said))


def is_on() -> bool:
    return bool(_recorders)


def _named(said: dict[str, Value]) -> dict[str, Value]:
    return {f"esteira.{name}": value for name, value in said.items()}
