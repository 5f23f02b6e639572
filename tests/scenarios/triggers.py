"""What a script waits for before its next turn, by the first word of it; README.md lists them for authors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.models import Job
from tests.scenarios.engines import Faulty

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.play import Play


def has_come(play: Play, when: str) -> bool:
    first, *words = when.split()
    known = _TRIGGERS.get(first)
    if known is not None:
        return known(play, *words)
    assert len(words) == 1, f"{when}: no trigger, and not a lane and a word of it"
    return words[0] in play.lanes().get(first, [])


def _at(play: Play, gate: str, item: str = "0") -> bool:
    return play.gates.is_reached(gate, item)


def _met(play: Play, call: str, times: str) -> bool:
    return play.world.door.met[call] >= int(times)


def _starts_left(_: Play, number: str) -> bool:
    return len(Faulty.fates) == int(number)


def _waiting(play: Play, reason: str) -> bool:
    return Job.objects.filter(pk=play.job.pk, waiting_reason=reason).exists()


def _ended(play: Play) -> bool:
    play.job.refresh_from_db()
    return play.job.is_finished


_TRIGGERS: Final[dict[str, Callable[..., bool]]] = {
    "at": _at,
    "met": _met,
    "starts-left": _starts_left,
    "waiting": _waiting,
    "ended": _ended,
}
