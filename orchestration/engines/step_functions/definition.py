"""A step of a pipeline's version → what Batch is told once about the container that works on it.

The container starts the runner. Which command the step has, its files and its parameters come with the work order, so
that nothing of a job is in a definition, and a step in any image is worked on in the same way as everywhere.

An image needs Python (`python3`) and the runner, one file: `COPY runner.pyz /opt/esteira/runner.pyz`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final, Literal

from orchestration.engines.step_functions import fargate
from orchestration.engines.step_functions.fargate import FARGATE
from orchestration.engines.step_functions.plan import (
    HOST_GONE,
    SPOT_GONE,
    ExitRule,
    RetryStrategy,
    StepPlan,
    amounts,
    canonical,
)
from orchestration.errors import EngineRejected

if TYPE_CHECKING:
    from orchestration.engines.step_functions.cell import Cell
    from orchestration.spec.model import StepSpec

MOST_BYTES: Final = 24 * 1024
MOST_ATTEMPTS: Final = 10
NOBODY: Final = "65532:65532"
WORK: Final = "/tmp"  # noqa: S108  the one folder that anybody may write to in nearly every image
RUNNER: Final = ("python3", "-I", "-S", "/opt/esteira/runner.pyz", "--claim", "--work", f"{WORK}/esteira")
EC2: Final = "EC2"
TRY_AGAIN: Final = "75"
"""Exit code of a runner whose platform wants another attempt."""
type _Action = Literal["RETRY", "EXIT"]
_DIGEST_LENGTH: Final = 16
# A name has 128 characters; the digest tells apart what is cut off.
_LONGEST_PIPELINE: Final = 56


def register_request(step: StepSpec, *, pipeline: str, version: str, cell: Cell) -> dict[str, Any]:
    """Arguments of RegisterJobDefinition. The name carries their digest: the same name means the same definition."""
    step = fargate.fitted(step, cell)
    retry = retry_strategy(step, platform=cell.platform)
    plan = StepPlan.of(step, queue=cell.queue_for(step), job_definition="", retry=retry)
    request: dict[str, Any] = {
        "type": "container",
        "platformCapabilities": [cell.platform],
        "containerProperties": _container(step, cell),
        "retryStrategy": {"attempts": retry.attempts, "evaluateOnExit": [_rule(rule) for rule in retry.rules]},
        "timeout": {"attemptDurationSeconds": plan.attempt_s},
        "propagateTags": True,
        "tags": {"esteira:pipeline": pipeline, "esteira:version": version, "esteira:step": step.name},
    }
    request["jobDefinitionName"] = f"{cell.prefix}-{pipeline[:_LONGEST_PIPELINE]}-{step.name}-{_digest(request)}"
    if (size := len(canonical(request).encode())) > MOST_BYTES:
        raise EngineRejected(f"The job definition of step {step.name} has {size} bytes; {MOST_BYTES} are allowed.")
    return request


def retry_strategy(step: StepSpec, *, platform: str = EC2) -> RetryStrategy:
    """What Batch tries again by itself: what a runner has no time to tell. All else the platform decides.

    A timed-out attempt Batch never repeats.
    """
    return _strategy(step, max(step.retry.attempts, step.spot.attempts if step.spot else 1), platform)


def spot_strategy(step: StepSpec, attempts: int, *, platform: str = EC2) -> RetryStrategy:
    """On machines that may be taken away: so many attempts, and interruption is what they are for."""
    return _strategy(step, attempts, platform, least=1)


def on_demand_strategy(step: StepSpec, *, platform: str = EC2) -> RetryStrategy:
    return _strategy(step, step.retry.attempts, platform)


def _strategy(step: StepSpec, attempts: int, platform: str, *, least: int = 2) -> RetryStrategy:
    """A machine may go away after its last item has ended and before its container has, which Batch calls a failure.

    Started again, the container asks the platform what is left to do, and ends as its items did.
    """
    of_platform: _Action = "RETRY" if "PLATFORM" in step.retry.on else "EXIT"
    return RetryStrategy(
        attempts=min(max(attempts, least), MOST_ATTEMPTS),
        rules=(
            ExitRule("RETRY", on_status_reason=f"{SPOT_GONE if platform == FARGATE else HOST_GONE}*"),
            ExitRule(of_platform, on_reason="CannotPullContainerError*"),
            ExitRule(of_platform, on_reason="DockerTimeoutError*"),
            ExitRule("RETRY", on_exit_code=TRY_AGAIN),
            ExitRule("EXIT", on_reason="*"),
        ),
    )


def _container(step: StepSpec, cell: Cell) -> dict[str, Any]:
    """No job role: a container without one finds no credentials. The execution role is the machine's own."""
    is_fargate = cell.platform == FARGATE
    common = {
        "image": cell.image if step.is_builtin else step.image,
        "command": list(RUNNER),
        "user": NOBODY,
        "readonlyRootFilesystem": True,
        "resourceRequirements": [{"type": kind, "value": value} for kind, value in amounts(step.resources)],
        "mountPoints": [{"sourceVolume": "work", "containerPath": WORK, "readOnly": False}],
        # A process 1 that hands signals on and reaps what the step leaves behind.
        "linuxParameters": {"initProcessEnabled": True},
        "environment": [],
        "secrets": [],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": cell.log_group,
                "awslogs-region": cell.region,
                "awslogs-stream-prefix": cell.prefix,
            },
        },
    }
    role = {"executionRoleArn": cell.execution_role} if cell.execution_role else {}
    return common | role | (fargate.container(step) if is_fargate else _on_machine())


def _on_machine() -> dict[str, Any]:
    return {
        "privileged": False,
        # An empty volume takes over mode and owner of the folder in the image; it is gone with the container.
        "volumes": [{"name": "work", "host": {}}],
        "ulimits": [{"name": "core", "softLimit": 0, "hardLimit": 0}],
    }


def _rule(rule: ExitRule) -> dict[str, str]:
    patterns = {
        "onExitCode": rule.on_exit_code,
        "onReason": rule.on_reason,
        "onStatusReason": rule.on_status_reason,
    }
    return {"action": rule.action} | {key: pattern for key, pattern in patterns.items() if pattern}


def _digest(request: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(request).encode()).hexdigest()[:_DIGEST_LENGTH]
