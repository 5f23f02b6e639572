"""ZIP archives as they are sent: their length known before the first byte, a block in memory, the same bytes each time.

Files are stored as they are. Their CRC is known only when they have been read, so it follows them in a data descriptor.
The bytes are those of the standard library's `zipfile`; only the length is worked out here.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from datetime import datetime

BLOCK: Final = 1 << 20
_DIRECTORY_ENTRY: Final = 46
_END: Final = 22
_END_64: Final = 56 + 20
_EXTRA_64: Final = 20
_DESCRIPTOR: Final = 16
_DESCRIPTOR_64: Final = 24
_DATA_DESCRIPTOR: Final = 1 << 3
_MODE: Final = 0o100644 << 16
_FIRST_YEAR, _LAST_YEAR = 1980, 2107


@dataclass(frozen=True, slots=True)
class Entry:
    """`name` is taken as it is: whoever makes it sees to it that it leads nowhere else. `made_at` in UTC."""

    name: str
    size: int
    made_at: datetime
    open: Callable[[], BinaryIO]


def length_of(entries: Iterable[Entry]) -> int:
    """Of the whole archive, to the byte."""
    number = offset = directory = 0
    for entry in entries:
        info = _info(entry)
        is_large = entry.size * 1.05 > zipfile.ZIP64_LIMIT
        header = len(info.FileHeader(is_large))
        numbers = 2 * (entry.size > zipfile.ZIP64_LIMIT) + (offset > zipfile.ZIP64_LIMIT)
        directory += _DIRECTORY_ENTRY + _name_length(info) + (4 + 8 * numbers if numbers else 0)
        offset += header + entry.size + (_DESCRIPTOR_64 if is_large else _DESCRIPTOR)
        number += 1
    is_large = number > zipfile.ZIP_FILECOUNT_LIMIT or max(offset, directory) > zipfile.ZIP64_LIMIT
    return offset + directory + _END + (_END_64 if is_large else 0)


def zip_blocks(entries: Iterable[Entry], *, skip: int = 0) -> Generator[bytes]:
    """Blocks of at most about BLOCK, without the first `skip` bytes, which are read and not sent.

    While they are skipped, blocks are empty: whoever asks has its thread back after each, however much there is.
    Raises OSError when a file is not as long as its entry says: an archive that is cut off is seen by who fetches it.
    """
    sink = _Sink(skip)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            with entry.open() as source, archive.open(_info(entry), "w") as member:
                left = entry.size
                while left:
                    block = source.read(min(BLOCK, left))
                    if not block:
                        raise OSError(f"{entry.name} is shorter than its row says")
                    member.write(block)
                    left -= len(block)
                    if sink.is_full:
                        yield sink.taken()
                if source.read(1):
                    raise OSError(f"{entry.name} is longer than its row says")
            if sink.is_full:
                yield sink.taken()
    if rest := sink.taken():
        yield rest


def _info(entry: Entry) -> zipfile.ZipInfo:
    moment = entry.made_at
    date = (min(max(moment.year, _FIRST_YEAR), _LAST_YEAR), *moment.timetuple()[1:6])
    info = zipfile.ZipInfo(entry.name, date)
    info.file_size = entry.size
    info.external_attr = _MODE
    info.flag_bits = _DATA_DESCRIPTOR
    # Of a file system with modes, wherever this runs: the bytes may not depend on it.
    info.create_system = 3
    return info


def _name_length(info: zipfile.ZipInfo) -> int:
    return len(info.FileHeader(False)) - 30


class _Sink:
    """Where `ZipFile` writes: it cannot be wound back, and holds what has not been sent."""

    def __init__(self, skip: int) -> None:
        self._skip = skip
        self._held: list[bytes] = []
        self._passed = 0

    def write(self, data: bytes, /) -> int:
        length = len(data)
        self._passed += length
        if self._skip >= length:
            self._skip -= length
            return length
        piece, self._skip = bytes(data[self._skip :]), 0
        self._held.append(piece)
        return length

    def flush(self) -> None:
        """Nothing waits below."""

    def close(self) -> None:
        """The same."""

    @property
    def is_full(self) -> bool:
        return self._passed >= BLOCK

    def taken(self) -> bytes:
        block = b"".join(self._held)
        self._held.clear()
        self._passed = 0
        return block
