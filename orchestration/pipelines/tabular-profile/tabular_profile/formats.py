"""Which kind of table a file is, from its first bytes and then its name; and what it is when it is none."""

import os
from pathlib import Path

from esteira_kit.step import Refusal

_HEAD = 4096
_SENTENCES = (
    (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        "a workbook that is protected by a password or has the old .xls form; save it as .xlsx without a password",
    ),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"BZh", "compressed with bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed with xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it first"),
    (b"%PDF-", "a PDF document, not a table"),
    (b"\x89PNG", "a PNG image, not a table"),
    (b"\xff\xd8\xff", "a JPEG image, not a table"),
    (b"GIF8", "a GIF image, not a table"),
    (b"SQLite format 3\0", "a SQLite database, not a single table"),
    (b"ARROW1", "an Arrow file; save it as Parquet"),
    (b"PARE", "an encrypted Parquet file"),
)
_JSON_NAMES = (".jsonl", ".ndjson", ".json", ".jsonlines")


def form_of(path: Path, name: str) -> str:
    """One of parquet, xlsx, json, csv."""
    with path.open("rb") as source:
        head = source.read(_HEAD)
        source.seek(-min(4, path.stat().st_size), os.SEEK_END)
        tail = source.read()
    if not head:
        raise Refusal("This file is empty.")
    if head.startswith(b"PAR1"):
        if tail == b"PARE":
            raise Refusal("This is an encrypted Parquet file; it cannot be read without its key.")
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "xlsx"
    for mark, sentence in _SENTENCES:
        if head.startswith(mark):
            raise Refusal(f"This file is {sentence}.")
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if name.lower().endswith(_JSON_NAMES) or (start.startswith(b"{") and start[1:].lstrip()[:1] in {b'"', b"}"}):
        return "json"
    if start[:200].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise Refusal("This file is a web page or XML document, not a table.")
    return "csv"
