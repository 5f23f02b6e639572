"""A pipeline's folder as one zip: the same files give the same bytes, on any machine and at any time."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.spec.check_steps import include_fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES = 32 * 1024 * 1024
MOST_FILES = 5_000
PIPELINE_FILE = "pipeline.yaml"

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say
_UNIX = 3
_LEFT_OUT = frozenset({"__pycache__", "tests"})
_COMPILED = (".pyc", ".pyo")


class BundleError(ValueError):
    """The folder cannot be packed."""


def digest(text: str) -> str:
    """SHA-256 of the YAML's bytes, in hexadecimal: the identity of a version."""
    return hashlib.sha256(text.encode()).hexdigest()


def build_bundle(folder: Path, include: Sequence[str] = (), *, root: Path | None = None) -> bytes:
    """The folder's files, and beside them what the included folders hold.

    Included folders must lie inside `root`, which is the folder itself unless given.
    """
    files: dict[str, Path] = {}
    for place in [folder, *(_included(folder, name, root or folder) for name in include)]:
        for name, path in _walk(place):
            if name in files:
                raise BundleError(f"{name} comes from two places: {files[name]} and {path}")
            files[name] = path
            if len(files) > MOST_FILES:
                raise BundleError(f"{folder} holds more than {MOST_FILES} files")
    if PIPELINE_FILE not in files:
        raise BundleError(f"{folder} holds no {PIPELINE_FILE}")
    for name, path in files.items():
        for above in map(str, Path(name).parents):
            if above in files:
                raise BundleError(f"{above} is the file {files[above]} and the folder of {path}")
    return _pack(files)


def _included(folder: Path, name: str, root: Path) -> Path:
    if fault := include_fault(name, folder=folder, root=root):
        raise BundleError(f"include: {fault}")
    return folder / name


def _walk(top: Path) -> Iterator[tuple[str, Path]]:
    """Name and place of each file. Links and devices are refused: their bytes are somebody else's."""
    waiting = [top]
    while waiting:
        with os.scandir(waiting.pop()) as listing:
            entries = list(listing)
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.name.endswith(_COMPILED):
                continue
            path = Path(entry.path)
            if entry.is_symlink():
                raise BundleError(f"{path} is a symbolic link; put the file itself there")
            if entry.is_dir():
                waiting.append(path)
            elif entry.is_file():
                yield _name(path, top), path
            else:
                raise BundleError(f"{path} is neither a file nor a folder")


def _name(path: Path, top: Path) -> str:
    name = path.relative_to(top).as_posix()
    if not name.isprintable():  # also what stands for bytes that are not UTF-8
        raise BundleError(f"{name!r} is not a name that every machine can write")
    return name


def _pack(files: dict[str, Path]) -> bytes:
    buffer, left = io.BytesIO(), MOST_BYTES
    # Stored, not deflated: zlib and its successors compress the same bytes differently.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            data, is_executable = _read(files[name], left)
            left -= len(data)
            if left < 0:
                raise BundleError(f"the files have more than {MOST_BYTES // 1024**2} MiB")
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | (0o755 if is_executable else 0o644)) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _read(path: Path, most: int) -> tuple[bytes, bool]:
    """One byte more than `most` is enough to see that it is too much."""
    # Since it was seen it may have become a link, not to be followed, or a pipe, not to be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BundleError(f"{path} is no longer a file")
        return file.read(most + 1), bool(mode & stat.S_IXUSR)
