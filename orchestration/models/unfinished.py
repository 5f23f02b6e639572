"""Jobs that have not ended, counted in one pass: by state and by what they wait for, and those that wait longest."""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

from orchestration.states import JOB_UNFINISHED, JobState

UNFINISHED: Final = "unfinished"
"""The reading's name."""
WAITING: Final = (JobState.WAITING, JobState.QUEUED)
MOST_LIVE: Final = 2_000
"""Beyond these, whoever looks is shown what a worker has counted: reading more rows takes longer than a page may."""
MOST_COUNTED: Final = 1_000_000
MOST_OLDEST: Final = 6
# Read once and kept: without that the planner looks for the oldest among all jobs that there ever were.
_COUNT: Final = """
WITH open AS MATERIALIZED (
  SELECT id, state, CASE WHEN state = ANY(%(waiting)s) THEN waiting_reason ELSE '' END AS reason, created_at
  FROM orchestration_job WHERE state = ANY(%(open)s) ORDER BY workspace_id, state LIMIT %(most)s
), kinds AS (
  SELECT state, reason, count(*) AS jobs, min(created_at) AS since FROM open GROUP BY state, reason
)
SELECT (SELECT count(*) FROM open),
  (SELECT coalesce(json_agg(kinds), '[]') FROM kinds),
  ARRAY(SELECT id::text FROM open WHERE state = ANY(%(waiting)s) ORDER BY open.id LIMIT %(oldest)s)"""
_MORE: Final = """
SELECT count(*) > %(most)s FROM (
  SELECT FROM orchestration_job WHERE state = ANY(%(open)s) ORDER BY workspace_id, state LIMIT %(most)s + 1
) open"""


def count_unfinished(most: int) -> dict[str, Any]:
    """`is_cut`: there are more than `most`, and these are some of them. Plain values, to be kept as a reading."""
    given: dict[str, Any] = {
        "open": list(JOB_UNFINISHED),
        "waiting": list(WAITING),
        "most": most + 1,
        "oldest": MOST_OLDEST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, given)
        number, kinds, oldest = cursor.fetchone()
    return {"kinds": kinds, "oldest": oldest, "is_cut": number > most}


def has_more_unfinished(than: int) -> bool:
    """Answered by an index alone."""
    with connection.cursor() as cursor:
        cursor.execute(_MORE, {"open": list(JOB_UNFINISHED), "most": than})
        return bool(cursor.fetchone()[0])
