"""The pipelines of the simulated worlds, as YAML that the real services publish too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orchestration.engines.base import ExecutionSpec
from orchestration.engines.step_functions.compile import compile_plan
from orchestration.engines.step_functions.definition import retry_strategy
from orchestration.engines.step_functions.manifest import items_per_child
from orchestration.engines.step_functions.plan import ExecutionPlan, FanOut, StepPlan
from orchestration.spec.parse import parse_pipeline

if TYPE_CHECKING:
    from orchestration.spec.model import PipelineSpec, StepSpec

QUEUE: Final = "arn:aws:batch:eu-west-1:123456789012:job-queue/esteira"
DEFINITION: Final = "arn:aws:batch:eu-west-1:123456789012:job-definition/esteira-sim:1"
ONE: Final = """\
pipeline: sim-one
version: 1.0.0
title: One step
steps:
  - name: only
    command: [only]
"""
TWO: Final = """\
pipeline: sim-two
version: 1.0.0
title: Convert and report
steps:
  - name: convert
    command: [convert]
    for_each: input
    retry: {attempts: 2, on: [interrupted, platform], backoff: 1s}
    tolerate: {failed_items: 50%}
  - name: report
    needs: [convert]
    command: [report]
"""
CHAIN: Final = """\
pipeline: sim-chain
version: 1.0.0
title: A fan-out behind a fan-out
steps:
  - name: convert
    command: [convert]
    for_each: input
    retry: {attempts: 1}
    tolerate: {failed_items: 90%}
  - name: polish
    needs: [convert]
    for_each: input
    command: [polish]
    retry: {attempts: 8, on: [interrupted, platform, user_code], backoff: 2s}
"""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A pipeline over so many files."""

    text: str
    spec: PipelineSpec
    by_name: dict[str, StepSpec]
    files: int

    def totals(self) -> dict[str, int]:
        return {step.name: self.files if step.for_each else 1 for step in self.spec.steps}


@lru_cache(maxsize=64)
def shape(text: str, files: int) -> Shape:
    spec = parse_pipeline(text, file="pipeline.yaml")
    return Shape(text, spec, {step.name: step for step in spec.steps}, files)


@lru_cache(maxsize=4096)
def compiled(of: Shape, to_run: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, Any]:
    """What the product's compiler makes of the steps that are left, each with its items: an execution's input."""
    left = dict(to_run)
    plan = ExecutionPlan(
        spec=ExecutionSpec(name="x-r1", job_id=UUID(int=0), run=1),
        steps=tuple(_planned(step, of, left.get(step.name)) for step in of.spec.steps),
        manifest="s3://bucket/folder",
    )
    return compile_plan(plan).input


def _planned(step: StepSpec, of: Shape, indexes: tuple[int, ...] | None) -> StepPlan:
    fan_out = None
    if indexes is not None and step.fans_out:
        items = None if len(indexes) == of.files else indexes
        fan_out = FanOut(of.files, items, per_child=items_per_child(len(indexes)), tolerate=step.tolerate)
    return StepPlan.of(
        step,
        queue=QUEUE,
        job_definition=DEFINITION if indexes is not None else "",
        retry=retry_strategy(step),
        fan_out=fan_out,
        is_done=indexes is None,
    )
