"""Walks an archive and whatever archives it holds. Nothing is extracted; contents are counted and forgotten."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import IO

from esteira_kit.step import scratch

from file_inspect.bounds import MOST_NESTING, BoundReached, Budget
from file_inspect.kinds import is_old_tar
from file_inspect.streams import DAMAGED, expanded, why

KEPT_ENTRIES = 2000
MOST_WARNINGS = 50
_HEAD = 512
_MARKS = ((0, b"PK\x03\x04", "zip"), (0, b"PK\x05\x06", "zip"), (257, b"ustar", "tar"))
_PACKED = ((b"\x1f\x8b\x08", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))


@dataclass(slots=True)
class Entry:
    name: str
    kind: str = "file"
    declared: int | None = None
    actual: int | None = None
    note: str = ""


@dataclass(slots=True)
class Listing:
    form: str
    entries: list[Entry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    stopped: str = ""
    names: set[str] = field(default_factory=set)
    deepest: int = 0

    def add(self, entry: Entry) -> None:
        if len(self.entries) < KEPT_ENTRIES:
            self.entries.append(entry)

    def warn(self, sentence: str) -> None:
        if len(self.warnings) < MOST_WARNINGS and sentence not in self.warnings:
            self.warnings.append(sentence)


def form_of(head: bytes) -> str:
    """The archive form that the first bytes show; empty when it is none that can be listed."""
    for offset, mark, form in _MARKS:
        if head.startswith(mark, offset):
            return form
    if is_old_tar(head):
        return "tar"
    return next((form for mark, form in _PACKED if head.startswith(mark)), "")


class Walker:
    def __init__(self, form: str, budget: Budget, tell: Callable[[str], None]) -> None:
        self.budget = budget
        self.listing = Listing(form)
        self._tell = tell

    def walk(self, source: IO[bytes]) -> Listing:
        try:
            self._archive(source, self.listing.form, prefix="", depth=0)
        except BoundReached as bound:
            self.listing.stopped = str(bound)
        return self.listing

    def begin(self, entry: Entry, depth: int) -> None:
        """Note an entry and what its name or kind would do to somebody who unpacks it carelessly."""
        self.budget.entry()
        self.listing.add(entry)
        if depth == 0 and len(self.listing.names) < KEPT_ENTRIES:
            self.listing.names.add(entry.name)
        self._tell(f"Entry {self.budget.entries:,}")
        if reason := _unsafe(entry):
            entry.note = reason
            self.listing.warn(f"“{entry.name}” {reason}.")

    def content(self, entry: Entry, chunks: Iterator[bytes], depth: int) -> None:
        """Count what an entry really holds, and look inside when it is an archive itself."""
        chunks = _counted(entry, chunks)
        head = next(chunks, b"")
        form = form_of(head[:_HEAD])
        if form and depth >= MOST_NESTING:
            self.listing.warn(f"Archives are nested more than {MOST_NESTING} levels deep; deeper ones were not opened.")
        if not form or depth >= MOST_NESTING:
            for _ in chunks:
                pass
            return
        with tempfile.TemporaryFile(dir=scratch()) as nested:
            nested.write(head)
            for chunk in chunks:
                nested.write(chunk)
            nested.seek(0)
            self._archive(nested, form, prefix=f"{entry.name} → ", depth=depth + 1)

    def charged(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Bytes that decompression made, counted while they pass."""
        for chunk in chunks:
            self.budget.expand(len(chunk))
            yield chunk

    def _archive(self, source: IO[bytes], form: str, *, prefix: str, depth: int) -> None:
        self.listing.deepest = max(self.listing.deepest, depth)
        try:
            if form in {"zip", "tar"}:
                # The readers know the walker's types, so they are looked up when there is something to read.
                reader = import_module(f"file_inspect.{form}_listing")
                reader.read(self, source, prefix, depth)
            else:
                self._compressed(source, form, prefix, depth)
        except DAMAGED as fault:
            what = f"“{prefix.removesuffix(' → ')}” inside it" if prefix else "The archive"
            self.listing.warn(f"{what} is damaged: {why(fault)}.")

    def _compressed(self, source: IO[bytes], form: str, prefix: str, depth: int) -> None:
        chunks = self.charged(expanded(source, form))
        head = next(chunks, b"")
        while head and len(head) < _HEAD and (more := next(chunks, b"")):
            head += more
        chunks = _joined(head, chunks)
        if form_of(head) == "tar":
            if depth == 0:
                self.listing.form = f"tar.{form}"
            from file_inspect import tar_listing  # noqa: PLC0415 - see _archive

            tar_listing.read_chunks(self, chunks, prefix, depth)
            return
        entry = Entry(f"{prefix}(content)")
        self.begin(entry, depth)
        self.content(entry, chunks, depth)


def _counted(entry: Entry, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Counts while bytes pass, so that an entry that was left half read shows that half."""
    entry.actual = 0
    for chunk in chunks:
        entry.actual += len(chunk)
        yield chunk


def _joined(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
    yield from chunks


def _unsafe(entry: Entry) -> str:
    if entry.kind in {"symbolic link", "hard link", "device"}:
        return f"is a {entry.kind}"
    path = entry.name.rpartition(" → ")[2].replace("\\", "/")
    if path.startswith("/") or path[1:3] == ":/":
        return "has an absolute path"
    return "leads out of the folder it is unpacked in" if ".." in path.split("/") else ""
