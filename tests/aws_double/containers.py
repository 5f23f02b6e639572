"""Processes in the place of containers: whatever ends one ends all of it."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Final

GRACE_S: Final = 30
STOPPED_S: Final = 60


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and SIGKILL after the 30 s that Batch grants."""
    process.terminate()
    try:
        return process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        kill(process.pid)
        return process.wait(STOPPED_S)


def kill(pid: int) -> None:
    """The process and all below it: nothing of a container outlives it, in whatever session it put itself."""
    below = [int(word) for tasks in _children(pid) for word in tasks.split()]
    with suppress(ProcessLookupError):
        os.kill(pid, 9)
    for child in below:
        kill(child)


def _children(pid: int) -> list[str]:
    try:
        return [task.joinpath("children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except (FileNotFoundError, ProcessLookupError):
        return []
