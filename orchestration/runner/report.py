"""Sends heartbeats and log from a thread of its own, so that a slow platform never holds up the step.

The thread starts only when there is something to send or a heartbeat is due: a no-op step ends before that.
"""

from __future__ import annotations

import time

from .protocol import Again, Backoff, Fenced, LogOffset, Refused, Silent

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

    from .log import Log
    from .protocol import Platform
    from .standing import Standing

TICK_S = 0.2
LOG_EVERY_S = 0.5
# A step that takes less has its log sent with the end; the thread costs 4 ms of import.
FIRST_NEWS_S = 0.25
LAST_WORDS_S = 2.0


def send_log(platform: Platform, log: Log) -> None:
    """Sends one chunk. Raises Again when the log did not get ahead."""
    try:
        end = platform.once(f"log?offset={log.sent}", log.chunk()).get("end")
    except LogOffset as elsewhere:
        end = elsewhere.end
    if not isinstance(end, int) or not log.accepted(end):
        raise Again("log: the platform's copy does not grow")


class Phase:
    """Notes when it began and ended, where somebody keeps a trace; `told` None: nobody does."""

    def __init__(self, name: str, told: list[dict[str, Any]] | None) -> None:
        self._name = name
        self._told = told
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.time()

    def __exit__(self, *_: object) -> None:
        if self._told is not None:
            self._told.append({"name": self._name, "began": self._began, "ended": time.time()})


class Reporter:
    def __init__(self, platform: Platform, log: Log, standing: Standing, heartbeat_s: float) -> None:
        self._first = platform
        self._platform: Platform | None = None
        self._log = log
        self._standing = standing
        self._heartbeat_s = heartbeat_s
        self._thread: threading.Thread | None = None
        self._stop: threading.Event | None = None
        self._last_beat = standing.started
        self._told = 0
        self._next_beat = self._next_log = 0.0
        self._beat_backoff = Backoff(platform.patience_s)
        self._log_backoff = Backoff(platform.patience_s)

    def start_when_due(self) -> None:
        if self._thread is not None:
            return
        standing = self._standing
        age = time.monotonic() - standing.started
        news = standing.news > self._told or self._log.size > self._log.sent
        if age >= self._heartbeat_s or (news and age >= FIRST_NEWS_S):
            self._start()

    def _start(self) -> None:
        import threading  # noqa: PLC0415

        self._platform = self._platform or self._first.another()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reporter", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the call under way; after that the connection and the log belong to the caller."""
        thread, self._thread = self._thread, None
        if thread is None or self._stop is None or self._platform is None:
            return
        self._stop.set()
        thread.join(LAST_WORDS_S)
        if thread.is_alive():
            self._platform.abort()
            thread.join(LAST_WORDS_S)
        self._platform.close()

    def _run(self) -> None:
        stop, platform = self._stop, self._platform
        if stop is None or platform is None:
            return
        try:
            while not stop.is_set():
                self._beat(platform)
                busy = self._send(platform)
                if not busy:
                    stop.wait(TICK_S)
        except (Fenced, Refused, Silent) as verdict:
            self._standing.over = verdict
        except Exception as fault:
            self._standing.over = fault
            raise
        finally:
            self._standing.bell.ring()

    def _beat(self, platform: Platform) -> None:
        standing, now = self._standing, time.monotonic()
        news = standing.news
        due = now - self._last_beat >= self._heartbeat_s or news > self._told
        if not due or now < self._next_beat:
            return
        body = {
            "progress": standing.progress,
            "message": standing.message,
            "memory_bytes": standing.memory_bytes,
        }
        try:
            answer = platform.once("heartbeat", body)
        except Again as reason:
            self._next_beat = time.monotonic() + self._beat_backoff.again(reason)
            return
        self._beat_backoff.worked()
        self._told, self._last_beat = news, now
        self._next_beat = now + TICK_S
        if answer.get("cancel") is True and not standing.canceled:
            standing.cancel = standing.canceled = True
            standing.bell.ring()

    def _send(self, platform: Platform) -> bool:
        """True when there is more to send at once."""
        log, now = self._log, time.monotonic()
        if log.sent >= log.size or now < self._next_log:
            return False
        try:
            send_log(platform, log)
        except Again as reason:
            self._next_log = time.monotonic() + self._log_backoff.again(reason)
            return False
        self._log_backoff.worked()
        if log.sent < log.size:
            return True
        self._next_log = now + LOG_EVERY_S
        return False
