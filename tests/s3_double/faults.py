"""What a test makes go wrong: by count, or by a share with a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Final

from tests.s3_double.errors import Refused

HELD_S: Final = 60


@dataclass
class Hold:
    """A call that waits: `arrived` is set when it is there, `release()` lets it go on."""

    operation: str
    arrived: Event = field(default_factory=Event)
    released: Event = field(default_factory=Event)

    def release(self) -> None:
        self.released.set()


@dataclass
class Faults:
    _lock: Lock = field(default_factory=Lock)
    _planned: Counter[tuple[str, str]] = field(default_factory=Counter)
    _after: dict[str, int] = field(default_factory=dict)
    _share: float = 0.0
    _random: random.Random = field(default_factory=lambda: random.Random(0))
    _throttled_operations: frozenset[str] = frozenset()
    _holds: list[Hold] = field(default_factory=list)

    def clear(self) -> None:
        with self._lock:
            self._planned.clear()
            self._share = 0.0
            holds, self._holds = self._holds, []
        for hold in holds:
            hold.release()

    def throttle(self, *, calls: int = 0, share: float = 0.0, seed: int = 0, operations: tuple[str, ...] = ()) -> None:
        """503 SlowDown for the next `calls`, and for `share` of all calls; of `operations`, or of any."""
        with self._lock:
            self._planned["throttle", ""] += calls
            self._share, self._random = share, random.Random(seed)
            self._throttled_operations = frozenset(operations)

    def refuse(self, operation: str, code: str, *, times: int = 1) -> None:
        """Any refusal of S3, nothing done: `refuse("PutObject", "InternalError")`."""
        with self._lock:
            self._planned[f"refuse:{code}", operation] += times

    def lose_reply(self, operation: str, *, times: int = 1) -> None:
        """What was asked is done, and the connection ends without a word."""
        with self._lock:
            self._planned["lose", operation] += times

    def fail_inside_200(self, operation: str = "CompleteMultipartUpload", *, times: int = 1) -> None:
        """Nothing is done, and the answer is 200 with an error in its body."""
        with self._lock:
            self._planned["inside_200", operation] += times

    def cut_body(self, operation: str, *, after: int, times: int = 1) -> None:
        """The connection ends when `after` bytes of the body have come."""
        with self._lock:
            self._planned["cut", operation] += times
            self._after[operation] = after

    def hold(self, operation: str) -> Hold:
        """The next such call waits, before anything is done, until it is released: a slow complete."""
        hold = Hold(operation)
        with self._lock:
            self._holds.append(hold)
        return hold

    def before(self, operation: str) -> None:
        """Raises what was planned for this call; waits where a test holds it."""
        if self._is_throttled(operation):
            raise Refused("SlowDown", "Please reduce your request rate.")
        for kind, planned in list(self._planned):
            if kind.startswith("refuse:") and planned == operation and self.takes(kind, operation):
                raise Refused(kind.removeprefix("refuse:"), "planned by the test")
        with self._lock:
            hold = next((hold for hold in self._holds if hold.operation == operation), None)
            if hold:
                self._holds.remove(hold)
        if hold:
            hold.arrived.set()
            hold.released.wait(HELD_S)

    def _is_throttled(self, operation: str) -> bool:
        with self._lock:
            if self._throttled_operations and operation not in self._throttled_operations:
                return False
            if self._planned["throttle", ""] > 0:
                self._planned["throttle", ""] -= 1
                return True
            return self._share > 0 and self._random.random() < self._share

    def takes(self, kind: str, operation: str) -> bool:
        """True once for each time that it was planned."""
        with self._lock:
            if self._planned[kind, operation] <= 0:
                return False
            self._planned[kind, operation] -= 1
            return True

    def cut(self, operation: str) -> int | None:
        return self._after[operation] if self.takes("cut", operation) else None
