"""How a transfer tells how far it is."""

from collections.abc import Callable
from typing import Final

CHUNK: Final = 1024 * 1024

# phase ("reading", "sending", "receiving"), bytes done, bytes in all; a repeated try starts again at 0
type Progress = Callable[[str, int, int], None]


def no_progress(_phase: str, _done: int, _total: int) -> None:
    pass
