"""The files to run over: folders walked, and what the pipeline surely refuses found before it is uploaded."""

import fnmatch
import mimetypes
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from api_app.client.errors import LocalFileError, RequestError
from api_app.client.screen.words import count, size
from api_app.client.shapes import Pipeline


@dataclass(frozen=True, slots=True)
class Input:
    path: Path
    size: int
    # Named by the person; what a walk through a folder found is left out rather than refused.
    is_named: bool


def collect(paths: Iterable[Path]) -> list[Input]:
    """Every file once. Folders are walked; hidden files in them are not meant."""
    found: dict[Path, Input] = {}
    for path in paths:
        for one in _walk(path) if path.is_dir() else [_named(path)]:
            found.setdefault(one.path.resolve(), one)
    return list(found.values())


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


def _walk(folder: Path) -> Iterator[Input]:
    seen = 0
    for parent, folders, names in folder.walk(on_error=_cannot_list):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = parent / name
            if not name.startswith(".") and path.is_file():
                seen += 1
                yield Input(path, path.stat().st_size, is_named=False)
    if not seen:
        raise LocalFileError(f"The folder {folder} has no files (hidden ones do not count).", code="no_file")


def _cannot_list(fault: OSError) -> None:
    raise LocalFileError(f"Cannot list {fault.filename} ({fault.strerror}).") from fault


def accepted(inputs: Sequence[Input], pipeline: Pipeline) -> tuple[list[Input], list[Input]]:
    """(to upload, left out). Only what is surely wrong is refused here: the platform looks into the files."""
    types = pipeline["accepts"].get("types") or []
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
    largest, most = pipeline["accepts"].get("max_size"), pipeline["accepts"].get("max_files")
    if most is not None and len(inputs) > most:
        raise RequestError(f"{name} takes at most {count(most, 'file')} a job, and these are {len(inputs):,}.")
    least = pipeline["accepts"].get("min_files", 1)
    if len(inputs) < least:
        raise RequestError(f"{name} takes at least {count(least, 'file')} a job, and there is {len(inputs):,}.")
    for one in inputs:
        if largest is not None and one.size > largest:
            raise RequestError(f"{one.path} has {size(one.size)}, and {name} takes at most {size(largest)} a file.")
