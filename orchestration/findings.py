"""What a look at something says: one line for each thing that was tried, how long it took, and how to mend it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from orchestration.errors import OrchestrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

OK: Final = "ok"
WARNING: Final = "warning"
"""Works, but somebody should know."""
ERROR: Final = "error"
"""It must not be used like this."""
SKIPPED: Final = "skipped"
"""Not tried, because it stands on something that failed, or is not set up."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is what was found or is wrong; `causes` are the likely ones, in order; `command` is what to run next."""

    name: str
    level: str
    said: str
    ms: float = 0.0
    causes: tuple[str, ...] = ()
    command: str = ""


class Fault(Exception):
    """What is wrong and how to mend it."""

    def __init__(self, said: str, level: str = ERROR, *, causes: tuple[str, ...] = (), command: str = "") -> None:
        super().__init__(said)
        self.level, self.causes, self.command = level, causes, command


class NotSetUp(Exception):
    """There is nothing to be tried."""


type Check = tuple[str, Callable[[], str]]


def tried(checks: Iterable[Check]) -> Iterator[Finding]:
    """Each in turn; after the first that fails as an error, what stands on it is not tried."""
    for name, check in checks:
        began = time.perf_counter()
        level, command = OK, ""
        causes: tuple[str, ...] = ()
        try:
            said = check()
        except Fault as fault:
            level, said, causes, command = fault.level, str(fault), fault.causes, fault.command
        except NotSetUp as absent:
            level, said = SKIPPED, str(absent)
        except OrchestrationError as exc:
            level, said = ERROR, str(exc)
        yield Finding(name, level, said, round((time.perf_counter() - began) * 1_000, 1), causes, command)
        if level == ERROR:
            return
