"""The storage port. Adapters are looked up by alias (`uploads`, `results`, `logs`) in `registry`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a runner puts one output: `LINK` to a file URL, or `PUT` to an object storage URL with `headers`."""

    url: str
    method: str
    headers: dict[str, str]


class Incoming(Protocol):
    """Bytes on their way in. Nothing is visible under the key before `commit` has returned."""

    def write(self, data: bytes) -> None: ...

    def commit(self) -> None:
        """Make the bytes durable and visible. Raises FileExistsError rather than overwrite."""

    def discard(self) -> None:
        """Leave no trace. May be called at any time, also after `commit` failed."""


class Storage(Protocol):
    def receive(self, key: str) -> Incoming: ...

    def open(self, key: str) -> BinaryIO: ...

    def size(self, key: str) -> int | None:
        """Bytes stored under the key, None when there are none."""

    def append(self, key: str, offset: int, data: bytes) -> int:
        """Write at `offset`, which must not lie beyond the end; the new end. Repeats are harmless."""

    def read_url(self, key: str) -> str:
        """Where a runner reads the object."""

    def slot(self, key: str) -> Slot: ...

    def delete(self, key: str) -> None:
        """Absent is as good as deleted."""

    def keys_older_than(self, age: timedelta) -> Iterator[str]:
        """Keys last written longer ago than `age`, unfinished transfers among them."""
