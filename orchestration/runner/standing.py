"""How things stand: what platform, step and signals have said, and the bell that wakes the main loop for it.

Each attribute has one writer and is read by others, so no lock is needed.
"""

from __future__ import annotations

import os
import select
import time

from .quick import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Canceled(Exception):
    """Somebody wants this attempt to end."""


class Standing:
    def __init__(self, signal_grace_s: float | None = None) -> None:
        self.cancel = False
        self.canceled = False  # the platform wants it, not only whoever sent us a signal
        self._signal_grace_s = signal_grace_s
        self.over: Exception | None = None  # Fenced, Refused, Silent: there is nobody left to work for
        self.progress: float | None = None
        self.message = ""
        self.news = 0  # number of progress lines so far
        self.memory_bytes = 0
        self.bell = Bell()
        self.started = time.monotonic()
        self.on_alive: Callable[[], None] | None = None

    def alive(self) -> None:
        """Called from every loop that may last: keeps heartbeats going, gives up when there is a reason."""
        self.check()
        if self.on_alive is not None:
            self.on_alive()

    def check(self) -> None:
        if self.over is not None:
            raise self.over
        if self.cancel:
            raise Canceled

    def grace_s(self, cancel_grace_s: float) -> float:
        """A machine that goes away may leave a step more time than a person who waits for its end."""
        return cancel_grace_s if self.canceled or self._signal_grace_s is None else self._signal_grace_s

    def pause(self, seconds: float) -> None:
        """Waits, unless the attempt is over first. A cancel does not end it: reporting goes on."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.over is not None:
                raise self.over
            self.bell.wait(left)

    def listen(self) -> None:
        """SIGTERM and SIGINT mean cancel; SIGCHLD only wakes the loop."""
        self.bell.listen()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_cancel)
        signal.signal(signal.SIGCHLD, _on_child)
        # Whoever started the runner may have had them blocked, and that is inherited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD])

    def _on_cancel(self, _number: int, _frame: object) -> None:
        self.cancel = True


def _on_child(_number: int, _frame: object) -> None:
    """Exists so that the signal is not ignored: only then does it reach the bell."""


class Bell:
    """A pipe that signals and other threads write to, so that one poll() waits for everything."""

    def __init__(self) -> None:
        self.fd, self._rope = os.pipe()
        os.set_blocking(self.fd, False)
        os.set_blocking(self._rope, False)

    def listen(self) -> None:
        signal.set_wakeup_fd(self._rope, warn_on_full_buffer=False)

    def ring(self) -> None:
        try:
            os.write(self._rope, b"!")
        except BlockingIOError:
            return  # it is ringing already

    def quiet(self) -> None:
        try:
            while os.read(self.fd, 512):
                pass
        except BlockingIOError:
            return

    def wait(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        if poll.poll(max(0, int(seconds * 1000) + 1)):
            self.quiet()
