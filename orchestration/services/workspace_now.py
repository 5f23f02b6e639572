"""How much runs, waits and has ended of late in a workspace. Where there are very many, nobody counts to the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from orchestration.models.planning import planned_anew
from orchestration.states import JOB_FAILED, JobState

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

MOST_COUNTED: Final = 10_000
"""Of each kind. Counting on would take longer than the page that says it."""
AT_WORK: Final = (JobState.STARTING, JobState.RUNNING)
IN_LINE: Final = (JobState.WAITING, JobState.QUEUED)
_COUNTS: Final = """
SELECT 'waiting', waiting_reason, count(*) FROM (
  SELECT waiting_reason FROM orchestration_job
  WHERE workspace_id = %(workspace)s AND state = ANY(%(in_line)s) LIMIT %(most)s
) found GROUP BY waiting_reason
UNION ALL SELECT 'running', '', count(*) FROM (
  SELECT FROM orchestration_job WHERE workspace_id = %(workspace)s AND state = ANY(%(at_work)s) LIMIT %(most)s
) found
UNION ALL SELECT 'failed', '', count(*) FROM (
  SELECT FROM orchestration_job
  WHERE workspace_id = %(workspace)s AND state = ANY(%(failed)s) AND finished_at >= %(since)s LIMIT %(most)s
) found
UNION ALL SELECT 'succeeded', '', count(*) FROM (
  SELECT FROM orchestration_job
  WHERE workspace_id = %(workspace)s AND state = %(succeeded)s AND finished_at >= %(since)s LIMIT %(most)s
) found"""


@dataclass(frozen=True, slots=True)
class Counts:
    """More than `most` means that there are more; `reasons` are then those of the jobs that were counted."""

    most: int
    running: int
    waiting: int
    failed: int
    succeeded: int
    reasons: list[tuple[str, int]]
    """Why jobs wait; what most of them wait for first."""


def counts_of(workspace_id: UUID, *, since: datetime) -> Counts:
    """`since`: of what has ended."""
    given: dict[str, Any] = {
        "workspace": workspace_id,
        "since": since,
        "most": MOST_COUNTED + 1,
        "in_line": list(IN_LINE),
        "at_work": list(AT_WORK),
        "failed": sorted(JOB_FAILED),
        "succeeded": JobState.SUCCEEDED,
    }
    with planned_anew(), connection.cursor() as cursor:
        cursor.execute(_COUNTS, given)
        rows: list[tuple[str, str, int]] = cursor.fetchall()
    totals: Counter[str] = Counter()
    for kind, _reason, number in rows:
        totals[kind] += number
    reasons = [(reason, number) for kind, reason, number in rows if kind == "waiting"]
    return Counts(
        most=MOST_COUNTED,
        running=totals["running"],
        waiting=totals["waiting"],
        failed=totals["failed"],
        succeeded=totals["succeeded"],
        reasons=sorted(reasons, key=_by_number, reverse=True),
    )


def _by_number(row: tuple[str, int]) -> int:
    return row[1]
