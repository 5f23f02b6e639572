"""What a file is: by its first bytes where they tell, by its name where they cannot."""

from __future__ import annotations

import codecs
from typing import Final

import puremagic
from puremagic.main import magic_footer_array, magic_header_array, max_foot, max_head

HEAD_BYTES: Final = 16_384
BINARY: Final = "application/octet-stream"

# Text formats carry no signature, so their extension decides, provided the bytes are text.
_TEXT: Final = {
    "csv": "text/csv",
    "tsv": "text/tab-separated-values",
    "tab": "text/tab-separated-values",
    "jsonl": "application/jsonl",
    "ndjson": "application/jsonl",
    "json": "application/json",
    "html": "text/html",
    "htm": "text/html",
    "svg": "image/svg+xml",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "md": "text/markdown",
    "py": "text/x-python",
}
_SIGNATURES: Final = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
    (b"PAR1", "application/vnd.apache.parquet"),
    (b"\x1f\x8b", "application/gzip"),
    (b"BZh", "application/x-bzip2"),
    (b"\xfd7zXZ\x00", "application/x-xz"),
    (b"\x28\xb5\x2f\xfd", "application/zstd"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"BM", "image/bmp"),
)
_OFFICE_MARKS: Final = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"word/", b"ppt/")
_OFFICE: Final = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}


_CONTROLS: Final = bytes({*range(9), *range(14, 27)})
"""The control characters that text does not have."""


def _by_place(rows: list[puremagic.PureMagic]) -> list[tuple[slice, frozenset[bytes]]]:
    """What the library looks for, by where it looks: a set for each place instead of a comparison for each row."""
    places: dict[tuple[int, int], set[bytes]] = {}
    for row in rows:
        places.setdefault((row.offset, row.offset + len(row.byte_match)), set()).add(row.byte_match)
    return [(slice(start, end or None), frozenset(found)) for (start, end), found in places.items()]


def _beginnings(rows: list[puremagic.PureMagic]) -> list[tuple[slice, frozenset[bytes]]]:
    """The first two bytes of each: most files have none of them, and there are far fewer places to look at."""
    places: dict[tuple[int, int], set[bytes]] = {}
    for row in rows:
        known = row.byte_match[:2]
        places.setdefault((row.offset, row.offset + len(known)), set()).add(known)
    return [(slice(*place), frozenset(found)) for place, found in places.items()]


_HEADS: Final = _by_place(magic_header_array)
_BEGINNINGS: Final = _beginnings(magic_header_array)
_FEET: Final = _by_place(magic_footer_array)


def detect(name: str, head: bytes) -> str:
    """Media type from the first HEAD_BYTES bytes and the name's extension; never from what a client says."""
    extension = name.rpartition(".")[2].lower()
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return _OFFICE.get(extension, "application/zip") if _is_office(head, extension) else "application/zip"
    for signature, media_type in _SIGNATURES:
        if head.startswith(signature):
            return media_type
    if _is_text(head):
        return _TEXT.get(extension, "text/plain")
    return _by_library(head) or BINARY


def _is_office(head: bytes, extension: str) -> bool:
    """By the names of the first entries: which of them come first is up to the program that wrote it."""
    return extension in _OFFICE and any(mark in head for mark in _OFFICE_MARKS)


def _is_text(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF8)):
        return True
    if b"\x00" in head:
        return False
    return (len(head) - len(head.translate(None, _CONTROLS))) * 50 <= len(head)


def _by_library(head: bytes) -> str | None:
    if not _may_know(head):
        return None
    try:
        return puremagic.from_string(head, mime=True) or None
    except (puremagic.PureError, ValueError):
        return None


def _may_know(head: bytes) -> bool:
    """False where the library would find nothing; it takes milliseconds to say so itself."""
    first, last = head[:max_head], head[-max_foot:]
    return _is_at(_FEET, last) or (_is_at(_BEGINNINGS, first) and _is_at(_HEADS, first))


def _is_at(places: list[tuple[slice, frozenset[bytes]]], data: bytes) -> bool:
    return any(data[place] in known for place, known in places)
