"""A run of a job along its time: lanes of bars, placed in percent of the width. The template draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate, pairwise, zip_longest
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from frontend_app.words import duration_words, state_word
from orchestration.figures import whole
from orchestration.sentences import said
from orchestration.states import JOB_FINISHED, AttemptState, FailureKind, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from orchestration.models import Attempt, Event, Job

COLUMNS: Final = 120
"""Of the lane that stands for items beyond those that have one of their own."""
MOST_TICKS: Final = 6
LAST_TICK: Final = 95
"""In percent: the words of one further right would be cut."""
_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400)
_MINUTE: Final = 60
_HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Bar:
    """`kind` is a state, INTERRUPTED, or "wait" for the time before it began."""

    x: str
    width: str
    kind: str
    title: str
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    label: str
    sub: str = ""
    bars: list[Bar] = field(default_factory=list)
    area: str = ""
    """A path over 120 columns: how many of the other items ran at a time."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is drawn."""

    begin: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return max(0.001, (self.end - self.begin).total_seconds())

    def at(self, moment: datetime) -> float:
        share = 100 * (moment - self.begin).total_seconds() / self.seconds
        return min(100.0, max(0.0, share))

    def bar(self, begin: datetime, end: datetime, kind: str, title: str, attempt: Attempt | None = None) -> Bar:
        x = self.at(begin)
        return Bar(f"{x:.2f}", f"{self.at(end) - x:.2f}", kind, title, attempt)

    def ticks(self) -> list[tuple[str, str]]:
        """Place and words, at whole seconds, minutes, hours or days after the beginning."""
        step = next((s for s in _STEPS_S if self.seconds / s <= MOST_TICKS), 0.0)
        if not step:
            step = 86_400.0 * (1 + int(self.seconds / 86_400 / MOST_TICKS))
        count = int(self.seconds / step)
        places = ((100 * n * step / self.seconds, n * step) for n in range(1, count + 1))
        return [(f"{x:.2f}", f"+{_offset(seconds)}") for x, seconds in places if x <= LAST_TICK]


def _offset(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:g} s"
    if seconds < _HOUR:
        minutes, rest = divmod(round(seconds), _MINUTE)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    if seconds < 24 * _HOUR:
        hours, rest = divmod(round(seconds), _HOUR)
        return f"{hours} h {rest // _MINUTE} min" if rest else f"{hours} h"
    return f"{seconds / 86_400:g} d"


def span_of(job: Job, moves: Sequence[Event], run: int, now: datetime) -> Span:
    """Of one run: from its first move to its end, to the next run's beginning, or to now."""
    mine = moves_of(moves, run)
    begin = mine[0].at if mine else job.created_at
    ended = [move.at for move in mine if move.new in JOB_FINISHED]
    end = ended[-1] if ended else job.finished_at if job.finished_at and run == job.run else now
    return Span(begin, max(begin, end))


def moves_of(moves: Sequence[Event], run: int) -> list[Event]:
    """A retry's move back to WAITING begins its run; what is before the first is run 1."""
    current, mine = 1, []
    for move in moves:
        if move.new == JobState.WAITING and move.data.get("run"):
            current = int(move.data["run"])
        if current == run:
            mine.append(move)
    return mine


def job_lane(moves: Sequence[Event], span: Span) -> Lane:
    """The job's own states, one after the other."""
    bars = []
    for move, after in zip_longest(moves, moves[1:]):
        end = after.at if after else span.end
        if move.new in JOB_FINISHED:
            continue
        kind = "wait" if move.new in {JobState.WAITING, JobState.QUEUED} else move.new
        took = duration_words((end - move.at).total_seconds())
        bars.append(
            span.bar(move.at, end, kind, _("%(state)s for %(time)s") % {"state": state_word(move.new), "time": took})
        )
    return Lane(_("Job"), bars=bars)


def item_lanes(
    attempts: Iterable[Attempt], span: Span, names: Mapping[tuple[str, int], str], titles: Mapping[str, str]
) -> list[Lane]:
    """One lane for each item, its tries along it; in the order of the steps and of the items."""
    order = {step: place for place, step in enumerate(titles)}
    by_item: dict[tuple[int, int], Lane] = {}
    for attempt in sorted(attempts, key=lambda a: (order.get(a.step, 0), a.item_index, a.number)):
        source = names.get((attempt.step, attempt.item_index), "")
        place = (order.get(attempt.step, 0), attempt.item_index)
        lane = by_item.setdefault(place, Lane(source or titles.get(attempt.step, attempt.step), attempt.step))
        lane.bars.extend(_bars(attempt, span))
    return list(by_item.values())


def _bars(attempt: Attempt, span: Span) -> list[Bar]:
    began = attempt.started_at or attempt.finished_at or span.end
    waited = duration_words((began - attempt.created_at).total_seconds())
    title = _("try %(number)s waited %(time)s") % {"number": attempt.number, "time": waited}
    bars = [span.bar(attempt.created_at, began, "wait", title)]
    if attempt.started_at is None:
        return bars
    end = attempt.finished_at or span.end
    is_cut_off = attempt.failure_kind == FailureKind.INTERRUPTED
    kind = FailureKind.INTERRUPTED if is_cut_off else AttemptState(attempt.state)
    took = duration_words((end - attempt.started_at).total_seconds())
    title = f"{_('try %(number)s') % {'number': attempt.number}} · {state_word(kind)} · {took}"
    if attempt.detail:
        title += f" · {said(attempt.detail[:160])}"
    return [*bars, span.bar(attempt.started_at, end, kind, title, attempt)]


def crowd_lane(label: str, sub: str, starts: Mapping[int, int], ends: Mapping[int, int]) -> Lane:
    """How many ran in each column, from how many began and ended in each."""
    changes = [starts.get(n, 0) - ends.get(n - 1, 0) for n in range(COLUMNS)]
    running = list(accumulate(changes))
    most = max(1, *running)
    tops = [f"{1 - n / most:.3f}" for n in running]
    path = f"M0 1 V{tops[0]}" + "".join(f" H{at + 1} V{b}" for at, (_before, b) in enumerate(pairwise(tops)))
    what = _("%(what)s, at most %(number)s at a time") % {"what": sub, "number": whole(max(0, *running))}
    return Lane(label, what, area=f"{path} H{COLUMNS} V1 Z")
