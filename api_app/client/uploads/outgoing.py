"""What is sent, and what became of it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from api_app.client import crc64
from api_app.client.errors import EsteiraError, FileChangedError, LocalFileError, RequestError
from api_app.client.progress import CHUNK, Progress

if TYPE_CHECKING:
    from api_app.client.contract.shapes import File

LONGEST_FINGERPRINT: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NS_PER_MS: Final = 1_000_000
_NS_PER_S: Final = 1_000_000_000

type Stream = BinaryIO | Iterable[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Outgoing:
    """One thing to send. `name` is needed where the source has none; `path` is its folder there: photos/2026."""

    source: Path | Stream
    name: str = ""
    path: str = ""

    @classmethod
    def of(cls, item: str | Path | Outgoing) -> Outgoing:
        return item if isinstance(item, Outgoing) else cls(Path(item))

    @property
    def is_stream(self) -> bool:
        return not isinstance(self.source, Path)

    @property
    def called(self) -> str:
        own = self.source.name if isinstance(self.source, Path) else getattr(self.source, "name", "")
        return self.name or (Path(own).name if isinstance(own, str) else "")

    @property
    def label(self) -> str:
        """What its person calls it."""
        return str(self.source) if isinstance(self.source, Path) else self.called

    def checked_name(self) -> str:
        if not self.called:
            raise RequestError("What is sent from a stream needs a name, such as table.csv.", code="no_name")
        for text in (self.called, self.path):
            try:
                text.encode()
            except UnicodeEncodeError as fault:
                shown = os.fsencode(text).decode(errors="replace")
                raise LocalFileError(
                    f"The name of {shown} is not UTF-8, so it cannot be kept. Rename the file, then send it again.",
                    code="name_not_utf8",
                ) from fault
        return self.called


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`file` where it is on the platform, else `fault` says why not. `was_there`: before, from an earlier run."""

    item: Outgoing
    file: File | None = None
    fault: EsteiraError | None = None
    was_there: bool = False

    def required(self) -> File:
        if self.file is None:
            raise self.fault or AssertionError(self)
        return self.file


class Watch:
    """Is told, from any thread, how things go. This one does not care."""

    def began(self, item: Outgoing, size: int | None) -> None:
        """`size` in bytes, None for a stream."""

    def moved(self, item: Outgoing, phase: str, done: int) -> None:
        """Bytes in all so far; less than before when something has to be sent again."""

    def ended(self, outcome: Outcome) -> None:
        """Once for each item."""


class SingleWatch(Watch):
    """For one thing alone: (phase, bytes done, bytes in all; as many as done for a stream)."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._size: int | None = None

    def began(self, item: Outgoing, size: int | None) -> None:  # noqa: ARG002 - there is only one
        self._size = size
        self._progress("sending", 0, size or 0)

    def moved(self, item: Outgoing, phase: str, done: int) -> None:  # noqa: ARG002 - the same
        self._progress(phase, done, done if self._size is None else self._size)


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file as it was when it was first looked at. What differs later is found, by its date or by a checksum."""

    path: Path
    name: str
    folder: str
    size: int
    mtime_ns: int

    @classmethod
    def look(cls, item: Outgoing) -> Self:
        name = item.checked_name()
        if not isinstance(item.source, Path):
            raise TypeError(item.source)
        try:
            status = item.source.stat()
        except OSError as fault:
            raise _unreadable(item.source, fault) from fault
        if not stat.S_ISREG(status.st_mode):
            raise LocalFileError(f"{item.source} is not a file that can be sent.")
        return cls(item.source, name, item.path, status.st_size, status.st_mtime_ns)

    @property
    def fingerprint(self) -> str:
        """The same on every machine that has the file with its date, so that any of them can go on."""
        said = f"{self.name}|{self.size}|{self.mtime_ns // _NS_PER_MS}|{self.folder}"
        fits = len(said) <= LONGEST_FINGERPRINT and not _CONTROL.search(said)
        return said if fits else hashlib.sha256(said.encode()).hexdigest()

    def wanted(self, *, fingerprint: str, crc: int | None = None) -> dict[str, Any]:
        """The JSON that begins its upload, or finds the one that was begun."""
        said = {
            "name": self.name,
            "path": self.folder,
            "size": self.size,
            "modified": self._modified(),
            "fingerprint": fingerprint,
            "resume": True,
        }
        return said if crc is None else said | {"crc64nvme": crc64.to_text(crc)}

    def _modified(self) -> str | None:
        try:
            return datetime.fromtimestamp(self.mtime_ns / _NS_PER_S, UTC).isoformat()
        except (ValueError, OverflowError):
            return None  # a date that no calendar has; some archives leave such behind

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        """Exactly `length` bytes, a block at a time, whatever the size of a part."""
        try:
            with self.path.open("rb") as source:
                self._require_same(os.fstat(source.fileno()))
                source.seek(offset)
                while length:
                    block = source.read(min(CHUNK, length))
                    if not block:
                        raise FileChangedError(self.path)
                    length -= len(block)
                    yield block
        except OSError as fault:
            raise _unreadable(self.path, fault) from fault

    def crc(self, offset: int, length: int) -> int:
        crc = crc64.EMPTY
        for block in self.blocks(offset, length):
            crc = crc64.update(block, crc)
        return crc

    def require_same(self) -> None:
        try:
            self._require_same(self.path.stat())
        except OSError as fault:
            raise FileChangedError(self.path) from fault

    def _require_same(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            raise FileChangedError(self.path)


def _unreadable(path: Path, fault: OSError) -> LocalFileError:
    return LocalFileError(f"Cannot read {path} ({fault.strerror or fault}).")
