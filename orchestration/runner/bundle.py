"""Unpacks the code bundle, a plain zip with a checked digest; the bounds are for one that was made badly.

The zipfile module costs more to import than all of the runner, and takes names and sizes as they come.
"""

from __future__ import annotations

import os
import zlib

from .order import PlatformFault, inner_path
from .work import keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_FILES = 10_000
MOST_BYTES = 1 << 30
END_SIZE = 22
ENTRY_SIZE = 46
LOCAL_SIZE = 30
LONGEST_COMMENT = 65535
STORED, DEFLATED = 0, 8
ENCRYPTED = 1
UTF8 = 0x800
EXECUTABLE = 0o111
KIND, REGULAR = 0o170000, 0o100000


class Entry:
    __slots__ = ("crc", "executable", "method", "name", "offset", "packed", "size")

    def __init__(self, data: bytes, at: int) -> None:
        number = _reader(data, at)
        flags, self.method, self.crc = number(8, 2), number(10, 2), number(16, 4)
        self.packed, self.size, self.offset = number(20, 4), number(24, 4), number(42, 4)
        raw = data[at + ENTRY_SIZE : at + ENTRY_SIZE + number(28, 2)]
        self.name = raw.decode("utf-8" if flags & UTF8 else "cp437")
        mode = number(38, 4) >> 16
        self.executable = bool(mode & EXECUTABLE)
        if flags & ENCRYPTED or self.method not in (STORED, DEFLATED) or mode & KIND not in (0, REGULAR, 0o040000):
            raise PlatformFault(f"The code bundle has an entry of a kind that is not allowed: {self.name[:200]!r}.")


def unpack(data: bytes, target: str) -> None:
    total = count = 0
    for entry in _entries(data):
        count += 1
        total += entry.size
        if count > MOST_FILES or total > MOST_BYTES:
            raise PlatformFault("The code bundle is too large.")
        name = inner_path(entry.name.rstrip("/"))
        path = os.path.join(target, name)
        if entry.name.endswith("/"):
            os.makedirs(path, exist_ok=True)
            continue
        if "/" in name:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path, _content(data, entry), executable=entry.executable)


def _reader(data: bytes, at: int) -> Callable[[int, int], int]:
    """Reads little-endian numbers at an offset from `at`."""
    return lambda offset, size: int.from_bytes(data[at + offset : at + offset + size], "little")


def _entries(data: bytes) -> Iterator[Entry]:
    end = data.rfind(b"PK\5\6", max(0, len(data) - END_SIZE - LONGEST_COMMENT))
    if end < 0 or len(data) < end + END_SIZE:
        raise PlatformFault("The code bundle is no zip file.")
    number = _reader(data, end)
    at = number(16, 4)
    for _ in range(number(10, 2)):
        if data[at : at + 4] != b"PK\1\2":
            raise PlatformFault("The code bundle's list of files is broken.")
        yield Entry(data, at)
        lengths = _reader(data, at)
        at += ENTRY_SIZE + lengths(28, 2) + lengths(30, 2) + lengths(32, 2)


def _content(data: bytes, entry: Entry) -> bytes:
    number = _reader(data, entry.offset)
    start = entry.offset + LOCAL_SIZE + number(26, 2) + number(28, 2)
    content = data[start : start + entry.packed]
    if entry.method == DEFLATED:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            # One byte more than declared, so that a bomb shows itself and stops there.
            content = inflate.decompress(content, entry.size + 1)
        except zlib.error as wrong:
            raise PlatformFault(f"The code bundle is broken: {wrong}.") from wrong
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise PlatformFault(f"The code bundle is broken at {entry.name[:200]!r}.")
    return content


def _write(path: str, content: bytes, *, executable: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o555 if executable else 0o444)
    except FileExistsError as twice:
        raise PlatformFault("The code bundle has two files of one name.") from twice
    try:
        keep(fd, content)
    finally:
        os.close(fd)
