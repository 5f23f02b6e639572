"""The files that are meant: folders walked, and what a pipeline surely refuses found before it is uploaded."""

from __future__ import annotations

import fnmatch
import glob
import itertools
import mimetypes
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from api_app.client.errors import LocalFileError, RequestError
from api_app.client.screen.words import count, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from api_app.client.contract.shapes import Pipeline


@dataclass(frozen=True, slots=True)
class Input:
    path: Path
    size: int
    # Named by the person; what a walk through a folder found is left out rather than refused.
    is_named: bool
    # Where it lies, from the folder that was named: photos/2026.
    folder: str = ""


@dataclass
class Found:
    """`left_out` with why, in the words of one line; `faults` are folders that cannot be read."""

    inputs: list[Input] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    faults: list[LocalFileError] = field(default_factory=list)
    hidden: int = 0


def collect(paths: Iterable[Path], *, hidden: bool = False) -> Found:
    """Every file once. Folders are walked; hidden files in them are meant only when asked for."""
    found = Found()
    first: dict[Path, Path] = {}
    for path in itertools.chain.from_iterable(map(_expanded, paths)):
        for one in _walk(path, found, hidden=hidden) if path.is_dir() else [_named(path)]:
            known = first.setdefault(one.path.resolve(), one.path)
            if known is one.path:
                found.inputs.append(one)
            elif one.path.is_symlink() or known.is_symlink():
                found.left_out.append((one.path, f"the same file as {known}"))
    return found


def require_some(found: Found, paths: Iterable[Path]) -> None:
    if not found.inputs and not found.faults:
        where = ", ".join(map(str, paths))
        hidden = f" ({count(found.hidden, 'hidden file')} not counted)" if found.hidden else ""
        raise LocalFileError(f"There are no files in {where}{hidden}.", code="no_file")


def _expanded(path: Path) -> Sequence[Path]:
    """A pattern that the shell left as it is: quoted, or on Windows."""
    pattern = str(path)
    if os.path.lexists(path) or not glob.has_magic(pattern):
        return [path]
    found = [Path(one) for one in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 - Path's takes no absolute ones
    # `**` goes through the folders itself.
    found = [one for one in found if one.is_file()] if "**" in pattern else found
    if not found:
        raise LocalFileError(f"No file matches {pattern}.{_nearby(path)}", code="no_file")
    return found


def _named(path: Path) -> Input:
    try:
        status = path.stat()
    except FileNotFoundError as fault:
        raise LocalFileError(f"There is no file {path}.{_nearby(path)}", code="no_file") from fault
    except OSError as fault:
        raise LocalFileError(f"Cannot read {path} ({fault.strerror}).") from fault
    if not stat.S_ISREG(status.st_mode):
        raise LocalFileError(f"{path} is neither a file nor a folder. Save its content to a file first.")
    if not os.access(path, os.R_OK):
        raise LocalFileError(f"You may not read {path}. Change its permissions, then try again.")
    return Input(path, status.st_size, is_named=True)


def _nearby(path: Path) -> str:
    return "" if path.is_absolute() else f" The folder you are in is {Path.cwd()}."


def _walk(root: Path, found: Found, *, hidden: bool) -> Iterator[Input]:
    def cannot_list(fault: OSError) -> None:
        found.faults.append(LocalFileError(f"Cannot list {fault.filename} ({fault.strerror})."))

    real = root.resolve()
    top = root.name if root.name != ".." else ""
    for parent, folders, names in root.walk(on_error=cannot_list):
        shown = [name for name in folders if hidden or not name.startswith(".")]
        seen = [name for name in names if hidden or not name.startswith(".")]
        found.hidden += len(folders) - len(shown) + len(names) - len(seen)
        folders[:] = sorted(shown)
        below = "/".join([top, *parent.relative_to(root).parts]).strip("/")
        for path in (parent / name for name in sorted(seen)):
            if why := _not_meant(path, real):
                found.left_out.append((path, why))
            else:
                yield Input(path, path.stat().st_size, is_named=False, folder=below)


def _not_meant(path: Path, root: Path) -> str:
    """Why a file that a walk came across is not sent; "" if it is."""
    if path.is_symlink():
        if not path.exists():
            return "a link to something that is not there"
        if not path.resolve().is_relative_to(root):
            return "a link that leads out of the folder"
        if path.is_dir():
            return "a link to a folder beside it"
    return "" if path.is_file() else "neither a file nor a folder"


def accepted(inputs: Sequence[Input], pipeline: Pipeline) -> tuple[list[Input], list[Input]]:
    """(to upload, left out). Only what is surely wrong is refused here: the platform looks into the files."""
    types = pipeline["accepts"]["types"]
    left_out = [one for one in inputs if not _may_be(one.path, types)]
    for one in left_out:
        if one.is_named:
            raise RequestError(_wrong_type(one.path, pipeline["name"], types), code="type_not_accepted")
    kept = [one for one in inputs if one not in left_out]
    if not kept:
        raise RequestError(_wrong_type(left_out[0].path, pipeline["name"], types), code="type_not_accepted")
    _check_limits(kept, pipeline)
    return kept, left_out


def _may_be(path: Path, types: Sequence[str]) -> bool:
    guessed = mimetypes.guess_type(path.name)[0]
    if guessed is None or not types:
        return True
    # The ending is a guess: `data.txt` may well hold CSV, but `photo.png` is no table.
    family = guessed.partition("/")[0]
    return any(fnmatch.fnmatch(guessed, one) or one == "*/*" or one.partition("/")[0] == family for one in types)


def _wrong_type(path: Path, pipeline: str, types: Sequence[str]) -> str:
    guessed = mimetypes.guess_type(path.name)[0]
    return f"{path} looks like {guessed}, and {pipeline} takes {', '.join(types)}."


def _check_limits(inputs: Sequence[Input], pipeline: Pipeline) -> None:
    name = pipeline["name"]
    accepts = pipeline["accepts"]
    if len(inputs) > (most := accepts["max_files"]):
        raise RequestError(f"{name} takes at most {count(most, 'file')} a job, and these are {len(inputs):,}.")
    if len(inputs) < (least := accepts["min_files"]):
        raise RequestError(f"{name} takes at least {count(least, 'file')} a job, and there is {len(inputs):,}.")
    largest = accepts["max_size"]
    for one in inputs:
        if largest is not None and one.size > largest:
            raise RequestError(f"{one.path} has {size(one.size)}, and {name} takes at most {size(largest)} a file.")
