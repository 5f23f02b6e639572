"""A call of the API as a value: what is asked, and by its type what comes back. Either client sends it."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Self, TypedDict, cast

from api_app.client.errors import RequestError
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE = 200
"""The most that the platform gives at a time."""


class Reads(Enum):
    JSON = "its JSON"
    BYTES = "its bytes, also from where a redirect leads"
    NOTHING = "nothing"


class Page[T](TypedDict):
    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Call[T]:
    """`client.ask` of it gives a T. May be sent again: it is the same request each time."""

    method: str
    path: str
    """Below /api/v1, with its slash: what stands before a colon would be read as a scheme."""
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    body: object = None
    key: str | None = None
    """The Idempotency-Key, where the call takes one."""
    repeat: Repeat = Repeat.ALWAYS
    reads: Reads = Reads.JSON

    def options(self) -> dict[str, Any]:
        """For httpx. What nobody chose is left out, so that the platform's own default holds."""
        headers = {**self.headers, "Idempotency-Key": self.key}
        found: dict[str, Any] = {
            "params": {name: value for name, value in self.query.items() if value is not None},
            "headers": {name: value for name, value in headers.items() if value is not None},
        }
        return found if self.body is None else found | {"json": self.body}

    def raw(self) -> Call[bytes]:
        """The same, for its bytes as they come."""
        return cast("Call[bytes]", replace(self, reads=Reads.BYTES))

    def repeated(self, repeat: Repeat) -> Self:
        return replace(self, repeat=repeat)


@dataclass(frozen=True, slots=True)
class Listing[T](Call[Page[T]]):
    """`client.ask` of it gives one page, `client.each` every item of all pages."""


class Pages[T]:
    """The pages of a listing one after another, `limit` items at most. Asks for nothing itself."""

    def __init__(self, listing: Listing[T], limit: int | None) -> None:
        self._next: Listing[T] | None = listing
        self._left = math.inf if limit is None else limit

    def next(self) -> Listing[T] | None:
        """None after the last."""
        if self._next is None or self._left <= 0:
            return None
        asked = self._next.query.get("limit")
        limit = min(asked if isinstance(asked, int) else PAGE, self._left)
        return replace(self._next, query={**self._next.query, "limit": limit})

    def take(self, page: Page[T]) -> list[T]:
        self._left -= len(page["items"])
        cursor = page["next_cursor"]
        if self._next is not None:
            self._next = replace(self._next, query={**self._next.query, "cursor": cursor}) if cursor else None
        return page["items"]


def new_key() -> str:
    return secrets.token_urlsafe(24)


def segment(text: str) -> str:
    """One segment of a path and nothing more: an id with a slash or `..` would ask for something else."""
    if not text or text in {".", ".."} or any(sign in text for sign in "/\\?#% ") or not text.isprintable():
        raise RequestError(f"{text!r} is neither an id nor a name.")
    return text


def said(**fields: object) -> dict[str, Any]:
    """A body without what nobody chose."""
    return {name: value for name, value in fields.items() if value is not None}
