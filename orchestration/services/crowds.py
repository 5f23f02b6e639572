"""How many attempts of a step began and ended in each part of a time, counted by the database."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from orchestration.models import Job

_COUNTS: Final = """
SELECT step, is_end,
  least(width_bucket(extract(epoch FROM at), %(begin)s, %(end)s, %(parts)s), %(parts)s) - 1,
  count(*)
FROM (
  SELECT step, false AS is_end, started_at AS at FROM orchestration_attempt
  WHERE job_id = %(job)s AND run = %(run)s AND step = ANY(%(steps)s)
  UNION ALL
  SELECT step, true, finished_at FROM orchestration_attempt
  WHERE job_id = %(job)s AND run = %(run)s AND step = ANY(%(steps)s) AND started_at IS NOT NULL
) moves
WHERE at IS NOT NULL
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Crowd:
    """Numbers by part, from 0."""

    starts: dict[int, int] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)


def crowds_of(
    *, job: Job, run: int, steps: Collection[str], begin: datetime, end: datetime, parts: int
) -> dict[str, Crowd]:
    """By step. `begin` must lie before `end`. Those that run on have no end here."""
    if not steps:
        return {}
    span = {"begin": begin.timestamp(), "end": end.timestamp(), "parts": parts}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"job": job.pk, "run": run, "steps": list(steps), **span})
        rows: list[tuple[str, bool, int, int]] = cursor.fetchall()
    found: dict[str, Crowd] = defaultdict(Crowd)
    for step, is_end, part, n in rows:
        (found[step].ends if is_end else found[step].starts)[max(0, part)] = n
    return dict(found)
