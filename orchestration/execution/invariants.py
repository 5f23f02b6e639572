"""What must never be true of a job is looked for while the platform runs, in rows that have come to rest.

Each job is looked at once after its end; what was found is looked at again until it is true no more. Reads rows, moves
none: what it finds is a fault of the platform, and a person decides.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from orchestration.execution.leader import leading
from orchestration.models import InvariantWatch, Job, Violation
from orchestration.models.bulk import database_now
from orchestration.states import ATTEMPT_FINISHED, JOB_FINISHED, AttemptState, JobState

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

log = logging.getLogger(__name__)

DUTY: Final = "invariants"
REST: Final = timedelta(minutes=1)
"""After its end: a commit that began before may still be under way."""
FIRST: Final = timedelta(hours=1)
"""How far back the first look goes."""
AT_ONCE: Final = 1_000
MOST: Final = 20_000
"""Jobs of one round; the rest comes with the next."""
STANDS_STILL: Final = timedelta(minutes=15)
MOST_STANDING: Final = 1_000

# Each gives job id and detail, one row a job, for jobs that have ended: %(jobs)s.
OF_THE_ENDED: Final = {
    "one_end": """
        SELECT j.id, format('%%s runs and %%s ends', j.run, count(e.id)) FROM orchestration_job j
        LEFT JOIN orchestration_event e
          ON e.job_id = j.id AND e.kind = 'job' AND e.old <> e.new AND e.new = ANY(%(ends)s)
        WHERE j.id = ANY(%(jobs)s) GROUP BY j.id, j.run HAVING count(e.id) <> j.run""",
    "events_follow": """
        SELECT job_id, min(format('%%s, then %%s to %%s', before, old, new)) FROM (
          SELECT job_id, old, new, lag(new) OVER (PARTITION BY job_id ORDER BY id) AS before
          FROM orchestration_event WHERE job_id = ANY(%(jobs)s) AND kind = 'job') e
        WHERE before <> old GROUP BY job_id""",
    "work_ended": """
        SELECT job_id, format('%%s attempts have not ended', count(*)) FROM orchestration_attempt
        WHERE job_id = ANY(%(jobs)s) AND state <> ALL(%(attempt_ends)s) GROUP BY job_id""",
    "one_success": """
        SELECT job_id, min(format('%%s[%%s] succeeded %%s times in run %%s', step, item_index, n, run)) FROM (
          SELECT job_id, step, item_index, run, count(*) AS n FROM orchestration_attempt
          WHERE job_id = ANY(%(jobs)s) AND state = %(succeeded)s
          GROUP BY job_id, step, item_index, run HAVING count(*) > 1) a
        GROUP BY job_id""",
    "outputs_once": """
        SELECT job_id, min(format('%%s of %%s[%%s] is there %%s times', left(name, 100), step, item_index, n)) FROM (
          SELECT job_id, step, item_index, name, count(*) AS n FROM orchestration_file
          WHERE job_id = ANY(%(jobs)s) AND superseded_at IS NULL
          GROUP BY job_id, step, item_index, name HAVING count(*) > 1) f
        GROUP BY job_id""",
    "outputs_of_success": """
        SELECT f.job_id, min(format('%%s is of an attempt that is %%s', left(f.name, 100), a.state))
        FROM orchestration_file f JOIN orchestration_attempt a ON a.id = f.attempt_id
        WHERE f.job_id = ANY(%(jobs)s) AND a.state <> %(succeeded)s GROUP BY f.job_id""",
    "own_files": """
        SELECT j.id, min(format('file %%s is of another workspace', f.id)) FROM orchestration_job j
        JOIN LATERAL (
          SELECT id, workspace_id FROM orchestration_file WHERE job_id = j.id
          UNION ALL
          SELECT f.id, f.workspace_id FROM orchestration_jobinput i JOIN orchestration_file f ON f.id = i.file_id
          WHERE i.job_id = j.id) f ON f.workspace_id <> j.workspace_id
        WHERE j.id = ANY(%(jobs)s) GROUP BY j.id""",
}
# A job whose engine may still hold work that no row shows is the reconciler's.
STANDING: Final = """
    SELECT j.id, format('%%s, and nothing of it is under way', j.state) FROM orchestration_job j
    LEFT JOIN orchestration_execution x ON x.id = j.execution_id
    WHERE j.state = ANY(%(at_work)s) AND (x.id IS NULL OR x.engine = 'local' OR x.settled_at IS NOT NULL)
    AND NOT EXISTS (SELECT FROM orchestration_attempt a WHERE a.job_id = j.id AND a.state <> ALL(%(attempt_ends)s))
    AND coalesce((SELECT at FROM orchestration_event e WHERE e.job_id = j.id ORDER BY e.id DESC LIMIT 1), j.created_at)
        < statement_timestamp() - make_interval(secs => %(still)s)
    ORDER BY j.id LIMIT %(most)s"""
STANDS: Final = "moves"
INVARIANTS: Final = (*OF_THE_ENDED, STANDS)


def look(rest: timedelta | None = None) -> int:
    """One round. How many violations are open after it; nothing is looked at where somebody else is at it."""
    with leading(DUTY) as leader:
        if leader is None:
            return _open_ones()
        first = {"through_at": database_now() - FIRST, "through_id": UUID(int=0)}
        watch, _ = InvariantWatch.objects.get_or_create(pk=1, defaults=first)
        again = set(Violation.objects.filter(resolved_at__isnull=True).values_list("job_id", flat=True))
        for at in range(0, len(again), AT_ONCE):
            _look_at(sorted(again)[at : at + AT_ONCE])
            leader.stay()
        for _ in range(MOST // AT_ONCE):
            ends = _next_ends(watch, REST if rest is None else rest)
            _look_at([job_id for job_id, _ in ends])
            # After the look: whoever is killed between the two has the same jobs looked at again.
            for watch.through_id, watch.through_at in ends[-1:]:
                watch.save()
            if len(ends) < AT_ONCE or not leader.stay():
                break
        _settle(STANDS, _found(STANDING), among=None)
        InvariantWatch.objects.update(looked_at=Now())
    return _open_ones()


def _open_ones() -> int:
    return Violation.objects.filter(resolved_at__isnull=True).count()


def _next_ends(watch: InvariantWatch, rest: timedelta) -> list[tuple[UUID, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id, finished_at FROM orchestration_job
            WHERE (finished_at, id) > (%s, %s) AND finished_at < statement_timestamp() - make_interval(secs => %s)
            ORDER BY finished_at, id LIMIT %s""",
            [watch.through_at, watch.through_id, rest.total_seconds(), AT_ONCE],
        )
        ends: list[tuple[UUID, datetime]] = cursor.fetchall()
    return ends


