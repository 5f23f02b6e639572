"""What one execution is to do: every step with its place on Batch. Plain data, nothing looked up any more."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from orchestration.engines.step_functions.manifest import children
from orchestration.spec.model import Resources, StepSpec, Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.engines.base import ExecutionSpec

# Batch takes no shorter one. The runner keeps the step's own time; this ends only a runner that hangs.
SHORTEST_ATTEMPT_S: Final = 60
# An item's inputs come and its outputs go outside the step's own time, and SIGTERM grants it 30 s.
AROUND_AN_ITEM_S: Final = 330
# The runner's patience with a platform that does not answer.
PATIENCE_S: Final = 900
# How long a job may stand in the queue before its task gives it up.
IN_QUEUE_S: Final = 86_400
# Step Functions ends any execution after a year.
LONGEST_S: Final = 31_536_000
# How the reason begins where a machine, or a place on Fargate, was taken away.
HOST_GONE: Final = "Host EC2"
SPOT_GONE: Final = "Your Spot Task was interrupted"
_MIB: Final = 1 << 20


def canonical(data: Any) -> str:
    """JSON that is the same text whenever it is made: what AWS, or a name, is to know again."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def amounts(wanted: Resources) -> list[tuple[str, str]]:
    """By Batch's types. On EC2 it gives whole processors, and memory in MiB."""
    found = [
        ("VCPU", str(max(1, math.ceil(wanted.vcpu)))),
        ("MEMORY", str(max(1, -(-wanted.memory_bytes // _MIB)))),
    ]
    return [*found, ("GPU", str(wanted.gpu))] if wanted.gpu else found


@dataclass(frozen=True, slots=True)
class ExitRule:
    """What Batch does after an attempt whose end matches; a pattern may end in `*`."""

    action: Literal["RETRY", "EXIT"]
    on_exit_code: str = ""
    on_reason: str = ""
    on_status_reason: str = ""


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """Attempts in all, the first included. The last rule must match everything: what none matches is tried again."""

    attempts: int = 1
    rules: tuple[ExitRule, ...] = ()


@dataclass(frozen=True, slots=True)
class FanOut:
    """`items` are those to run, all `total` of them unless given: a rerun names the few it is about."""

    total: int
    items: Sequence[int] | None = None
    per_child: int = 1
    tolerate: Tolerance | None = None

    @property
    def indexes(self) -> Sequence[int]:
        return range(self.total) if self.items is None else self.items

    @property
    def children(self) -> int:
        return children(len(self.indexes), self.per_child)

    @property
    def tolerated_children(self) -> int:
        """The most children that may fail in a step that has still succeeded.

        A child that fails stands for one failed item at least, so this is never too few; the platform, which counts
        items, decides.
        """
        allowed = self.tolerate.allowed(self.total) if self.tolerate else 0
        # Without one success a step fails; earlier runs and other items of a child may hold one.
        spared = self.items is None and self.per_child == 1
        return min(allowed, self.children - spared)


@dataclass(frozen=True, slots=True)
class OnDemand:
    """Where what a step's spot machines left undone goes on: another Batch job, of no more children than failed."""

    queue: str
    retry: RetryStrategy
    task_s: int
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StepPlan:
    """A step where it is to run. `is_done`: its outcome stands from an earlier run, it is not run again."""

    name: str
    queue: str
    job_definition: str
    needs: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    retry: RetryStrategy = field(default_factory=RetryStrategy)
    attempt_s: int = 3_600
    task_s: int = IN_QUEUE_S
    fan_out: FanOut | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    share_identifier: str = ""
    priority: int | None = None
    is_done: bool = False
    on_demand: OnDemand | None = None
    """Then `queue` is one of spot machines."""

    @classmethod
    def of(
        cls,
        step: StepSpec,
        *,
        queue: str,
        job_definition: str,
        retry: RetryStrategy,
        fan_out: FanOut | None = None,
        in_queue_s: int = IN_QUEUE_S,
        **fields: Any,
    ) -> Self:
        """The pipeline's step with its times worked out; `fields` are the others of this class."""
        attempt_s = attempt_seconds(step, fan_out)
        return cls(
            name=step.name,
            needs=step.needs,
            resources=step.resources,
            queue=queue,
            job_definition=job_definition,
            retry=retry,
            attempt_s=attempt_s,
            task_s=task_seconds(retry, attempt_s, in_queue_s=in_queue_s),
            fan_out=fan_out,
            **fields,
        )


def attempt_seconds(step: StepSpec, fan_out: FanOut | None) -> int:
    items = min(fan_out.per_child, len(fan_out.indexes)) if fan_out else 1
    return min(items * (step.timeout_s + AROUND_AN_ITEM_S) + PATIENCE_S, LONGEST_S)


def task_seconds(retry: RetryStrategy, attempt_s: int, *, in_queue_s: int = IN_QUEUE_S) -> int:
    return min(in_queue_s + retry.attempts * attempt_s, LONGEST_S)


@dataclass(frozen=True, slots=True)
class ExecutionPlan:
    """All steps of the pipeline in its own order. `manifest` is the folder in which `<step>.jsonl` lies.

    `environment` is what every step gets.
    """

    spec: ExecutionSpec
    steps: tuple[StepPlan, ...]
    manifest: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
