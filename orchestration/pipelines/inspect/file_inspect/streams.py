"""Compressed bytes in, expanded bytes out, a small piece at a time and with bounded memory."""

import bz2
import gzip
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Protocol

PIECE = 64 * 1024
# An xz header may ask for a dictionary of 4 GiB.
_XZ_MEMORY = 256 * 1024 * 1024
# What the readers of the standard library raise on damaged archives. MemoryError: a header that asks for too much.
DAMAGED = (
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)

_MEANINGS = (
    ("Bad CRC", "its content does not match its checksum and stated size"),
    ("not a zip file", "its directory is missing, as when a file is cut off"),
    ("directory", "its directory does not fit its entries"),
    ("Overlapped", "it shares its bytes with another entry"),
)


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def pieces(source: Readable) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece


def expanded(source: IO[bytes], form: str) -> Iterator[bytes]:
    match form:
        case "gzip":
            return pieces(gzip.GzipFile(fileobj=source, mode="rb"))
        case "bzip2":
            return pieces(bz2.BZ2File(source))
        case _:
            return _expanded_xz(source)


def _expanded_xz(source: IO[bytes]) -> Iterator[bytes]:
    reader = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    pending = b""
    while True:
        if reader.eof:
            pending = (reader.unused_data or source.read(PIECE)).lstrip(b"\0")
            if not pending:
                return
            reader = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        elif reader.needs_input:
            pending = source.read(PIECE)
            if not pending:
                raise EOFError("the file ends too early")
        yield reader.decompress(pending, PIECE)
        pending = b""


def why(fault: BaseException) -> str:
    """The reader's complaint as part of a sentence."""
    if isinstance(fault, EOFError):
        return "it ends too early"
    if isinstance(fault, MemoryError):
        return "its header asks for too much memory"
    text = str(fault).strip().rstrip(".")
    for mark, meaning in _MEANINGS:
        if mark in text:
            return meaning
    return text[:1].lower() + text[1:] if text else type(fault).__name__
