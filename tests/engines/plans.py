"""Plans for tests: steps that name only what a test is about."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.plan import ExecutionPlan, ExitRule, RetryStrategy, StepPlan

JOB: Final = UUID("01950000-0000-7000-8000-000000000001")
QUEUE: Final = "arn:aws:batch:eu-west-1:123456789012:job-queue/esteira-standard"
DEFINITION: Final = "arn:aws:batch:eu-west-1:123456789012:job-definition/esteira-inspect-look:12"
MANIFEST: Final = f"s3://esteira-manifests/{JOB}/1"
RETRY: Final = RetryStrategy(
    attempts=3,
    rules=(
        ExitRule("RETRY", on_status_reason="Host EC2*"),
        ExitRule("RETRY", on_exit_code="75"),
        ExitRule("EXIT", on_reason="*"),
    ),
)


def step(name: str, *needs: str, **fields: Any) -> StepPlan:
    usual: dict[str, Any] = {"queue": QUEUE, "job_definition": DEFINITION, "retry": RETRY}
    return StepPlan(name=name, needs=needs, **usual | fields)


def plan(*steps: StepPlan, run: int = 1, **fields: Any) -> ExecutionPlan:
    usual: dict[str, Any] = {"spec": ExecutionSpec(name=f"{JOB}-r{run}", job_id=JOB, run=run), "manifest": MANIFEST}
    return ExecutionPlan(steps=steps, **usual | fields)
