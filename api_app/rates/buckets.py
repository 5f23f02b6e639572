"""Token buckets in this process's memory.

A bucket is one number, the moment at which it would have been empty; what is not remembered is full. So one that
nobody has drawn from for a window is forgotten without loss.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

WINDOW_S: Final = 60
MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Share:
    """Whose bucket, and how much a full one holds: as much as comes back in a window. `name` is the policy's."""

    name: str
    key: Hashable
    quota: int

    def seconds_of(self, units: float) -> float:
        return units * WINDOW_S / self.quota


class Buckets:
    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._empty_at: OrderedDict[tuple[str, Hashable], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._empty_at)

    def take(self, shares: Sequence[Share], cost: int, now: float) -> dict[Share, int]:
        """From all of them or none. Those that have too little, and in how many seconds they will have enough."""
        waits = {share: wait for share in shares if (wait := self._wait_s(share, cost, now)) > 0}
        if not waits:
            self.draw(shares, cost, now)
        return {share: max(1, ceil(wait)) for share, wait in waits.items()}

    def draw(self, shares: Sequence[Share], cost: int, now: float) -> None:
        """What has been done already: a bucket gives what it has."""
        for share in shares:
            after = self._since(share, now) + share.seconds_of(cost)
            self._empty_at[share.name, share.key] = min(now, after)
            self._empty_at.move_to_end((share.name, share.key))
        self._forget(now)

    def left(self, share: Share, now: float) -> int:
        return floor((now - self._since(share, now)) * share.quota / WINDOW_S + 1e-6)

    def clear(self) -> None:
        self._empty_at.clear()

    def _wait_s(self, share: Share, cost: int, now: float) -> float:
        # Dearer than a full bucket must not mean never. Without the slack, sums of floats would refuse the last unit.
        needed = share.seconds_of(min(cost, share.quota)) - 1e-6
        return self._since(share, now) + needed - now

    def _since(self, share: Share, now: float) -> float:
        full = now - WINDOW_S
        return max(full, self._empty_at.get((share.name, share.key), full))

    def _forget(self, now: float) -> None:
        """The longest untouched: two at a time, so that their number falls as soon as it may."""
        for _ in range(2):
            oldest = next(iter(self._empty_at), None)
            if oldest is None or (len(self._empty_at) <= self._most and self._empty_at[oldest] > now - WINDOW_S):
                return
            del self._empty_at[oldest]
