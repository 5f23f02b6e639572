"""Entries of a tar archive, read as a stream.

The standard library's reader takes extended headers of any claimed size into memory; this one does not.
"""

from collections.abc import Iterator
from typing import IO

from file_inspect.archive import Entry, Walker
from file_inspect.streams import pieces

_BLOCK = 512
_MOST_EXTENDED = 1024 * 1024
_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "device",
}


class _Reader:
    """Exact reads from chunks of any size."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def exactly(self, count: int) -> bytes:
        parts = b"".join(self.upto(count))
        if len(parts) != count:
            raise EOFError("the archive ends too early")
        return parts

    def upto(self, count: int) -> Iterator[bytes]:
        while count > 0:
            if not self._held:
                self._held = next(self._chunks, b"")
                if not self._held:
                    return
            piece, self._held = self._held[:count], self._held[count:]
            count -= len(piece)
            yield piece


def read(walker: Walker, source: IO[bytes], prefix: str, depth: int) -> None:
    read_chunks(walker, pieces(source), prefix, depth)


def read_chunks(walker: Walker, chunks: Iterator[bytes], prefix: str, depth: int) -> None:
    reader = _Reader(chunks)
    extended: dict[str, str] = {}
    while header := _header(reader):
        size = _number(header[124:136])
        flag = header[156:157]
        if flag in {b"x", b"L", b"K", b"g"}:
            # `g` speaks for all entries; what it may say of sizes or names is not worth believing.
            extended |= _extended(flag, reader, size) if flag != b"g" else dict(_extended(flag, reader, size), path="")
            continue
        size = int(extended["size"]) if extended.get("size", "").isdigit() else size
        entry = Entry(prefix + (extended.get("path") or _name(header)), _KINDS.get(flag, "unknown"), size)
        extended = {}
        walker.begin(entry, depth)
        if entry.kind in {"file", "unknown"}:
            walker.content(entry, reader.upto(size), depth)
            if entry.actual != size:
                raise EOFError
            _skip_padding(reader, size)


def _header(reader: _Reader) -> bytes:
    """The next header; empty at the end, which is a block of zeros or, with careless writers, nothing."""
    block = b"".join(reader.upto(_BLOCK))
    if not block.strip(b"\0"):
        for _ in reader.upto(1 << 62):  # the rest is padding, but a stream has to be read to count it
            pass
        return b""
    if len(block) < _BLOCK:
        raise EOFError
    expected = _number(block[148:156])
    if expected != sum(block[:148]) + 256 + sum(block[156:]):
        raise ValueError("a header has a wrong checksum")
    return block


def _number(text: bytes) -> int:
    # The highest bit marks the base-256 form, for sizes beyond 8 GiB.
    is_octal = not text[0] & 0x80
    value = int(text.strip(b" \0") or b"0", 8) if is_octal else int.from_bytes(bytes([text[0] & 0x7F]) + text[1:])
    if value < 0 or value > 1 << 62:
        raise ValueError("a header has an impossible number")
    return value


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0", 1)[0]
    front = header[345:500].split(b"\0", 1)[0] if header.startswith(b"ustar\0", 257) else b""
    return (front + b"/" + name if front else name).decode("utf-8", "replace")


def _extended(flag: bytes, reader: _Reader, size: int) -> dict[str, str]:
    if size > _MOST_EXTENDED:
        raise ValueError("an extended header is impossibly large")
    body = reader.exactly(size)
    _skip_padding(reader, size)
    if flag == b"L":
        return {"path": body.split(b"\0", 1)[0].decode("utf-8", "replace")}
    if flag == b"K":
        return {}
    found: dict[str, str] = {}
    while body:
        length, _, rest = body.partition(b" ")
        record = rest[: int(length) - len(length) - 1]
        if not record:
            raise ValueError("an extended header is malformed")
        key, _, value = record.rstrip(b"\n").partition(b"=")
        found[key.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        body = body[int(length) :]
    return found


def _skip_padding(reader: _Reader, size: int) -> None:
    for _ in reader.upto(-size % _BLOCK):
        pass
