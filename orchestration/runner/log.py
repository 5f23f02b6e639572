"""The log. What the step writes goes to a file of ours first, so that it never waits for the platform."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .standing import Standing

CHUNK = 256 << 10
LONGEST_LINE = 4096
TAIL = 8192
ROOM_FOR_NOTE = 128
LONGEST_SENTENCE = 1000


class Log:
    """The spool. `sent` belongs to whoever sends, everything else to the main loop."""

    def __init__(self, path: str, limit: int) -> None:
        self.size = 0
        self.sent = 0
        self._limit = limit
        self._room = max(0, limit - ROOM_FOR_NOTE)
        self._path = path
        self._fd = -1
        self._first = b""
        self._full = False

    def note(self, sentence: str) -> None:
        """A line of the runner's own for the head of the log; without the step's words there is no log."""
        self._first += f"[esteira] {sentence}\n".encode()

    def write(self, data: bytes) -> None:
        if self._full:
            return
        if self._fd < 0 and not self._open():
            return
        if self._first:
            data, self._first = self._first + data, b""
        if self.size + len(data) > self._room:
            self._full = True
            data = data[: self._room - self.size]
            data += b"\n[esteira] The log ends here: it reached its limit of %d bytes.\n" % self._limit
        self._append(data)

    def _open(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o600)
        except OSError:
            self._full = True
        return not self._full

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                count = os.write(self._fd, view)
                view = view[count:]
                self.size += count
        except OSError:  # the disk is full: the step goes on without a log rather than not at all
            self._full = True

    def chunk(self) -> bytes:
        return os.pread(self._fd, CHUNK, self.sent) if self.sent < self.size else b""

    def accepted(self, end: int) -> bool:
        """The platform has everything before `end`. False when that is no step forward."""
        forward = end > self.sent
        self.sent = end
        return forward

    def last_line(self) -> str:
        """The last line with text that is no message to the runner."""
        if self._fd < 0:
            return ""
        tail = os.pread(self._fd, TAIL, max(0, self.size - TAIL)).decode("utf-8", "replace")
        for line in reversed(tail.splitlines()):
            text = plain(line)
            if text and not text.startswith(("::", "[esteira]")):
                return text
        return ""


class Lines:
    """Finds the lines that are for the runner, whatever pieces they arrive in."""

    def __init__(self, standing: Standing) -> None:
        self.error = ""
        self._standing = standing
        self._part = b""

    def feed(self, data: bytes) -> None:
        data = self._part + data
        end = data.rfind(b"\n") + 1
        # Only the head of a line matters, so a line without end takes no memory.
        self._part = data[end : end + LONGEST_LINE]
        start = 0 if data.startswith(b"::") else data.find(b"\n::", 0, end) + 1
        while data.startswith(b"::", start) and start < end:
            stop = data.find(b"\n", start)
            self._read(data[start : min(stop, start + LONGEST_LINE)])
            start = data.find(b"\n::", stop, end) + 1
            if not start:
                return

    def close(self) -> None:
        """The last line may lack its line break."""
        part, self._part = self._part, b""
        if part.startswith(b"::"):
            self._read(part)

    def _read(self, line: bytes) -> None:
        word, _, rest = line.decode("utf-8", "replace").partition(" ")
        if word == "::error":
            self.error = plain(rest)
        elif word == "::progress":
            self._progress(rest.strip())

    def _progress(self, rest: str) -> None:
        number, _, text = rest.partition(" ")
        try:
            value = float(number)
        except ValueError:
            return
        if 0 <= value <= 1:
            self._standing.progress = value
            self._standing.message = plain(text)
            self._standing.news += 1


def plain(text: str) -> str:
    """One line of printable text: the step's words are shown to people elsewhere."""
    kept = "".join(character if character.isprintable() else " " for character in text[:LONGEST_SENTENCE])
    return " ".join(kept.split())
