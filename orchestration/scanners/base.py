"""The scanner port: bytes are fed in the pass that makes the digest, then it says what they are."""

from __future__ import annotations

from typing import Protocol


class Scan(Protocol):
    """Of one file. Used by one thread."""

    def feed(self, data: bytes) -> None:
        """Raises ScannerUnavailable (later)."""

    def verdict(self) -> str:
        """The name of what was found, "" for nothing. Raises ScannerUnavailable (later)."""

    def close(self) -> None:
        """Any number of times."""


class Scanner(Protocol):
    def begin(self, size: int) -> Scan:
        """A scan of `size` bytes. Raises ScannerUnavailable (later)."""
