"""What a look at a storage says: one line for each thing that was tried, and how long it took."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.errors import StorageRejected, StorageUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

OK: Final = "ok"
WARNING: Final = "warning"
"""Works, but somebody should know."""
ERROR: Final = "error"
"""Files must not be kept there."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is what was found or, where it is not right, what is wrong and how to mend it."""

    name: str
    level: str
    said: str
    ms: float = 0.0


class Fault(Exception):
    """What is wrong and how to mend it."""

    def __init__(self, said: str, level: str = ERROR) -> None:
        super().__init__(said)
        self.level = level


type Check = tuple[str, Callable[[], str]]


def tried(checks: Iterable[Check]) -> Iterator[Finding]:
    """Each in turn; after the first that fails as an error, what stands on it is not tried."""
    for name, check in checks:
        began = time.perf_counter()
        level = OK
        try:
            said = check()
        except Fault as fault:
            level, said = fault.level, str(fault)
        except (StorageUnavailable, StorageRejected) as exc:
            level, said = ERROR, str(exc)
        yield Finding(name, level, said, round((time.perf_counter() - began) * 1_000, 1))
        if level == ERROR:
            return
