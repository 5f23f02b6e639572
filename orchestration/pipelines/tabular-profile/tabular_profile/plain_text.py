"""Brings a text file to UTF-8, which is all that the CSV reader takes."""

import codecs
from pathlib import Path
from typing import NamedTuple

from esteira_kit import step
from esteira_kit.encoding import Text, TextSniffer
from esteira_kit.step import Refusal

_CHUNK = 1 << 20
HEAD_BYTES = 256 * 1024


class PlainText(NamedTuple):
    path: Path
    encoding: str
    head: str
    is_cut: bool


def as_utf8(path: Path, wanted: str, progress: step.Progress, *, keeps_mark: bool = True) -> PlainText:
    """`keeps_mark`: a reader that skips a byte order mark spares a copy of the file."""
    codec, label = _encoding(path, wanted, progress)
    if codec != "utf-8" and not (codec == "utf-8-sig" and keeps_mark):
        path = _transcoded(path, codec, label)
    with path.open("rb") as source:
        head = source.read(HEAD_BYTES)
    text = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(head)
    return PlainText(path, label, text.replace("\r\n", "\n").replace("\r", "\n"), path.stat().st_size > len(head))


def with_line_feeds(path: Path) -> Path:
    """A copy with one kind of line break, for files that mix them."""
    target = step.scratch() / "line-feeds.csv"
    with (
        path.open(encoding="utf-8-sig", newline=None) as source,
        target.open("w", encoding="utf-8", newline="") as sink,
    ):
        while chunk := source.read(_CHUNK):
            sink.write(chunk)
    return target


def _encoding(path: Path, wanted: str, progress: step.Progress) -> tuple[str, str]:
    if wanted != "auto":
        codec = {"utf-8": "utf-8-sig"}.get(wanted, wanted)
        return codec, codecs.lookup(wanted).name.upper()
    text = _sniffed(path, progress)
    if text is None:
        raise Refusal("This file holds binary data, not a table of text.")
    return text.codec, text.label


def _sniffed(path: Path, progress: step.Progress) -> Text | None:
    sniffer, done, total = TextSniffer(), 0, path.stat().st_size
    with path.open("rb", buffering=0) as source:
        while chunk := source.read(_CHUNK):
            sniffer.feed(chunk)
            done += len(chunk)
            progress(0.1 * done / total, "Looking at the text")
    return sniffer.result()


def _transcoded(path: Path, codec: str, label: str) -> Path:
    target = step.scratch() / "utf-8.csv"
    try:
        with path.open(encoding=codec, newline="") as source, target.open("w", encoding="utf-8", newline="") as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
    except UnicodeDecodeError as fault:
        raise Refusal(f"This file is not written in {label}: {fault.reason} at byte {fault.start:,}.") from fault
    return target
