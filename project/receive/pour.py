"""One body on its way from the socket to where it is written, in a thread and through one buffer."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

BUFFER: Final = 1 << 20
TURN: Final = 16 << 20
"""Bytes after which a thread looks after somebody else."""
TURN_S: Final = 0.02
"""And the time after which it does. Who sends as fast as a file is written has brought his bytes by then."""
QUICK: Final = 256 << 10
"""A sender that has brought so much in one turn is worth waiting for."""
PATIENCE_MS: Final = 2
_own: Final = threading.local()


class Pour:
    """Reads exactly `left` bytes and not one of what follows. One thread uses it at a time."""

    def __init__(self, fd: int, left: int, write: Callable[[memoryview], None]) -> None:
        self.left, self._write = left, write
        self.ended = False
        # A descriptor of its own: the loop watches it apart from the transport's, and nobody closes it meanwhile.
        self._line = socket.socket(fileno=os.dup(fd))
        self._line.setblocking(False)
        self._more = select.poll()
        self._more.register(self._line, select.POLLIN)

    def fileno(self) -> int:
        return self._line.fileno()

    def turn(self) -> int:
        """Until nothing more comes at once: how many bytes came. `ended`: the sender has gone."""
        came, until = 0, time.monotonic() + TURN_S
        while self.left and came < TURN and time.monotonic() < until:
            piece = self._read()
            if piece is None:
                if came < QUICK or not self._more.poll(PATIENCE_MS):
                    break
                continue
            if not piece:
                self.ended = True
                break
            came += len(piece)
            # Counted before it is written: what was taken off the socket never comes again.
            self.left -= len(piece)
            self._write(piece)
        return came

    def _read(self) -> memoryview | None:
        buffer = _buffer()
        try:
            size = self._line.recv_into(buffer, min(self.left, BUFFER))
        except BlockingIOError:
            return None
        except (ConnectionError, TimeoutError):  # the second: a line that has been dead for long
            size = 0
        return buffer[:size]

    def close(self) -> None:
        self._line.close()


def _buffer() -> memoryview:
    if not hasattr(_own, "buffer"):
        _own.buffer = memoryview(bytearray(BUFFER))
    buffer: memoryview = _own.buffer
    return buffer
