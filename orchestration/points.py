"""Named crash points between durable acts, so that a campaign can kill the process at each in turn.

Nothing happens unless ESTEIRA_POINTS_FILE is set. Then every point appends one line to that file, whichever
process it is in; the process that writes line number ESTEIRA_CRASH_AT kills itself there. The file
outlives the restart, so each number strikes once.
"""

import os
import signal

_FILE = os.environ.get("ESTEIRA_POINTS_FILE")
_CRASH_AT = int(os.environ.get("ESTEIRA_CRASH_AT", "0"))
_WIDTH = 64


def point(name: str) -> None:
    if _FILE is None:
        return
    fd = os.open(_FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{name[: _WIDTH - 1]:<{_WIDTH - 1}}\n".encode())
        ordinal = os.lseek(fd, 0, os.SEEK_CUR) // _WIDTH
    finally:
        os.close(fd)
    if ordinal == _CRASH_AT:
        os.kill(os.getpid(), signal.SIGKILL)
