"""Whether files are those that a manifest names: in a folder, in a ZIP, or where the platform keeps them."""

import hashlib
import lzma
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Protocol

from api_app.client.errors import LocalFileError
from api_app.client.progress import CHUNK
from api_app.client.signatures import NotCheckableError

MANIFEST = "esteira-manifest.json"
MOST_MANIFEST_BYTES = 256 << 20
"""Of a foreign archive nothing is read without an end."""
_SPOILT = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
_UNREADABLE = "it cannot be unpacked from this archive"


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    sha256: str
    size: int
    file: str = ""
    """Its id on the platform; "" for what is made for the archive."""


@dataclass
class Verdict:
    """By name, and what is wrong with it in words."""

    good: list[str] = field(default_factory=list)
    changed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unsigned: list[str] = field(default_factory=list)
    """They are there, and no manifest speaks of them."""


class Source(Protocol):
    def names(self) -> set[str]: ...

    def open(self, name: str) -> BinaryIO: ...


class Folder:
    def __init__(self, top: Path) -> None:
        self._top = top

    def names(self) -> set[str]:
        # Links are left out: what they lead to is not what was fetched.
        paths = (path for path in self._top.rglob("*") if path.is_file() and not path.is_symlink())
        return {path.relative_to(self._top).as_posix() for path in paths}

    def open(self, name: str) -> BinaryIO:
        return (self._top / name).open("rb")


class Archive:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> set[str]:
        found = [info.filename for info in self._archive.infolist() if not info.is_dir()]
        name, times = next(iter(Counter(found).most_common(1)), ("", 0))
        if times > 1:
            # Tools differ in which of the two they unpack.
            raise NotCheckableError(f"The archive has {name} twice. It is none that Esteira made.")
        return set(found)

    def open(self, name: str) -> BinaryIO:
        try:
            return self._archive.open(name)  # type: ignore[return-value]  # of bytes, as any
        except RuntimeError as fault:  # encrypted, or packed in a way that is not known here
            raise zipfile.BadZipFile(str(fault)) from fault


@contextmanager
def source_of(path: Path) -> Iterator[Source]:
    """Raises LocalFileError or NotCheckableError."""
    try:
        if path.is_dir():
            yield Folder(path)
            return
        with zipfile.ZipFile(path) as archive:
            yield Archive(archive)
    except _SPOILT as fault:
        raise NotCheckableError(f"{path} is no ZIP, or not all of it is there ({fault}).") from fault
    except OSError as fault:
        raise LocalFileError(f"Cannot read {path} ({fault.strerror or fault}).") from fault


def manifest_in(source: Source) -> bytes | None:
    if MANIFEST not in source.names():
        return None
    with source.open(MANIFEST) as content:
        found = content.read(MOST_MANIFEST_BYTES + 1)
    if len(found) > MOST_MANIFEST_BYTES:
        raise NotCheckableError("The manifest is too large to be one of Esteira's.")
    return found


def subjects_of(statement: Mapping[str, object]) -> list[Subject]:
    try:
        return [_subject(one) for one in statement["subject"]]  # type: ignore[attr-defined]
    except (KeyError, TypeError, ValueError) as fault:
        raise NotCheckableError("The manifest names no files in a way that is known here.") from fault


def _subject(one: Mapping[str, Mapping[str, str]]) -> Subject:
    name, about = str(one["name"]), one.get("annotations", {})
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise ValueError(name)
    return Subject(name, str(one["digest"]["sha256"]), int(about["size"]), str(about.get("file", "")))


def check(subjects: Sequence[Subject], source: Source) -> Verdict:
    verdict, there = Verdict(), source.names() - {MANIFEST}
    for subject in subjects:
        if subject.name in there:
            there.discard(subject.name)
            judge(verdict, subject, lambda name=subject.name: source.open(name))  # type: ignore[misc]
        elif renamed := _renamed(subject, source, there - {one.name for one in subjects}):
            there.discard(renamed)
            verdict.good.append(subject.name)
        elif subject.file:  # what describes the results may be left behind
            verdict.missing.append(subject.name)
    verdict.unsigned = sorted(there)
    return verdict


def _renamed(subject: Subject, source: Source, others: set[str]) -> str | None:
    """The same bytes under another name: a folder may not have taken the one in the manifest."""
    last = PurePosixPath(subject.name).suffix.casefold()
    for name in sorted(others):
        if PurePosixPath(name).suffix.casefold() == last and _digest(subject, lambda n=name: source.open(n)) == (  # type: ignore[misc]
            subject.size,
            subject.sha256,
        ):
            return name
    return None


def judge(verdict: Verdict, subject: Subject, opens: Callable[[], BinaryIO]) -> None:
    size, sha256 = _digest(subject, opens)
    if (size, sha256) == (subject.size, subject.sha256):
        verdict.good.append(subject.name)
    elif sha256 == _UNREADABLE:
        verdict.changed[subject.name] = _UNREADABLE
    elif size != subject.size:
        there = f"more than {subject.size:,}" if size > subject.size else f"{size:,}"
        verdict.changed[subject.name] = f"it has {there} bytes, the manifest says {subject.size:,}"
    else:
        verdict.changed[subject.name] = f"its SHA-256 is {sha256}, the manifest says {subject.sha256}"


def _digest(subject: Subject, opens: Callable[[], BinaryIO]) -> tuple[int, str]:
    """Reads at most a block more than it should have: a small archive may unpack to any length."""
    digest, size = hashlib.sha256(), 0
    try:
        with opens() as content:
            while size <= subject.size and (chunk := content.read(CHUNK)):
                digest.update(chunk)
                size += len(chunk)
    except _SPOILT:
        return size, _UNREADABLE
    return size, digest.hexdigest()
