"""A relay in front of the web process that keeps every byte each way: what is not in here, it did not see."""

from __future__ import annotations

from typing import override

from tests.live.links import Link


class Relay(Link):
    def __init__(self, target: int | str) -> None:
        super().__init__(target)
        self.seen_in, self.seen_out = bytearray(), bytearray()

    @override
    def passing(self, block: bytes, *, inwards: bool) -> None:
        with self._lock:
            (self.seen_in if inwards else self.seen_out).extend(block)
