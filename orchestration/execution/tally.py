"""From events to numbers by the hour. The bookmark moves in the transaction that counts: each event counts once."""

from __future__ import annotations

import time
from typing import Any, Final

from django.db import connection, transaction

from orchestration import going
from orchestration.execution.event_gaps import decided
from orchestration.execution.webhook_intake import BATCH
from orchestration.models import Event, TallyBookmark
from orchestration.models.tally import ATTEMPTS, SUBMITTED
from orchestration.states import ATTEMPT_FINISHED, JOB_FINISHED, EventKind, JobState

BUDGET_S: Final = 5.0
"""At the first start all of history is to be counted: in rounds, and between them others have their turn."""
_COUNT: Final = """
INSERT INTO orchestration_jobtally (hour, workspace_id, pipeline_id, outcome, failure_kind, number, usd)
SELECT date_trunc('hour', e.at, 'UTC'), e.workspace_id, v.pipeline_id, kind.outcome,
  CASE WHEN e.kind = %(job)s THEN coalesce(e.data->>'failure_kind', '') ELSE '' END,
  count(*), coalesce(sum(a.cost_usd), 0)
FROM orchestration_event e
JOIN orchestration_job j ON j.id = e.job_id
JOIN orchestration_pipelineversion v ON v.id = j.pipeline_version_id
LEFT JOIN orchestration_attempt a ON e.kind = %(attempt)s AND a.id = e.attempt_id
CROSS JOIN LATERAL (SELECT CASE
  WHEN e.kind = %(attempt)s AND e.new = ANY(%(attempt_ends)s) THEN %(attempts)s
  WHEN e.kind = %(job)s AND e.new = ANY(%(ends)s) THEN e.new
  WHEN e.kind = %(job)s AND e.new = %(waiting)s AND e.old = '' THEN %(submitted)s
END AS outcome) kind
WHERE e.id > %(done)s AND e.id <= %(through)s AND e.old <> e.new AND kind.outcome IS NOT NULL
GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (hour, workspace_id, pipeline_id, outcome, failure_kind) DO UPDATE
SET number = orchestration_jobtally.number + excluded.number, usd = orchestration_jobtally.usd + excluded.usd"""


def count() -> int:
    """The number of events that were gone through."""
    TallyBookmark.objects.bulk_create([TallyBookmark()], ignore_conflicts=True)
    end, gone = time.monotonic() + BUDGET_S, 0
    while True:
        done = TallyBookmark.objects.values_list("event_id", flat=True).get()
        ids = list(Event.objects.filter(pk__gt=done).order_by("pk").values_list("pk", flat=True)[:BATCH])
        through = decided(done, ids)
        if through == done or not _add(done, through):
            return gone
        gone += through - done
        if len(ids) < BATCH or not going.is_before(end):
            return gone


@transaction.atomic
def _add(done: int, through: int) -> bool:
    """False: somebody else is at it."""
    if not TallyBookmark.objects.filter(event_id=done).update(event_id=through):
        return False
    given: dict[str, Any] = {
        "done": done,
        "through": through,
        "job": EventKind.JOB,
        "attempt": EventKind.ATTEMPT,
        "ends": list(JOB_FINISHED),
        "attempt_ends": list(ATTEMPT_FINISHED),
        "waiting": JobState.WAITING,
        "submitted": SUBMITTED,
        "attempts": ATTEMPTS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, given)
    return True
