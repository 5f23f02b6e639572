"""From rows to the JSON of WES. Runs in a database thread: relations load on the way."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.conf import settings

from api_app.ga4gh.service import our_version
from api_app.ga4gh.states import state_of
from api_app.ga4gh.wes_schemas import ENGINE, TYPE, TYPE_VERSION, Log, RunLog, RunRequest, RunSummary, TaskLog
from api_app.ga4gh.wording import TES, WES
from orchestration.services.references import SCHEME, address_of_file, address_of_log
from orchestration.services.runs import INPUTS
from orchestration.services.status import results_of
from orchestration.services.whole import MOST_FILES

if TYPE_CHECKING:
    from datetime import datetime

    from orchestration.models import Attempt, File, Job
    from orchestration.spec.model import PipelineSpec


def run_summary(job: Job) -> RunSummary:
    return RunSummary(
        run_id=str(job.pk),
        state=state_of(job),
        start_time=moment(job.started_at),
        end_time=moment(job.finished_at),
        tags=job.labels,
    )


def run_log(job: Job) -> RunLog:
    return RunLog(
        run_id=str(job.pk),
        request=_request(job),
        state=state_of(job),
        run_log=Log(
            name=job.name or str(job.pipeline_version),
            start_time=moment(job.started_at),
            end_time=moment(job.finished_at),
            system_logs=[said for said in (job.failure_detail or job.waiting_detail,) if said],
        ),
        task_logs_url=f"{settings.PUBLIC_URL}{WES}/runs/{job.pk}/tasks",
        outputs=_outputs(job),
    )


def task_log(job: Job, attempt: Attempt, spec: PipelineSpec) -> TaskLog:
    """A task is one try of one item of a step; its two streams are one log. A job of TES says where it stands there."""
    is_tes = job.pipeline_version.pipeline.is_internal
    step = spec.step(attempt.step)
    return TaskLog(
        id=str(attempt.pk),
        name=f"{attempt.step}[{attempt.item_index}]" if step.fans_out else attempt.step,
        cmd=list(step.command),
        start_time=moment(attempt.started_at),
        end_time=moment(attempt.finished_at),
        stdout=address_of_log(attempt.pk),
        exit_code=attempt.exit_code,
        system_logs=[attempt.detail] if attempt.detail else [],
        tes_uri=f"{settings.PUBLIC_URL}{TES}/tasks/{job.pk}" if is_tes else None,
    )


def moment(at: datetime | None) -> str | None:
    """In the form that the standard prescribes: whole seconds in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _request(job: Job) -> RunRequest:
    """What would make this run again, whichever door it came through."""
    inputs = job.job_inputs.values_list("file", flat=True).order_by("position")
    return RunRequest(
        workflow_params={**job.params, INPUTS: [f"{SCHEME}{pk}" for pk in inputs]},
        workflow_type=TYPE,
        workflow_type_version=TYPE_VERSION,
        tags=job.labels,
        workflow_engine_parameters={
            "name": job.name,
            "workspace": job.workspace.slug,
            "priority": str(job.priority),
        },
        workflow_engine=ENGINE,
        workflow_engine_version=our_version(),
        workflow_url=f"{SCHEME}{job.pipeline_version}",
    )


def _outputs(job: Job) -> dict[str, Any]:
    """The first of them; all are at `all`."""
    shown = [_output(file) for file in results_of(job)[:MOST_FILES]]
    return {"files": shown, "all": f"{settings.PUBLIC_URL}/api/v1/jobs/{job.pk}/results"}


def _output(file: File) -> dict[str, Any]:
    return {
        "name": file.name,
        "url": address_of_file(file.pk),
        "size": file.size,
        "sha256": file.sha256,
        "media_type": file.media_type,
        "step": file.step,
    }
