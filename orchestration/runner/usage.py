"""How much disk a running step takes, counted a little at a time; and sizes in words."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 512
EVERY_S = 1.0
SLICE_S = 0.02
STEPS = 64
KIB = 1024


class Disk:
    """Walks the step's folders over and over, never for longer than a blink."""

    def __init__(self, outputs: str, others: tuple[str, ...], file_size_bytes: int) -> None:
        self.outputs_bytes = 0
        self.bytes = 0
        self.full_file = False  # a file has reached the largest size, so a write to it has failed
        self._outputs = outputs
        self._others = others
        self._file_size_bytes = file_size_bytes
        self._walk: Iterator[None] | None = None
        self._next = time.monotonic() + EVERY_S
        self._began = 0.0

    def advance(self) -> None:
        """Goes on with the count; the numbers change when it is through."""
        now = time.monotonic()
        if self._walk is None:
            if now < self._next:
                return
            self._began = now
            self._walk = self._count()
        while time.monotonic() < now + SLICE_S:
            if next(self._walk, self) is self:
                self._walk = None
                # A folder with a million files is counted less often, not all the time.
                self._next = now + max(EVERY_S, now - self._began)
                return

    def finish(self, seconds: float) -> None:
        """One whole count, within bounds."""
        end = time.monotonic() + seconds
        for _ in self._count():
            if time.monotonic() > end:
                return

    def _count(self) -> Iterator[None]:
        outputs = others = 0
        for size in self._sizes(self._outputs):
            outputs += size
            yield
        for folder in self._others:
            for size in self._sizes(folder):
                others += size
                yield
        self.outputs_bytes, self.bytes = outputs, outputs + others

    def _sizes(self, top: str) -> Iterator[int]:
        """What the files under `top` take on disk, summed over a few at a time."""
        todo = [top]
        size = seen = 0
        while todo:
            try:
                entries = os.scandir(todo.pop())
            except OSError:
                continue
            with entries:
                for entry in entries:
                    size += self._size(entry, todo)
                    seen += 1
                    if seen % STEPS == 0:
                        yield size
                        size = 0
        yield size

    def _size(self, entry: os.DirEntry[str], todo: list[str]) -> int:
        try:
            info = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
            elif info.st_size >= self._file_size_bytes:
                self.full_file = True
        except OSError:  # it was removed meanwhile
            return 0
        return info.st_blocks * BLOCK


def size_in_words(size: float) -> str:
    """Like 2.3 GiB."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < KIB:
            return f"{size:.1f}".removesuffix(".0") + f" {unit}" if unit != "bytes" else f"{size:.0f} bytes"
        size /= KIB
    return f"{size:.1f} TiB"
