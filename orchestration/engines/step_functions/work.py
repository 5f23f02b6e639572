"""What a job has left to do → the plan of its execution. Reads rows; a step or an item that has ended is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.engines.step_functions.definition import on_demand_strategy, retry_strategy, spot_strategy
from orchestration.engines.step_functions.fargate import fitted
from orchestration.engines.step_functions.manifest import items_per_child
from orchestration.engines.step_functions.plan import (
    ExecutionPlan,
    FanOut,
    OnDemand,
    StepPlan,
    attempt_seconds,
    task_seconds,
)
from orchestration.engines.step_tokens import REST, SPOT, VARIABLE, StepRight, issue_step_token
from orchestration.errors import EngineRejected
from orchestration.models import Job, StepRun
from orchestration.spec.model import PipelineSpec
from orchestration.states import FINISHED

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionSpec
    from orchestration.engines.step_functions.cell import Cell
    from orchestration.engines.step_functions.definitions import Definitions
    from orchestration.engines.step_tokens import Place
    from orchestration.spec.model import StepSpec


def plan_of(spec: ExecutionSpec, *, cell: Cell, definitions: Definitions) -> ExecutionPlan:
    """Registers the job definitions that it names, if nobody has yet."""
    job = Job.objects.select_related("pipeline_version").filter(pk=spec.job_id, run=spec.run).first()
    if job is None:
        raise EngineRejected(f"There is no run {spec.run} of job {spec.job_id} to start.")
    pipeline = PipelineSpec.from_json(job.pipeline_version.spec)
    runs: dict[str, StepRun] = {step.name: step for step in job.steps.all()}
    to_run = [step for step in pipeline.steps if runs[step.name].state not in FINISHED]
    arns = definitions.arns(to_run, pipeline=pipeline.name, version=pipeline.version)
    return ExecutionPlan(
        spec=spec,
        steps=tuple(
            _step(job, fitted(step, cell), runs[step.name], arns.get(step.name), cell) for step in pipeline.steps
        ),
        manifest=f"{cell.manifests}/{spec.name}" if cell.manifests else "",
        environment={"ESTEIRA_URL": cell.server},
    )


def _step(job: Job, step: StepSpec, run: StepRun, arn: str | None, cell: Cell) -> StepPlan:
    fan_out = _fan_out(step, run) if arn and step.fans_out else None
    per_child = fan_out.per_child if fan_out else 1
    spot_queue = cell.spot_queue_for(step)
    return StepPlan.of(
        step,
        queue=spot_queue or cell.queue_for(step),
        job_definition=arn or "",
        retry=spot_strategy(step, step.spot.attempts, platform=cell.platform)
        if step.spot and spot_queue
        else retry_strategy(step, platform=cell.platform),
        fan_out=fan_out,
        environment=_right(job, step, per_child, SPOT if spot_queue else ""),
        on_demand=_on_demand(job, step, fan_out, cell) if spot_queue else None,
        share_identifier=cell.share_of(job.workspace_id),
        is_done=arn is None,
    )


def _right(job: Job, step: StepSpec, per_child: int, place: Place) -> dict[str, str]:
    return {VARIABLE: issue_step_token(StepRight.of(job, step.name, per_child=per_child, place=place))}


def _on_demand(job: Job, step: StepSpec, fan_out: FanOut | None, cell: Cell) -> OnDemand:
    retry = on_demand_strategy(step, platform=cell.platform)
    return OnDemand(
        queue=cell.queue_for(step),
        retry=retry,
        task_s=task_seconds(retry, attempt_seconds(step, fan_out)),
        environment=_right(job, step, fan_out.per_child if fan_out else 1, REST),
    )


def _fan_out(step: StepSpec, run: StepRun) -> FanOut:
    """Over the items that a container's claim will find, or their places in the array would be others'."""
    indexes = run.indexes_of_run()
    return FanOut(
        total=run.items_total,
        items=None if len(indexes) == run.items_total else indexes,
        per_child=items_per_child(len(indexes)),
        tolerate=step.tolerate,
    )
