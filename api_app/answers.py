"""From rows to the JSON of /api/v1. Runs in a database thread: relations load on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api_app.job_schemas import (
    AttemptOut,
    CostOut,
    JobBrief,
    JobCheckOut,
    JobOut,
    PlannedStepOut,
    StepOut,
    WaitOut,
)
from api_app.schemas import AcceptsOut, EventOut, FileOut, PipelineOut, PipelineStepOut
from orchestration.services.costs import cost_expected
from orchestration.services.pipelines import spec_of
from orchestration.services.status import StepStatus, results_of
from orchestration.services.whole import MOST_FILES, Whole, whole_of
from orchestration.spec.model import PipelineSpec
from orchestration.states import AttemptState, EventKind, FileKind, ScanState, WorkState

if TYPE_CHECKING:
    from decimal import Decimal
    from typing import Any

    from orchestration.models import Attempt, Event, File, Job, PipelineVersion
    from orchestration.services.costs import JobCost
    from orchestration.services.job_check import JobCheck
    from orchestration.spec.model import StepSpec


def file_out(file: File) -> FileOut:
    return FileOut(
        id=file.pk,
        name=file.name,
        path=file.path,
        size=file.size,
        sha256=file.sha256,
        crc64nvme=file.crc64nvme,
        media_type=file.media_type,
        kind=FileKind(file.kind),
        scan_state=ScanState(file.scan_state),
        created_at=file.created_at,
        expires_at=file.expires_at,
        hold=file.hold,
        deleted_at=file.deleted_at,
        undelete_until=file.undelete_until,
        job=file.job_id,
        step=file.step or None,
        item=file.item_index,
    )


def pipeline_out(version: PipelineVersion, versions: list[str]) -> PipelineOut:
    spec = PipelineSpec.from_json(version.spec)
    accepts = spec.accepts
    return PipelineOut(
        name=spec.name,
        version=version.version,
        versions=versions,
        title=spec.title.text(),
        description=spec.description.text(),
        accepts=AcceptsOut(
            types=list(accepts.types),
            max_size=accepts.max_size_bytes,
            max_files=accepts.max_files,
            min_files=accepts.min_files,
        ),
        params=spec.params,
        steps=[
            PipelineStepOut(name=s.name, needs=list(s.needs), for_each=s.for_each, title=s.title.text())
            for s in spec.steps
        ],
        digest=version.digest,
    )


_FIELDS_OF: Final = {
    "status": frozenset({"steps", "progress", "queue_position"}),
    "inputs": frozenset({"inputs"}),
    "results": frozenset({"results", "result_count"}),
    "cost": frozenset({"cost"}),
}


def job_brief(job: Job, *, title: str, progress: float) -> JobBrief:
    """For a list: the place in line is left out, it would cost a query for each job."""
    return JobBrief(**job_fields(job, title=title, progress=progress, queue_position=None))


def job_out(job: Job) -> JobOut:
    """As it is now."""
    return JobOut(**job_parts(whole_of(job), frozenset(JobOut.model_fields)))


def parts_for(wanted: frozenset[str]) -> frozenset[str]:
    """What has to be read for these fields of a JobOut."""
    return frozenset(part for part, fields in _FIELDS_OF.items() if not wanted.isdisjoint(fields))


def job_parts(whole: Whole, wanted: frozenset[str]) -> dict[str, Any]:
    """The fields of a JobOut that are `wanted`, and some that cost nothing."""
    job, status = whole.job, whole.status
    title = spec_of(job.pipeline_version_id).title.text()
    progress, position = (status.progress, status.queue_position) if status else (0.0, None)
    parts = job_fields(job, title=title, progress=progress, queue_position=position)
    parts |= {"input_count": job.input_count, "version": job.version, "cost": _cost_out(whole.cost)}
    parts |= {"steps": [step_out(step) for step in status.steps] if status else []}
    parts |= {"inputs": [file_out(file) for file in whole.inputs]}
    parts |= {"results": [file_out(file) for file in whole.results]}
    shown = len(whole.results)
    parts["result_count"] = shown if shown < MOST_FILES or "result_count" not in wanted else results_of(job).count()
    return parts


def new_job_out(job: Job) -> JobOut:
    """For the answer to the call that made the job: nothing of it has moved, so little has to be read.

    The place in line is left out: counting those ahead is most expensive just when many come at once.
    """
    spec = spec_of(job.pipeline_version_id)
    return JobOut(
        **job_fields(job, title=spec.title.text(), progress=0.0, queue_position=None),
        inputs=[file_out(file) for file in (job.files_given or ())[:MOST_FILES]],
        input_count=job.input_count,
        steps=[_untouched(step, job.input_count if step.fans_out else 1) for step in spec.steps],
        results=[],
        result_count=0,
        cost=_cost_out(cost_expected(job)),
        version=job.version,
    )


def _cost_out(cost: JobCost | None) -> CostOut | None:
    if cost is None:
        return None
    return CostOut(
        estimate_usd=_usd(cost.estimate),
        estimate_basis=cost.basis or None,
        actual_usd=_usd(cost.actual),
        unpriced_attempts=cost.unpriced,
        keeping_usd=_usd(cost.keeping),
        prices=cost.prices,
    )


def job_check_out(check: JobCheck) -> JobCheckOut:
    return JobCheckOut(
        pipeline=check.wanted.spec.name,
        pipeline_version=check.wanted.version.version,
        workspace=check.workspace.slug,
        params=check.wanted.params,
        steps=[PlannedStepOut(name=step.name, items=items) for step, items in check.steps],
        estimate_usd=_usd(check.estimate.usd) if check.estimate else None,
        estimate_basis=check.estimate.basis if check.estimate else None,
        active_jobs=check.active_jobs,
        max_active_jobs=check.workspace.max_active_jobs,
        waits=[WaitOut(reason=reason, detail=detail) for reason, detail in check.waits],
    )


def _usd(amount: Decimal | None) -> str | None:
    """Without the zeros behind and without an exponent."""
    return None if amount is None else f"{amount.normalize():f}"


def _untouched(step: StepSpec, items: int) -> StepOut:
    return StepOut(
        name=step.name,
        title=step.title.text() or step.name,
        state=WorkState.WAITING,
        items_total=items,
        items_succeeded=0,
        items_failed=0,
        items_running=0,
        progress=0.0,
        message=None,
        started_at=None,
        finished_at=None,
    )


def job_fields(job: Job, *, title: str, progress: float, queue_position: int | None) -> dict[str, Any]:
    return {
        "id": job.pk,
        "name": job.name,
        "workspace": job.workspace.slug,
        "pipeline": job.pipeline_version.pipeline.name,
        "pipeline_version": job.pipeline_version.version,
        "pipeline_title": title,
        "state": job.state,
        "canceling": job.is_canceling,
        "waiting_reason": job.waiting_reason or None,
        "waiting_detail": job.waiting_detail or None,
        "queue_position": queue_position,
        "failure_kind": job.failure_kind or None,
        "failure_detail": job.failure_detail or None,
        "run": job.run,
        "params": job.params,
        "labels": job.labels,
        "priority": job.priority,
        "deadline": job.deadline,
        "progress": progress,
        "created_by": job.created_by.username,
        "created_at": job.created_at,
        "queued_at": job.queued_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "resubmitted_from": job.resubmitted_from_id,
        "url": f"/jobs/{job.pk}",
    }


def step_out(step: StepStatus) -> StepOut:
    return StepOut(
        name=step.name,
        title=step.title,
        state=WorkState(step.state),
        items_total=step.items_total,
        items_succeeded=step.items_succeeded,
        items_failed=step.items_failed,
        items_running=step.items_running,
        progress=step.progress,
        message=step.message or None,
        started_at=step.started_at,
        finished_at=step.finished_at,
    )


def attempt_out(attempt: Attempt, source: str | None) -> AttemptOut:
    return AttemptOut(
        id=attempt.pk,
        step=attempt.step,
        item=attempt.item_index,
        source=source,
        run=attempt.run,
        number=attempt.number,
        state=AttemptState(attempt.state),
        exit_code=attempt.exit_code,
        failure_kind=attempt.failure_kind or None,
        detail=attempt.detail or None,
        progress=attempt.progress,
        message=attempt.message or None,
        started_at=attempt.started_at,
        finished_at=attempt.finished_at,
        log_size=attempt.log_size,
        on_spot=attempt.on_spot,
        cost_usd=_usd(attempt.cost_usd),
    )


def event_out(event: Event) -> EventOut:
    return EventOut(
        id=event.pk,
        job=event.job_id,
        kind=EventKind(event.kind),
        step=event.step or None,
        item=event.item,
        attempt=event.attempt_id,
        old=event.old or None,
        new=event.new or None,
        reason=event.reason or None,
        data=event.data,
        at=event.at,
    )
