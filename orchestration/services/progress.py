"""How far many jobs are, for a list: a column of the query that finds them, or one query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import FloatField
from django.db.models.expressions import RawSQL

from orchestration.models import Job
from orchestration.states import ATTEMPT_LIVE, FINISHED, JOB_FINISHED, WorkState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from django.db.models import QuerySet

# As `status.job_status` counts it. Of a job that has finished nothing is read.
_PROGRESS: Final = """
CASE WHEN orchestration_job.state <> ALL(%s) THEN (
  SELECT avg(CASE WHEN run.state = %s THEN 1.0
    ELSE least(1.0, (done.number + live.progress) / greatest(1, run.items_total)) END)
  FROM orchestration_steprun run
  CROSS JOIN LATERAL (
    SELECT count(*) AS number FROM orchestration_item item WHERE item.step_run_id = run.id AND item.state = ANY(%s)
  ) done
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(attempt.progress), 0.0) AS progress FROM orchestration_attempt attempt
    WHERE attempt.job_id = run.job_id AND attempt.step = run.name AND attempt.state = ANY(%s)
  ) live
  WHERE run.job_id = orchestration_job.id
) END
"""


def with_progress(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """As `progress_now`, from 0 to 1: None of a job that has finished."""
    names = ([*map(str, JOB_FINISHED)], WorkState.SUCCEEDED, [*FINISHED], [*map(str, ATTEMPT_LIVE)])
    return jobs.annotate(progress_now=RawSQL(_PROGRESS, names, output_field=FloatField()))  # noqa: S611  no value in it


def progress_of(jobs: Iterable[Job]) -> dict[UUID, float]:
    """From 0 to 1 for each job that has not finished."""
    open_ids = [job.pk for job in jobs if not job.is_finished]
    if not open_ids:
        return {}
    rows = with_progress(Job.objects.filter(pk__any=open_ids)).only("id")
    return {job.pk: progress for job in rows if (progress := job.__dict__["progress_now"]) is not None}
