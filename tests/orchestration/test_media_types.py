"""What a file is, by its bytes and, where those cannot tell, by its name; never by what a client says."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import puremagic
import pytest
from puremagic.main import magic_footer_array, magic_header_array

from orchestration import media_types
from orchestration.media_types import HEAD_BYTES, detect
from tests.pipelines.corpus_files import family

if TYPE_CHECKING:
    from pathlib import Path

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
EXPECTED = {
    ".csv": {"text/csv"},
    ".tsv": {"text/tab-separated-values"},
    ".jsonl": {"application/jsonl"},
    ".ndjson": {"application/jsonl"},
    ".parquet": {"application/vnd.apache.parquet"},
    ".xlsx": {XLSX},
    ".jpg": {"image/jpeg"},
    ".jpeg": {"image/jpeg"},
    ".png": {"image/png"},
    ".gif": {"image/gif"},
    ".webp": {"image/webp"},
    ".tif": {"image/tiff"},
    ".tiff": {"image/tiff"},
    ".bmp": {"image/bmp"},
    ".pdf": {"application/pdf"},
}


@pytest.mark.parametrize(
    "path",
    [p for name in ("tabular", "images", "documents") for p in family(name) if p.suffix in EXPECTED],
    ids=lambda p: p.name,
)
def test_real_files_are_what_they_are(path: Path) -> None:
    assert detect(path.name, path.read_bytes()[:HEAD_BYTES]) in EXPECTED[path.suffix]


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("photo.png", b"<html><script>", "text/plain"),
        ("table.csv", b"\x89PNG\r\n\x1a\n" + b"0" * 50, "image/png"),
        ("report.pdf", b"PK\x03\x04 nothing of office", "application/zip"),
        ("table.xlsx", b"PK\x03\x04" + b"\0" * 30 + b"hello.txt", "application/zip"),
        ("noise.csv", bytes(range(256)) * 8, "application/octet-stream"),
        ("empty", b"", "text/plain"),
    ],
)
def test_name_does_not_make_the_type(name: str, head: bytes, expected: str) -> None:
    assert detect(name, head) == expected


def test_what_the_library_knows_is_never_kept_from_it() -> None:
    """It is asked only where one of its signatures can be there: that must be every time that it has an answer."""
    numbers = random.Random(7)
    for row in [*magic_header_array, *magic_footer_array]:
        before = b"\x00" * row.offset if row.offset >= 0 else b"\x00" * 99
        after = b"\x00" * (-row.offset - len(row.byte_match))
        assert media_types._may_know(before + row.byte_match + after), row
    for size in (1, 10, 100, 16_384):
        for _ in range(50):
            head = numbers.randbytes(size)
            assert media_types._may_know(head) or not library_knows(head)


def library_knows(head: bytes) -> bool:
    try:
        return bool(puremagic.from_string(head, mime=True))
    except puremagic.PureError:
        return False
