"""What `postmaster.pid` says, and whether it is still true."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PID_FILE = "postmaster.pid"


@dataclass(frozen=True)
class Postmaster:
    pid: int
    port: int
    socket_folder: str
    is_ready: bool


def find_postmaster(data: Path) -> Postmaster | None:
    """The server of this data folder, if it is alive.

    A number in a file proves nothing: after a crash it may name nobody or an innocent process. The
    process has to be a `postgres` with this folder on its command line.
    """
    noted = _read(data / PID_FILE)
    return noted if noted and is_postmaster(noted.pid, data) else None


def is_postmaster(pid: int, data: Path) -> bool:
    words = _command_line(pid)
    return bool(words) and Path(words[0]).name == "postgres" and str(data) in words


def _read(pid_file: Path) -> Postmaster | None:
    # Lines: pid, data folder, start time, port, socket folder, address, shared memory key, state.
    # A server that has just started has written only the first few.
    try:
        lines = pid_file.read_text(errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines += [""] * (8 - len(lines))
    try:
        pid, port = int(lines[0]), int(lines[3] or 0)
    except ValueError:
        return None
    return Postmaster(pid, port, socket_folder=lines[4], is_ready=lines[7].strip() == "ready")


def is_gone(pid: int) -> bool:
    """Whether a process has ended, reaped or not.

    An empty command line does not tell: it is empty for a moment while a program takes another's place.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return True
        return stat.rpartition(")")[2].split()[0] in "ZX"
    return not _command_line(pid)


def _command_line(pid: int) -> list[str]:
    """The words that a process was started with; nothing for one that is gone or a zombie."""
    if sys.platform == "linux":
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return []
        return [word.decode(errors="surrogateescape") for word in raw.split(b"\0")[:-1]]
    listing = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    program, _, rest = listing.stdout.strip().partition(" -D ")
    return [program, *rest.split(" -c ")] if rest else []
