"""The platform at a glance, for administrators. No table of jobs is counted through."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import Now, TruncDay

from orchestration.models import Attempt, Job, JobTally, Pipeline, Reading, Repair, TokenBucket
from orchestration.models.bulk import database_now
from orchestration.models.tally import ATTEMPTS, SUBMITTED
from orchestration.models.unfinished import MOST_LIVE, UNFINISHED, WAITING, count_unfinished, has_more_unfinished
from orchestration.services.pauses import Held, pauses
from orchestration.states import ATTEMPT_LIVE, JOB_FAILED, JOB_UNFINISHED, JobState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

HOURS: Final = 48
DAYS: Final = 30
LATELY: Final = timedelta(days=7)
MOST_PIPELINES: Final = 8


@dataclass(frozen=True, slots=True)
class Hour:
    at: datetime
    submitted: int
    succeeded: int
    failed: int
    canceled: int


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    jobs: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`is_cut`: there are more unfinished jobs than were counted. `counted_at`: None where they were counted now."""

    at: datetime
    states: dict[str, int]
    waiting: list[Waiting]
    is_cut: bool
    counted_at: datetime | None
    oldest: list[Job]
    hours: list[Hour]
    failure_kinds: list[tuple[str, int]]
    failing_pipelines: list[tuple[str, int, int]]
    """Name, failed, ended: of the last days."""
    engine: str
    attempts: dict[str, int]
    buckets: list[TokenBucket]
    pauses: list[Held]
    repairs: list[Repair]
    storage: Reading | None
    quotas: Reading | None
    days_usd: list[tuple[datetime, Decimal]]
    month_usd: Decimal


def look() -> Dashboard:
    now = database_now().astimezone(UTC)
    ends = _ends(now - LATELY)
    days = _cost_by_day(now)
    readings = {one.name: one for one in Reading.objects.all()}
    open_now, counted_at = _unfinished(readings.get(UNFINISHED))
    return Dashboard(
        at=now,
        states=_states(open_now),
        waiting=_waiting(open_now),
        is_cut=open_now["is_cut"],
        counted_at=counted_at,
        oldest=_oldest(open_now["oldest"]),
        hours=_hours(now),
        failure_kinds=_failure_kinds(ends),
        failing_pipelines=_failing(ends),
        engine=settings.ENGINE,
        attempts=_attempts(),
        buckets=list(TokenBucket.objects.order_by("scope")[:20]),
        pauses=pauses(),
        repairs=list(Repair.objects.order_by("-last_at")),
        storage=readings.get("storage"),
        quotas=readings.get("quotas"),
        days_usd=days,
        month_usd=sum((usd for day, usd in days if day.month == now.month), Decimal(0)),
    )


def _unfinished(reading: Reading | None) -> tuple[dict[str, Any], datetime | None]:
    """Of a long queue what a worker has counted, and when; of any other what is true now."""
    if reading and has_more_unfinished(MOST_LIVE):
        return reading.value, reading.at
    return count_unfinished(MOST_LIVE), None


def _states(open_now: dict[str, Any]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for one in open_now["kinds"]:
        counts[one["state"]] += one["jobs"]
    return {state: counts[state] for state in JobState if state in JOB_UNFINISHED}


def _waiting(open_now: dict[str, Any]) -> list[Waiting]:
    """What most wait for first."""
    reasons: dict[str, Waiting] = {}
    for one in open_now["kinds"]:
        if one["state"] in WAITING:
            reason, since = one["reason"], datetime.fromisoformat(one["since"])
            so_far = reasons.get(reason, Waiting(reason, 0, since))
            reasons[reason] = Waiting(reason, so_far.jobs + one["jobs"], min(so_far.since, since))
    return sorted(reasons.values(), key=lambda one: -one.jobs)


def _oldest(ids: list[str]) -> list[Job]:
    """Those of them that still wait."""
    jobs = Job.objects.filter(pk__in=ids, state__in=WAITING).select_related("workspace", "pipeline_version__pipeline")
    return list(jobs.order_by("id").defer("params", "pipeline_version__yaml", "pipeline_version__spec"))


def _hours(now: datetime) -> list[Hour]:
    """The oldest first, with those in which nothing happened."""
    last = now.replace(minute=0, second=0, microsecond=0)
    first = last - timedelta(hours=HOURS - 1)
    found: dict[datetime, Counter[str]] = {}
    rows = JobTally.objects.filter(hour__gte=first).exclude(outcome=ATTEMPTS)
    for hour, outcome, number in rows.values_list("hour", "outcome").annotate(n=Sum("number")):
        found.setdefault(hour.astimezone(UTC), Counter())[outcome] += number
    return [_hour(at, found.get(at, Counter())) for at in (first + timedelta(hours=n) for n in range(HOURS))]


def _hour(at: datetime, of: Counter[str]) -> Hour:
    return Hour(
        at, of[SUBMITTED], of[JobState.SUCCEEDED], sum(of[state] for state in JOB_FAILED), of[JobState.CANCELED]
    )


type _Ends = list[tuple[UUID, str, str, int]]


def _ends(since: datetime) -> _Ends:
    """Pipeline, outcome, failure kind, number."""
    rows = JobTally.objects.filter(hour__gte=since).exclude(outcome__in=[SUBMITTED, ATTEMPTS]).order_by()
    return list(rows.values_list("pipeline_id", "outcome", "failure_kind").annotate(n=Sum("number")))


def _failure_kinds(ends: _Ends) -> list[tuple[str, int]]:
    """Every job that fails has one; an event is JSON, which nothing holds to saying it."""
    kinds: Counter[str] = Counter()
    for _, outcome, kind, number in ends:
        if outcome in JOB_FAILED and kind:
            kinds[kind] += number
    return kinds.most_common()


def _failing(ends: _Ends) -> list[tuple[str, int, int]]:
    failed: Counter[UUID] = Counter()
    ended: Counter[UUID] = Counter()
    for pipeline, outcome, _, number in ends:
        ended[pipeline] += number
        if outcome in JOB_FAILED:
            failed[pipeline] += number
    worst = failed.most_common(MOST_PIPELINES)
    names = _names(pipeline for pipeline, _ in worst)
    return [(names.get(pipeline, ""), number, ended[pipeline]) for pipeline, number in worst]


def _names(ids: Iterable[UUID]) -> dict[UUID, str]:
    return dict(Pipeline.objects.filter(pk__in=list(ids)).values_list("pk", "name"))


def _attempts() -> dict[str, int]:
    live = Attempt.objects.filter(state__in=ATTEMPT_LIVE).order_by().values_list("state")
    counts: dict[str, int] = dict(live.annotate(n=Count("pk")))
    lost = Attempt.objects.live().filter(lease_until__lt=Now() - timedelta(seconds=30)).count()
    return {"starting": counts.get("STARTING", 0), "running": counts.get("RUNNING", 0), "lost": lost}


def _cost_by_day(now: datetime) -> list[tuple[datetime, Decimal]]:
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = min(today - timedelta(days=DAYS - 1), today.replace(day=1))
    rows = JobTally.objects.filter(hour__gte=first, outcome=ATTEMPTS).order_by()
    by_day = rows.annotate(day=TruncDay("hour", tzinfo=UTC)).values_list("day").annotate(usd=Sum("usd"))
    found = dict(by_day)
    return [
        (day, found.get(day, Decimal(0)))
        for day in (first + timedelta(days=n) for n in range((today - first).days + 1))
    ]
