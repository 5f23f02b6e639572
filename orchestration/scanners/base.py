"""The scanner port: bytes are fed in the pass that makes the digest, then it says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Subject:
    """What is scanned: bytes `size`; `tag` reads what the storage's own scanner wrote on it, "" for nothing yet."""

    size: int
    tag: Callable[[], str]


class Scan(Protocol):
    """Of one file. Used by one thread."""

    def feed(self, data: bytes) -> None:
        """Raises ScannerUnavailable (later)."""

    def verdict(self) -> str:
        """The name of what was found, "" for nothing. Raises ScannerUnavailable (later)."""

    def close(self) -> None:
        """Any number of times."""


class Scanner(Protocol):
    def begin(self, subject: Subject) -> Scan:
        """Raises ScannerUnavailable (later): before a byte is read for nothing."""
