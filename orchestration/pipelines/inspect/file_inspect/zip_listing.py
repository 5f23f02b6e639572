"""Entries of a ZIP archive."""

import stat
import struct
import zipfile
from typing import IO

from file_inspect.archive import Entry, Walker
from file_inspect.bounds import BoundReached
from file_inspect.streams import DAMAGED, pieces, why

# The reader of the standard library takes the whole directory into memory, some ten times its size.
_MOST_DIRECTORY = 24 * 1024 * 1024
_TAIL = 65_557 + 20
_ENCRYPTED = 0x1


def read(walker: Walker, source: IO[bytes], prefix: str, depth: int) -> None:
    if _directory_size(source) > _MOST_DIRECTORY:
        raise BoundReached("Its directory is too large to be read.")
    with zipfile.ZipFile(source) as archive:
        for info in archive.infolist():
            entry = Entry(prefix + info.filename, _kind(info), info.file_size)
            walker.begin(entry, depth)
            if entry.kind == "folder":
                continue
            if info.flag_bits & _ENCRYPTED:
                entry.note = "encrypted"
                walker.listing.warn("Entries are encrypted; their contents were not read.")
                continue
            _content(walker, archive, info, entry, depth)


def _content(walker: Walker, archive: zipfile.ZipFile, info: zipfile.ZipInfo, entry: Entry, depth: int) -> None:
    try:
        with archive.open(info) as member:
            walker.content(entry, walker.charged(pieces(member)), depth)
    except DAMAGED as fault:
        entry.note = f"damaged: {why(fault)}"
        walker.listing.warn(f"“{entry.name}” is damaged: {why(fault)}.")


def _kind(info: zipfile.ZipInfo) -> str:
    if info.is_dir():
        return "folder"
    mode = info.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "symbolic link"
    return "device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) or stat.S_ISFIFO(mode) else "file"


def _directory_size(source: IO[bytes]) -> int:
    """As the end record claims; 0 when there is none, which the reader then says better."""
    end = source.seek(0, 2)
    source.seek(max(0, end - _TAIL))
    tail = source.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or place + 22 > len(tail):
        return 0
    size = int(struct.unpack_from("<L", tail, place + 12)[0])
    if place >= 20 and tail.startswith(b"PK\x06\x07", place - 20):  # noqa: PLR2004 - the ZIP64 locator's length
        source.seek(struct.unpack_from("<Q", tail, place - 12)[0])
        record = source.read(56)
        size = int(struct.unpack_from("<Q", record, 40)[0]) if len(record) == 56 else size  # noqa: PLR2004
    return size
