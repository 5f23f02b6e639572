"""One process at a time does a duty, whoever comes first; a row says who and until when.

No lock of a session, which a proxy before the database would pin to one connection. What a leader does that was
taken for dead must be harmless: the row keeps two from working side by side, and promises nothing.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid4

from django.db.models.functions import Now

from orchestration import going
from orchestration.models import Leadership

if TYPE_CHECKING:
    from collections.abc import Iterator

LASTS: Final = timedelta(seconds=5)
"""Without a word of the leader: so soon somebody else takes over from a dead one."""


class Leader:
    def __init__(self, duty: str, holder: UUID) -> None:
        self._mine = Leadership.objects.filter(duty=duty, holder=holder)

    def stay(self) -> bool:
        """To be repeated well within LASTS. False: somebody else has taken over, or is to, as this process ends."""
        return not going.is_told() and bool(self._mine.update(until=Now() + LASTS))

    def leave(self) -> bool:
        """False, and still leader, where somebody came meanwhile and was sent away: look once more for what he saw."""
        if self._mine.filter(is_wanted=False).update(holder=None, until=Now()):
            return True
        return not self._mine.update(is_wanted=False, until=Now() + LASTS)

    def drop(self) -> None:
        """Leave whatever is left to do; whoever comes next finds it."""
        self._mine.update(holder=None, until=Now(), is_wanted=False)


@contextmanager
def leading(duty: str) -> Iterator[Leader | None]:
    """None: somebody else leads, and will look once more before going. Who leads and does not leave is made to."""
    leader = _come(duty)
    try:
        yield leader
    finally:
        if leader:
            leader.drop()


def _come(duty: str) -> Leader | None:
    Leadership.objects.bulk_create([Leadership(duty=duty, until=Now())], ignore_conflicts=True)
    row, holder = Leadership.objects.filter(duty=duty), uuid4()
    # Between the two statements the leader may have left: then the place is free.
    while not row.filter(until__lte=Now()).update(holder=holder, until=Now() + LASTS, is_wanted=False):
        if row.filter(until__gt=Now()).update(is_wanted=True):
            return None
    return Leader(duty, holder)
