"""What is in a table, an archive or a document, as a program behind walls sees it."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore
from typing import IO, TYPE_CHECKING, Any, Final

from django.conf import settings

from orchestration import peek
from orchestration.runner import sandbox
from orchestration.services.files import open_content
from orchestration.storage.registry import get_direct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from orchestration.models import File

LOOKS: Final = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/pdf": "pdf",
    "application/zip": "zip",
    "application/x-tar": "tar",
    "application/gzip": "tar",
    "application/x-bzip2": "tar",
    "application/x-xz": "tar",
}
FETCHED_AT_MOST: Final = 32 << 20
"""Of what lies in object storage and has to be here whole."""
PATIENCE_S: Final = 10
AT_ONCE: Final = 2
_turns: Final = BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Peek:
    """`columns` and `rows` of a table, the `entries` of an archive, the `pages` of a document: or the `fault`.

    `pages` are JPEG in base64. `total` is None where more than what is shown was not counted.
    """

    fault: str = ""
    columns: tuple[dict[str, str], ...] = ()
    rows: tuple[list[str | None], ...] = ()
    entries: tuple[dict[str, Any], ...] = ()
    pages: tuple[str, ...] = ()
    total: int | None = None
    columns_total: int = 0


def look_of(file: File) -> str:
    """How the inside of such a file is seen; "" where it is not."""
    look = LOOKS.get(file.media_type.partition(";")[0].strip().lower(), "")
    is_far = look != "csv" and file.size > FETCHED_AT_MOST and get_direct(file.storage) is not None
    return "" if is_far else look


def look_into(file: File) -> Peek:
    """Takes seconds at most; when two looks are taken already, waits for its turn that long, and says `busy` then."""
    if not _turns.acquire(timeout=PATIENCE_S):
        return Peek(fault="busy")
    try:
        with _at_hand(file) as source:
            return _peek(look_of(file), source)
    finally:
        _turns.release()


def _peek(look: str, source: IO[bytes]) -> Peek:
    with tempfile.TemporaryFile() as out:
        try:
            subprocess.run(
                [*_program(), look],
                stdin=source,
                stdout=out,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                cwd="/",
                timeout=PATIENCE_S,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return Peek(fault="unreadable")
        out.seek(0)
        found = json.load(out)
    return Peek(
        fault=found.get("fault", ""),
        columns=tuple(found.get("columns", ())),
        rows=tuple(found.get("rows", ())),
        entries=tuple(found.get("entries", ())),
        pages=tuple(found.get("pages", ())),
        total=found.get("total"),
        columns_total=found.get("columns_total", 0),
    )


@contextlib.contextmanager
def _at_hand(file: File) -> Iterator[IO[bytes]]:
    """A file on this machine that the program may read: the stored one itself, or as much as is needed of it."""
    with open_content(file) as content:
        if get_direct(file.storage) is None:
            yield content
            return
        with tempfile.TemporaryFile() as copy:
            most = peek.HEAD if look_of(file) == "csv" else FETCHED_AT_MOST
            _copy(content, copy, most)
            copy.seek(0)
            yield copy


def _copy(source: BinaryIO, target: IO[bytes], most: int) -> None:
    while most > 0 and (piece := source.read(min(most, 1 << 20))):
        target.write(piece)
        most -= len(piece)


@cache
def _program() -> tuple[str, ...]:
    script = str(Path(peek.__file__).resolve())
    bwrap = sandbox.find() if settings.STEP_ISOLATION != "none" else None
    if bwrap and sandbox.works(bwrap, None):
        return tuple(sandbox.looking(bwrap, sys.executable, script))
    return (sys.executable, "-I", script)
