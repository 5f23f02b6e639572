"""A request and an answer as the operations see them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from tests.s3_double.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.s3_double.body import Body


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of an answer that lie in a file."""

    path: Path
    offset: int
    size: int


@dataclass
class Reply:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: list[Piece] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.body) + sum(piece.size for piece in self.pieces)


@dataclass
class Request:
    method: str
    raw_path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: Body

    @property
    def bucket(self) -> str:
        return unquote(self.raw_path.lstrip("/").partition("/")[0])

    @property
    def key(self) -> str:
        return unquote(self.raw_path.lstrip("/").partition("/")[2])

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.query}

    def param(self, name: str, default: str = "") -> str:
        return next((value for other, value in self.query if other == name), default)

    def number(self, name: str, default: int) -> int:
        text = self.param(name, str(default))
        if not text.isdecimal():
            raise Refused("InvalidArgument", f"Provided {name} not an integer", ArgumentName=name, ArgumentValue=text)
        return int(text)

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


def parse_query(text: str) -> list[tuple[str, str]]:
    pairs = (pair.partition("=") for pair in text.split("&") if pair)
    return [(unquote_plus(name), unquote_plus(value)) for name, _, value in pairs]


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names in lower case; a header that came twice is one value with a comma, as signatures see it."""
    found: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        found[lower] = f"{found[lower]},{value.strip()}" if lower in found else value.strip()
    return found
