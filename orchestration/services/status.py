"""What a job looks like right now, for a page or an answer: computed from rows, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from orchestration.models import Attempt, File, Item, Job, StepRun
from orchestration.spec.model import PipelineSpec
from orchestration.states import FINISHED, JobState, WorkState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from django.db.models import QuerySet


type _Running = dict[tuple[UUID, str], dict[str, Any]]


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
    """`job` with its pipeline_version loaded. Five queries. The titles of its steps are in that language."""
    spec = PipelineSpec.from_json(job.pipeline_version.spec)
    steps = steps_of([job], {job.pipeline_version_id: spec}, language=language)[job.pk]
    return JobStatus(
        steps=steps,
        progress=1.0 if job.state == JobState.SUCCEEDED else sum(s.progress for s in steps) / max(1, len(steps)),
        queue_position=_queue_position(job),
    )


def steps_of(
    jobs: Sequence[Job], specs: Mapping[UUID, PipelineSpec], *, language: str = "en"
) -> dict[UUID, tuple[StepStatus, ...]]:
    """In their order. Four queries for any number of jobs; `specs` by version."""
    titles = {pk: {step.name: step.title.text(language) for step in spec.steps} for pk, spec in specs.items()}
    runs = list(StepRun.objects.filter(job__in=jobs).order_by("position"))
    counts, running = Item.objects.counts([run.pk for run in runs]), _running(jobs)
    found: dict[UUID, tuple[StepStatus, ...]] = {}
    for job in jobs:
        named = titles[job.pipeline_version_id]
        mine = [run for run in runs if run.job_id == job.pk]
        found[job.pk] = tuple(_step(run, named.get(run.name, run.name), counts[run.pk], running) for run in mine)
    return found


def results_of(job: Job) -> QuerySet[File]:
    """The job's result files; those of the last step, where the report is, come first."""
    place = StepRun.objects.filter(job=OuterRef("job"), name=OuterRef("step")).values("position")[:1]
    files: QuerySet[File] = File.objects.results().filter(job=job)
    return files.order_by(Subquery(place).desc(), "item_index", "name")


def attempts_of(job: Job) -> QuerySet[Attempt]:
    attempts: QuerySet[Attempt] = Attempt.objects.filter(job=job).order_by("id")
    return attempts


def _running(jobs: Sequence[Job]) -> _Running:
    """By job and step: the summed progress of running attempts, their number, and the newest message."""
    live = Attempt.objects.live().filter(job__in=jobs)
    sums = {"total": Coalesce(Sum("progress"), 0.0), "n": Count("pk", filter=Q(state="RUNNING"))}
    rows = live.order_by().values("job_id", "step").annotate(**sums)
    found: _Running = {(row["job_id"], row["step"]): dict(row) for row in rows}
    by_age = live.exclude(message="").order_by("job", "step", F("heartbeat_at").desc(nulls_last=True))
    for job_id, step, message in by_age.distinct("job", "step").values_list("job_id", "step", "message"):
        found.setdefault((job_id, step), {"total": 0.0, "n": 0})["message"] = message
    return found


def _step(run: StepRun, title: str, counts: dict[str, int], running: _Running) -> StepStatus:
    now = running.get((run.job_id, run.name), {})
    done = sum(n for state, n in counts.items() if state in FINISHED)
    progress = 1.0 if run.state == WorkState.SUCCEEDED else (done + now.get("total", 0.0)) / max(1, run.items_total)
    return StepStatus(
        name=run.name,
        title=title,
        state=run.state,
        items_total=run.items_total,
        items_succeeded=counts.get(WorkState.SUCCEEDED, 0),
        items_failed=counts.get(WorkState.FAILED, 0) + counts.get(WorkState.TIMED_OUT, 0),
        items_running=now.get("n", 0),
        progress=min(1.0, progress),
        message=now.get("message", ""),
        failure_kind=run.failure_kind,
        failure_detail=run.failure_detail,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _queue_position(job: Job) -> int | None:
    if job.state not in {JobState.WAITING, JobState.QUEUED}:
        return None
    ahead = Q(priority__gt=job.priority) | Q(priority=job.priority, pk__lt=job.pk)
    in_line = Q(state=JobState.QUEUED)
    if job.state == JobState.WAITING:
        in_line |= Q(state=JobState.WAITING)
    return Job.objects.filter(in_line, ahead).count() + 1
