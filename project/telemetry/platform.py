"""The platform as a whole, as its rows say it: what waits, what runs, how it ends. Cheap at ten million jobs.

Asked on each scrape by one process (`manage.py exporter`); several say the same, so rules take the highest of them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Final, override

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Max, Min, Q
from django.db.models.functions import Now
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout

from orchestration.execution.invariants import INVARIANTS
from orchestration.models import Attempt, Event, Examination, InvariantWatch, Job, Repair, Violation, WebhookDelivery
from orchestration.models.bulk import database_now
from orchestration.states import ATTEMPT_LIVE, JOB_FINISHED, JOB_UNFINISHED, AttemptState, JobState, ScanState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from django.db.backends.utils import CursorWrapper
    from prometheus_client.core import Metric

SETTLED: Final = timedelta(seconds=30)
"""Ids of events are handed out before commit: a younger one may still come between two others."""
# Messages that were read are out of sight until they are done, or their reader is taken for dead.
UNREAD: Final = (
    "SELECT count(*), coalesce(max(extract(epoch FROM clock_timestamp() - greatest(vt, enqueued_at))), 0)::float8"
    " FROM pgmq.q_esteira WHERE vt <= clock_timestamp()"
)
_MOVES: Final = """
SELECT p.name, e.new, coalesce(e.data->>'failure_kind', ''), extract(epoch FROM e.at - (
  SELECT max(b.at) FROM orchestration_event b
  WHERE b.job_id = e.job_id AND b.id < e.id AND b.kind = 'job' AND b.new = 'WAITING'))::float8
FROM orchestration_event e
JOIN orchestration_job j ON j.id = e.job_id
JOIN orchestration_pipelineversion v ON v.id = j.pipeline_version_id
JOIN orchestration_pipeline p ON p.id = v.pipeline_id
WHERE e.id > %s AND e.id <= %s AND e.kind = 'job' AND e.new = ANY(%s) AND e.old <> e.new"""
BUCKETS_S: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0)
"""300 s is the objective for the wait of a job."""


class Platform(Collector):
    """What is asked fresh, and what is counted from the events that came since this process began."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._ends = Ends()

    @override
    def collect(self) -> Iterator[Metric]:
        """Where the database does not answer, only that is said: what was true before is no answer."""
        with self._one_at_a_time:
            try:
                found = [*_jobs(), *_work(), *_database(), *self._ends.look()]
            except (DatabaseError, PoolTimeout):
                found = []
            yield GaugeMetricFamily("esteira_database_up", "1: the database answered this scrape.", value=bool(found))
            yield from found
        connection.close()


def _jobs() -> Iterator[Metric]:
    now = database_now()
    states = GaugeMetricFamily("esteira_jobs", "Jobs that have not finished.", labels=["state"])
    rows = dict(Job.objects.filter(state__in=JOB_UNFINISHED).values_list("state").annotate(Count("pk")))
    for state in JOB_UNFINISHED:
        states.add_metric([state], rows.get(state, 0))
    yield states
    waiting = GaugeMetricFamily("esteira_jobs_waiting", "Jobs that wait, by what they wait for.", labels=["reason"])
    oldest = GaugeMetricFamily(
        "esteira_oldest_waiting_job_seconds", "Since the oldest of them was submitted.", labels=["reason"]
    )
    unstarted = Job.objects.filter(state__in=[JobState.WAITING, JobState.QUEUED])
    for reason, number, first in unstarted.values_list("waiting_reason").annotate(Count("pk"), Min("created_at")):
        waiting.add_metric([reason or "none"], number)
        oldest.add_metric([reason or "none"], _age(first, now))
    yield waiting
    yield oldest


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _work() -> Iterator[Metric]:
    now = database_now()
    attempts = GaugeMetricFamily("esteira_attempts", "Attempts that have not ended.", labels=["state"])
    open_ones = Attempt.objects.filter(Q(state=AttemptState.QUEUED) | Q(state__in=ATTEMPT_LIVE))
    for state, number in open_ones.values_list("state").annotate(Count("pk")):
        attempts.add_metric([state], number)
    yield attempts
    expired = Attempt.objects.live().filter(lease_until__lt=Now() - SETTLED).count()
    yield _gauge("esteira_attempts_lost", "Attempts whose lease ran out, and nobody has said so yet.", expired)
    # By what waits, not by the files: those have no index for it, and one that was purged unexamined stays "received".
    waiting = Examination.objects.filter(file__scan_state=ScanState.RECEIVED)
    unseen = waiting.aggregate(Count("pk"), Min("file__created_at"))
    yield _gauge("esteira_files_unexamined", "Files that wait for their check.", unseen["pk__count"])
    age = _age(unseen["file__created_at__min"], now)
    yield _gauge("esteira_oldest_unexamined_file_seconds", "Since the oldest of them arrived.", age)
    due = WebhookDelivery.objects.waiting().filter(due_at__lte=Now()).aggregate(Count("pk"), Min("due_at"))
    yield _gauge("esteira_webhook_deliveries_due", "Deliveries that should have been sent.", due["pk__count"])
    yield _gauge("esteira_oldest_due_webhook_seconds", "Since the first was due.", _age(due["due_at__min"], now))
    repairs = CounterMetricFamily(
        "esteira_reconciler_repairs", "What the reconciler had to mend, ever.", labels=["kind"]
    )
    for kind, total in Repair.objects.values_list("kind", "total"):
        repairs.add_metric([kind], total)
    yield repairs
    violations = GaugeMetricFamily(
        "esteira_invariant_violations", "Jobs of which something is true that never must be.", labels=["invariant"]
    )
    unresolved = Violation.objects.filter(resolved_at__isnull=True)
    found: dict[str, int] = dict(unresolved.values_list("invariant").annotate(Count("pk")))
    for invariant in INVARIANTS:
        violations.add_metric([invariant], found.get(invariant, 0))
    yield violations
    looked_at = InvariantWatch.objects.values_list("looked_at", flat=True).first()
    yield _gauge("esteira_invariants_unwatched_seconds", "Since they were last looked for.", _age(looked_at, now))