def _look_at(jobs: list[UUID]) -> None:
    # A job that goes again since is looked at after its next end.
    ended = list(Job.objects.filter(pk__in=jobs, state__in=JOB_FINISHED).values_list("pk", flat=True))
    for invariant, statement in OF_THE_ENDED.items():
        _settle(invariant, _found(statement, ended) if ended else {}, among=ended)


def _found(statement: str, jobs: list[UUID] | None = None) -> dict[UUID, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "jobs": jobs,
                "ends": list(JOB_FINISHED),
                "attempt_ends": list(ATTEMPT_FINISHED),
                "succeeded": AttemptState.SUCCEEDED,
                "at_work": [JobState.STARTING, JobState.RUNNING],
                "still": STANDS_STILL.total_seconds(),
                "most": MOST_STANDING,
            },
        )
        return dict(cursor.fetchall())


def _settle(invariant: str, found: dict[UUID, str], among: Collection[UUID] | None) -> None:
    """Write down what was found, and that the open ones `among` these jobs (None: of any) that were not are no more."""
    known = Violation.objects.filter(invariant=invariant, resolved_at__isnull=True)
    if among is not None:
        known = known.filter(job_id__in=among)
    open_ones = set(known.values_list("job_id", flat=True))
    known.filter(job_id__in=open_ones - found.keys()).update(resolved_at=Now())
    new = [
        Violation(invariant=invariant, job_id=job, detail=says) for job, says in found.items() if job not in open_ones
    ]
    for one in Violation.objects.bulk_create(new, ignore_conflicts=True):
        log.error("invariant violated", extra={"invariant": invariant, "job_id": str(one.job_id), "detail": one.detail})
