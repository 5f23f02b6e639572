"""Named crash points between durable acts, so that a campaign can kill the process at each in turn.

Nothing happens unless ESTEIRA_POINTS_FILE is set. Then every point appends one line to that file, whichever
process it is in, and the process that writes the line whose number stands in the file `<that file>.at` kills
itself there. Lines outlive the restart, so each number strikes once.
"""

import os
import signal
from pathlib import Path
from typing import Final

_FILE: Final = os.environ.get("ESTEIRA_POINTS_FILE")
WIDTH: Final = 64
"""Bytes of a line: fixed, so that the file's length tells the line's number."""


def point(name: str) -> None:
    if _FILE is None:
        return
    fd = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{name[: WIDTH - 1]:<{WIDTH - 1}}\n".encode())
        ordinal = os.lseek(fd, 0, os.SEEK_CUR) // WIDTH
    finally:
        os.close(fd)
    if ordinal == _crash_at(_FILE):
        os.kill(os.getpid(), signal.SIGKILL)


def _crash_at(file: str) -> int:
    try:
        return int(Path(f"{file}.at").read_text())
    except FileNotFoundError:
        return 0
