"""What the timeline of a job's page shows: one run, the items worth a lane of their own, the rest as a crowd."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.db.models import Case, When
from django.utils import timezone

from frontend_app.timeline import COLUMNS, Span, crowd_lane, item_lanes, job_lane, moves_of, span_of
from frontend_app.views.job_parts import FAILED, MOST_EVENTS, source_names
from frontend_app.words import items
from orchestration.models import Attempt, Event, Job
from orchestration.models.ready import Ready
from orchestration.services.crowds import crowds_of
from orchestration.states import ATTEMPT_LIVE, AttemptState, EventKind

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from frontend_app.timeline import Lane

MOST_LANES: Final = 16
MOST_BARS: Final = 200
MOST_MOVES: Final = 300
SHORTEST: Final = timedelta(milliseconds=1)


def timeline_of(parts: dict[str, Any], run: int | None) -> dict[str, Any]:
    """`run`: which of them, the last if it is none of them. What `parts` has found already is not asked for again."""
    job = parts["job"]
    shown = run if run and 1 <= run <= job.run else job.run
    events = parts["events"] if len(parts["events"]) < MOST_EVENTS else _MOVES(job_id=job.pk)
    moves = [move for move in reversed(events) if move.kind == EventKind.JOB and move.old != move.new]
    span = span_of(job, moves, shown, timezone.now())
    lanes = [job_lane(moves_of(moves, shown), span), *_work(parts, shown, span)]
    return {
        "lanes": lanes,
        "ticks": span.ticks(),
        "span_s": span.seconds,
        "timeline_run": shown,
        "runs": range(1, job.run + 1) if job.run > 1 else (),
        "is_growing": shown == job.run and not job.is_finished,
    }


def _moves(job_id: UUID) -> QuerySet[Event]:
    return Event.objects.filter(job_id=job_id, kind=EventKind.JOB).order_by("-id")[:MOST_MOVES]


_MOVES: Final = Ready(_moves, job_id=UUID)


def _work(parts: dict[str, Any], run: int, span: Span) -> list[Lane]:
    job, status = parts["job"], parts["status"]
    attempts, names = _all_lanes(parts, run), parts["names"]
    if attempts is None:
        attempts = _worth_a_lane(job, run, [step.name for step in status.steps if step.items_total == 1])
        names = source_names(job, {(a.step, a.item_index) for a in attempts})
    titles = {step.name: step.title for step in status.steps}
    lanes = item_lanes(attempts, span, names, titles)
    of_step = {step.name: sum(1 for lane in lanes if lane.sub == step.name) for step in status.steps}
    many = {step.name: step.items_total for step in status.steps if step.items_total > max(1, of_step[step.name])}
    end = max(span.end, span.begin + SHORTEST)
    crowds = crowds_of(job=job, run=run, steps=many, begin=span.begin, end=end, parts=COLUMNS)
    drawn: list[Lane] = []
    for step in status.steps:
        if crowd := crowds.get(step.name):
            drawn.append(crowd_lane(step.title, items(many[step.name]), crowd.starts, crowd.ends))
        drawn += [lane for lane in lanes if lane.sub == step.name]
    return drawn


def _all_lanes(parts: dict[str, Any], run: int) -> list[Attempt] | None:
    """All tries of this run; None where not each item can have a lane."""
    if parts["tries"] is None:
        return None
    tries: list[Attempt] = [attempt for attempt in parts["tries"] if attempt.run == run]
    return tries if len({attempt.item_id for attempt in tries}) <= MOST_LANES else None


def _worth_a_lane(job: Job, run: int, single: list[str]) -> list[Attempt]:
    """All tries of a few items: of steps that have but one, then what runs, then what went wrong or was tried again."""
    tries = Attempt.objects.filter(job=job, run=run)
    first = Case(
        When(step__in=single, then=0),
        When(state__in=ATTEMPT_LIVE, then=1),
        When(number__gt=1, then=2),
        When(state__in=FAILED, then=3),
        When(state=AttemptState.QUEUED, then=5),
        default=4,
    )
    items = tries.annotate(first=first).order_by("first", "id").values_list("item", flat=True)[:MOST_BARS]
    chosen = list(dict.fromkeys(items))[:MOST_LANES]
    return list(tries.filter(item__in=chosen).order_by("id")[:MOST_BARS])
