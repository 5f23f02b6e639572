"""What reading an archive may cost. Every bound counts actual bytes, never what a header claims."""

import time

from esteira_kit.wording import number, size

MOST_NESTING = 4
_MOST_SECONDS = 600
# Small files compress by any factor: a ratio says something only once there is something to weigh.
_RATIO_FROM = 16 * 1024 * 1024


class BoundReached(Exception):
    """Reading stops here; the message says which bound, for the report."""


class Budget:
    def __init__(self, *, packed: int, entries: int, expanded: int, ratio: int) -> None:
        self._packed = max(packed, 1)
        self._most_entries = entries
        self._most_expanded = expanded
        self._most_ratio = ratio
        self._deadline = time.monotonic() + _MOST_SECONDS
        self.entries = 0
        self.expanded = 0

    def entry(self) -> None:
        self.entries += 1
        if self.entries > self._most_entries:
            raise BoundReached(f"It holds more than {number(self._most_entries)} entries; the rest was not read.")
        self._check_time()

    def expand(self, count: int) -> None:
        self.expanded += count
        if self.expanded > self._most_expanded:
            raise BoundReached(f"It expands to more than {size(self._most_expanded)}; the rest was not read.")
        if self.expanded > _RATIO_FROM and self.expanded > self._most_ratio * self._packed:
            raise BoundReached(
                f"It expands to more than {number(self._most_ratio)} times its size, as a decompression bomb does; "
                "the rest was not read."
            )
        self._check_time()

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise BoundReached(f"Reading it took more than {_MOST_SECONDS // 60} minutes; the rest was not read.")