def _database() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
            " count(*) FILTER (WHERE backend_type = 'client backend') FROM pg_stat_activity"
        )
        most, used = cursor.fetchone()
        yield _gauge("esteira_database_connections", "Open connections of the server.", used)
        yield _gauge("esteira_database_connections_most", "As many as it takes.", most)
        # Before the migrations there is no queue; asked all the same, the whole database would be told as away.
        if settings.BROKER_URL == "pgmq://" and _is_there(cursor, "pgmq.q_esteira"):
            cursor.execute(UNREAD)
            number, age = cursor.fetchone()
            yield _gauge("esteira_queue_messages", "Messages that no worker has taken.", number)
            yield _gauge("esteira_queue_oldest_message_seconds", "Since the oldest of them could be.", age)


def _is_there(cursor: CursorWrapper, table: str) -> bool:
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
    (found,) = cursor.fetchone()
    return bool(found)


def _gauge(name: str, says: str, value: float) -> Metric:
    return GaugeMetricFamily(name, says, value=value)


class Ends:
    """Counts ends and starts of jobs, from the events since this process began. A restart begins at 0, as counters do.

    An event that commits later than SETTLED after its time is not counted.
    """

    def __init__(self) -> None:
        self._through: int | None = None
        self._ended: Counter[tuple[str, str, str]] = Counter()
        self._waits = [0] * (len(BUCKETS_S) + 1)
        self._waited_s = 0.0

    def look(self) -> Iterator[Metric]:
        if self._through is None:
            self._through = Event.objects.aggregate(last=Max("pk"))["last"] or 0
        settled = Event.objects.filter(pk__gt=self._through, at__lt=Now() - SETTLED)
        if last := settled.aggregate(last=Max("pk"))["last"]:
            with connection.cursor() as cursor:
                cursor.execute(_MOVES, [self._through, last, [JobState.RUNNING, *JOB_FINISHED]])
                for pipeline, state, failure_kind, waited_s in cursor.fetchall():
                    self._count(pipeline, state, failure_kind, waited_s)
            self._through = last
        yield self._ends()
        yield self._starts()

    def _count(self, pipeline: str, state: str, failure_kind: str, waited_s: float | None) -> None:
        if state != JobState.RUNNING:
            self._ended[pipeline, state, failure_kind] += 1
        elif waited_s is not None:
            self._waits[bisect_left(BUCKETS_S, waited_s)] += 1
            self._waited_s += waited_s

    def _ends(self) -> Metric:
        ended = CounterMetricFamily(
            "esteira_jobs_ended", "Jobs that ended.", labels=["pipeline", "state", "failure_kind"]
        )
        for labels, number in self._ended.items():
            ended.add_metric(labels, number)
        return ended

    def _starts(self) -> Metric:
        waits = HistogramMetricFamily("esteira_job_wait_seconds", "From submission or retry to the start of work.")
        bounds = [*map(str, BUCKETS_S), "+Inf"]
        waits.add_metric([], list(zip(bounds, accumulate(self._waits), strict=True)), self._waited_s)
        return waits
