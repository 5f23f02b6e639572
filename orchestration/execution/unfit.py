"""Jobs whose inputs turned out not to be what they must be: they end before anything runs, and say which and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce

from orchestration.execution.advance import finish_job
from orchestration.models import Examination, JobInput
from orchestration.models.moves import swap_state, write_events
from orchestration.spec.model import PipelineSpec
from orchestration.states import (
    WORK_MOVES,
    EventKind,
    FailureKind,
    JobState,
    ScanState,
    WorkState,
)

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from orchestration.models import File, Job


def unscanned() -> QuerySet[JobInput]:
    """Of the job of an outer query: inputs that nobody may read yet."""
    waiting = [ScanState.RECEIVED, ScanState.SCANNING]
    return JobInput.objects.filter(job=OuterRef("pk"), file__scan_state__in=waiting)


def suspicious() -> QuerySet[JobInput]:
    """Of the job of an outer query: inputs that were examined after somebody asked to have them run."""
    late = Q(file__scanned_at__gte=F("job__created_at")) | Q(file__scan_state=ScanState.QUARANTINED)
    return JobInput.objects.filter(late, job=OuterRef("pk"))


def why_unfit(job: Job) -> str:
    """A sentence for the first input that the job must not run on, "" if there is none."""
    accepts = PipelineSpec.from_json(job.pipeline_version.spec).accepts
    for given in job.job_inputs.select_related("file").order_by("position").iterator():
        file: File = given.file
        if file.scan_state == ScanState.QUARANTINED:
            return f"{file.name} was quarantined: {file.scan_detail.rstrip('.')}. Ask your administrator about it."
        if not accepts.accepts_type(file.media_type):
            return f"{file.name} is {file.media_type}; this pipeline accepts {', '.join(accepts.types)}."
    return ""


def end_unfit(job: Job, why: str) -> None:
    """FAILED with INPUT, and no step of it ever begins. Part of the caller's transaction, which has the job locked."""
    for step in job.steps.filter(state=WorkState.WAITING):
        if swap_state(step, WorkState.SKIPPED, moves=WORK_MOVES):
            moved = {"old": WorkState.WAITING, "new": WorkState.SKIPPED, "reason": why[:500]}
            write_events([job.event(EventKind.STEP, step=step.name, **moved)])
    finish_job(job, JobState.FAILED, kind=FailureKind.INPUT, detail=why)


def held_for_checks(jobs: QuerySet[Job], most: int) -> list[tuple[Job, str]]:
    """Those of `jobs` whose inputs have no answer yet, each with the sentence that says so: in one statement."""
    waiting = Examination.objects.filter(file__used_by=OuterRef("pk")).order_by()
    counts = waiting.values("file__used_by").annotate(n=Count("pk")).values("n")
    reasons = waiting.exclude(reason="").values("reason")[:1]
    found = jobs.filter(Exists(unscanned())).annotate(
        checks=Coalesce(Subquery(counts), 0), why=Coalesce(Subquery(reasons), Value(""))
    )
    return [(job, _being_checked(job.checks, job.why)) for job in found[:most]]


def _being_checked(count: int, reason: str) -> str:
    files = "1 input file is" if count == 1 else f"{count} input files are"
    return f"{files} still being checked." + (f" {reason}" if reason else "")
