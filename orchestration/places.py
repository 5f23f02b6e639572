"""How many live connections one person has open in this process, her pages' and her programs' together.

Without a bound, one script that opens connections takes all that the process has from everybody else.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from orchestration.errors import TooManyLive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

MOST_OF_ONE: Final = 100

_taken: Counter[UUID] = Counter()


def take_place(user_id: UUID) -> None:
    """To be left again. Raises TooManyLive."""
    if _taken[user_id] >= MOST_OF_ONE:
        raise TooManyLive
    _taken[user_id] += 1


def leave_place(user_id: UUID) -> None:
    _taken[user_id] -= 1
    if not _taken[user_id]:
        del _taken[user_id]


@contextmanager
def place_of(user_id: UUID) -> Iterator[None]:
    take_place(user_id)
    try:
        yield
    finally:
        leave_place(user_id)
