"""What a job looks like right now, for a page or an answer: computed from rows, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from django.db.models import IntegerField, JSONField, OuterRef, Subquery
from django.db.models.expressions import RawSQL

from orchestration.models import Attempt, File, Job, StepRun
from orchestration.services.pipelines import spec_of
from orchestration.states import ATTEMPT_LIVE, FINISHED, JobState, WorkState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.db.models import QuerySet

    from orchestration.spec.model import PipelineSpec


_STEPS: Final = """
(
  SELECT jsonb_agg(jsonb_build_object(
    'name', run.name, 'state', run.state, 'items_total', run.items_total,
    'succeeded', done.succeeded, 'failed', done.failed, 'ended', done.ended,
    'running', live.running, 'running_progress', live.progress, 'message', live.message,
    'failure_kind', run.failure_kind, 'failure_detail', run.failure_detail,
    'started_at', run.started_at, 'finished_at', run.finished_at
  ) ORDER BY run.position)
  FROM orchestration_steprun run
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE item.state = 'SUCCEEDED') AS succeeded,
      count(*) FILTER (WHERE item.state IN ('FAILED', 'TIMED_OUT')) AS failed,
      count(*) FILTER (WHERE item.state = ANY(%s)) AS ended
    FROM orchestration_item item WHERE item.step_run_id = run.id
  ) done
  CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE attempt.state = 'RUNNING') AS running,
      coalesce(sum(attempt.progress), 0.0) AS progress,
      (array_agg(attempt.message ORDER BY attempt.heartbeat_at DESC NULLS LAST) FILTER (WHERE attempt.message <> ''))[1]
        AS message
    FROM orchestration_attempt attempt
    WHERE attempt.job_id = run.job_id AND attempt.step = run.name AND attempt.state = ANY(%s)
  ) live
  WHERE run.job_id = orchestration_job.id
)
"""
_POSITION: Final = """
CASE WHEN orchestration_job.state IN ('WAITING', 'QUEUED') THEN 1 + (
  SELECT count(*) FROM orchestration_job ahead
  WHERE ahead.state IN ('WAITING', 'QUEUED') AND (ahead.state = 'QUEUED' OR orchestration_job.state = 'WAITING')
    AND (ahead.priority > orchestration_job.priority
      OR (ahead.priority = orchestration_job.priority AND ahead.id < orchestration_job.id))
) END
"""


@dataclass(frozen=True, slots=True)
class StepStatus:
    """`progress` from 0 to 1: finished items, plus the progress of those that run."""

    name: str
    title: str
    state: str
    items_total: int
    items_succeeded: int
    items_failed: int
    items_running: int
    progress: float
    message: str
    failure_kind: str
    failure_detail: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class JobStatus:
    steps: tuple[StepStatus, ...]
    progress: float
    queue_position: int | None
    """1 is next; None for a job that waits for nothing."""


def job_status(job: Job, *, language: str = "en") -> JobStatus:
    """One query. The titles of its steps are in that language."""
    return status_in(with_position(with_steps(Job.objects.filter(pk=job.pk))).get(), language=language)


def status_in(job: Job, *, language: str = "en") -> JobStatus:
    """Of a job that was found with its steps and its position."""
    steps = _steps(job, spec_of(job.pipeline_version_id), language)
    return JobStatus(
        steps=steps,
        progress=1.0 if job.state == JobState.SUCCEEDED else sum(s.progress for s in steps) / max(1, len(steps)),
        queue_position=job.__dict__["position_now"],
    )


def steps_of(jobs: Sequence[Job], specs: Mapping[UUID, PipelineSpec]) -> dict[UUID, tuple[StepStatus, ...]]:
    """In their order. One query for any number of jobs; `specs` by version."""
    rows = with_steps(Job.objects.filter(pk__any=[job.pk for job in jobs])).only("pipeline_version_id")
    return {job.pk: _steps(job, specs[job.pipeline_version_id], "en") for job in rows}


def with_steps(jobs: QuerySet[Job]) -> QuerySet[Job]:
    ended, live = [*FINISHED], [*map(str, ATTEMPT_LIVE)]
    return jobs.annotate(steps_now=RawSQL(_STEPS, (ended, live), output_field=JSONField()))  # noqa: S611  no value in it


def with_position(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """In line. 1 is next; None of a job that waits for nothing."""
    return jobs.annotate(position_now=RawSQL(_POSITION, (), output_field=IntegerField()))  # noqa: S611  the same


def results_of(job: Job) -> QuerySet[File]:
    """The job's result files; those of the last step, where the report is, come first."""
    return in_order(File.objects.results().filter(job=job))


def in_order(files: QuerySet[File]) -> QuerySet[File]:
    place = StepRun.objects.filter(job=OuterRef("job"), name=OuterRef("step")).values("position")[:1]
    return files.order_by(Subquery(place).desc(), "item_index", "name")


def attempts_of(job: Job) -> QuerySet[Attempt]:
    attempts: QuerySet[Attempt] = Attempt.objects.filter(job=job).order_by("id")
    return attempts


def _steps(job: Job, spec: PipelineSpec, language: str) -> tuple[StepStatus, ...]:
    titles = {step.name: step.title.text(language) for step in spec.steps}
    return tuple(_step(run, titles.get(run["name"], run["name"])) for run in job.__dict__["steps_now"] or ())


def _step(run: dict[str, Any], title: str) -> StepStatus:
    is_done = run["state"] == WorkState.SUCCEEDED
    progress = 1.0 if is_done else (run["ended"] + run["running_progress"]) / max(1, run["items_total"])
    return StepStatus(
        name=run["name"],
        title=title,
        state=run["state"],
        items_total=run["items_total"],
        items_succeeded=run["succeeded"],
        items_failed=run["failed"],
        items_running=run["running"],
        progress=min(1.0, progress),
        message=run["message"] or "",
        failure_kind=run["failure_kind"],
        failure_detail=run["failure_detail"],
        started_at=_moment(run["started_at"]),
        finished_at=_moment(run["finished_at"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
