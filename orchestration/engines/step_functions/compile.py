"""ExecutionPlan → the execution's input: the same plan gives the same bytes, whoever compiles it and when."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jsonschema import Draft202012Validator

from orchestration.engines.step_functions.manifest import MOST_CHILDREN, lines
from orchestration.engines.step_functions.plan import SHORTEST_ATTEMPT_S, RetryStrategy, StepPlan, amounts, canonical
from orchestration.errors import EngineRejected
from orchestration.spec import graph
from orchestration.spec.problems import key_of
from orchestration.spec.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jsonschema import ValidationError

    from orchestration.engines.base import ExecutionSpec
    from orchestration.engines.step_functions.plan import ExecutionPlan, ExitRule

SCHEMA_VERSION: Final = 1
# Step Functions takes 256 KiB; what its own states add must fit too.
MOST_INPUT_BYTES: Final = 200 * 1024
MOST_SUBMIT_BYTES: Final = 30 * 1024
SPOT: Final = "-SPOT"
"""Ends the name of a Batch job on spot machines; no step's name has capital letters."""
INPUT_SCHEMA: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("input.schema.json").read_text(encoding="utf-8")
)
_VALIDATOR: Final = Draft202012Validator(INPUT_SCHEMA)


@dataclass(frozen=True, slots=True)
class Compiled:
    """`text` is canonical JSON: StartExecution answers a repeat with the same bytes as it answered the first."""

    name: str
    text: str

    @property
    def input(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.text)
        return data


def compile_plan(plan: ExecutionPlan) -> Compiled:
    """Raises EngineRejected for what AWS would never take, with a sentence that says what."""
    data = _input(plan)
    if error := next(_VALIDATOR.iter_errors(data), None):
        raise EngineRejected(_complaint(error, data))
    text = canonical(data)
    if len(text) > MOST_INPUT_BYTES:
        raise EngineRejected(f"The execution's input has {len(text)} bytes; {MOST_INPUT_BYTES} are allowed.")
    _check_requests(data)
    return Compiled(plan.spec.name, text)


def submit_arguments(data: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """What the state machine gives SubmitJob for this step of an input."""
    arguments: dict[str, Any] = {
        "JobName": step["job_name"],
        "JobQueue": step["job_queue"],
        "JobDefinition": step["job_definition"],
        "Parameters": step["parameters"],
        "ContainerOverrides": {
            "Environment": [*data["environment"], *step["environment"]],
            "ResourceRequirements": step["resources"],
        },
        "RetryStrategy": step["retry_strategy"],
        "Timeout": {"AttemptDurationSeconds": step["attempt_seconds"]},
    }
    if "array_size" in step:
        arguments["ArrayProperties"] = {"Size": step["array_size"]}
    if "share_identifier" in step:
        arguments["ShareIdentifier"] = step["share_identifier"]
    if "priority" in step:
        arguments["SchedulingPriorityOverride"] = step["priority"]
    return arguments


def manifests(plan: ExecutionPlan) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Address and lines of each manifest that must lie there before the execution starts."""
    for step in plan.steps:
        if step.fan_out and not step.is_done:
            items = ((plan.spec.job_id, item) for item in step.fan_out.indexes)
            yield f"{plan.manifest}/{step.name}.jsonl", lines(items)


def job_name(spec: ExecutionSpec, step: str) -> str:
    return f"{job_name_prefix(spec)}{step}"


def job_name_prefix(spec: ExecutionSpec) -> str:
    """Of every Batch job of this execution and of no other: run 1 is no prefix of run 10."""
    return f"{spec.name}-"


def _input(plan: ExecutionPlan) -> dict[str, Any]:
    stages = _stages(plan.steps)
    to_run = [[step for step in stage if not step.is_done] for stage in stages]
    if not any(to_run):
        raise EngineRejected("No step of this job is left to run.")
    fans_out = any(step.fan_out for stage in to_run for step in stage)
    if fans_out and not plan.manifest:
        raise EngineRejected("A step fans out, and the plan does not say where its manifest lies.")
    always = {"ESTEIRA_JOB_ID": str(plan.spec.job_id), "ESTEIRA_RUN": str(plan.spec.run)}
    if fans_out:
        always["ESTEIRA_MANIFEST"] = plan.manifest
    data: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "execution": plan.spec.name,
        "job_id": str(plan.spec.job_id),
        "run": plan.spec.run,
        "resume_stage": next(number for number, stage in enumerate(to_run) if stage),
        "environment": _environment(plan.environment, always),
        "stages": [{"steps": steps} for steps in _compiled_stages(plan, to_run)],
    }
    return data | ({"manifest": plan.manifest} if fans_out else {})


def _stages(steps: Sequence[StepPlan]) -> list[list[StepPlan]]:
    known = [step.name for step in steps]
    for step in steps:
        if known.count(step.name) > 1:
            raise EngineRejected(f"Two steps are called {step.name}.")
        if missing := [need for need in step.needs if need not in known]:
            raise EngineRejected(f"Step {step.name} needs {missing[0]}, which is no step of this plan.")
    try:
        return graph.stages(steps)
    except ValueError as exc:
        raise EngineRejected(f"The steps have no order: {exc}.") from exc


def _compiled_stages(plan: ExecutionPlan, stages: list[list[StepPlan]]) -> Iterator[list[dict[str, Any]]]:
    positions = {step.name: number for number, step in enumerate(plan.steps)}
    running = {step.name: positions[step.name] for stage in stages for step in stage}
    dependents = _dependents([step for stage in stages for step in stage])
    left = set(running)
    for stage in stages:
        compiled = []
        for step in stage:
            # Only where all that is left depends on it does a step that fails leave nothing to go on with.
            outlived = left - dependents[step.name] - {step.name}
            compiled.append(_step(plan.spec, step, running, is_strict=not outlived))
        left -= {step.name for step in stage}
        yield compiled


def _dependents(steps: Sequence[StepPlan]) -> dict[str, set[str]]:
    """Who needs a step, near or far. `steps` are in an order in which they may run."""
    found: dict[str, set[str]] = {step.name: set() for step in steps}
    for step in reversed(steps):
        for need in step.needs:
            if need in found:
                found[need] |= {step.name} | found[step.name]
    return found


def _step(spec: ExecutionSpec, step: StepPlan, running: Mapping[str, int], *, is_strict: bool) -> dict[str, Any]:
    own = {"ESTEIRA_STEP": step.name}
    tolerated = 0
    more: dict[str, Any] = {}
    if step.fan_out:
        _check_fan_out(step)
        own |= {
            "ESTEIRA_ITEMS": str(len(step.fan_out.indexes)),
            "ESTEIRA_ITEMS_PER_CHILD": str(step.fan_out.per_child),
        }
        tolerated = step.fan_out.tolerated_children
        more |= {"array_size": step.fan_out.children} if step.fan_out.children > 1 else {}
        more |= {"tolerated_failures": tolerated} if tolerated else {}
    more |= {"on_demand": _on_demand(spec, step, own)} if step.on_demand else {}
    more |= {"share_identifier": step.share_identifier} if step.share_identifier else {}
    more |= {"priority": step.priority} if step.priority is not None else {}
    return more | {
        "name": step.name,
        "position": running[step.name],
        "needs": sorted({running[need] for need in step.needs if need in running}),
        "job_name": job_name(spec, step.name) + (SPOT if step.on_demand else ""),
        "job_queue": step.queue,
        "job_definition": step.job_definition,
        "parameters": dict(step.parameters),
        "environment": _environment(step.environment, own),
        "resources": [{"Type": kind, "Value": value} for kind, value in amounts(step.resources)],
        "retry_strategy": _retry_strategy(step.name, step.retry),
        "attempt_seconds": max(step.attempt_s, SHORTEST_ATTEMPT_S),
        "task_timeout_seconds": max(step.task_s, step.attempt_s, SHORTEST_ATTEMPT_S),
        "on_failure": "fail" if is_strict and not tolerated else "continue",
    }


def _on_demand(spec: ExecutionSpec, step: StepPlan, own: Mapping[str, str]) -> dict[str, Any]:
    """What is said anew to Batch for what the spot machines have left; all else stays as it was."""
    then = step.on_demand
    if then is None:
        return {}
    return {
        "job_name": job_name(spec, step.name),
        "job_queue": then.queue,
        "environment": _environment(then.environment, own),
        "retry_strategy": _retry_strategy(step.name, then.retry),
        "task_timeout_seconds": max(then.task_s, step.attempt_s, SHORTEST_ATTEMPT_S),
    }


def _check_fan_out(step: StepPlan) -> None:
    fan_out = step.fan_out
    if fan_out is None or not fan_out.indexes:
        raise EngineRejected(f"Step {step.name} fans out over no items.")
    if fan_out.per_child < 1:
        raise EngineRejected(f"A child of step {step.name} must work on one item at least.")
    if fan_out.items is not None and len(set(fan_out.items)) < len(fan_out.items):
        raise EngineRejected(f"Step {step.name} would work on an item twice.")
    if fan_out.children > MOST_CHILDREN:
        raise EngineRejected(
            f"Step {step.name} would need an array of {fan_out.children} children, and Batch takes {MOST_CHILDREN}; "
            "give each child more items."
        )


def _environment(given: Mapping[str, str], ours: Mapping[str, str]) -> list[dict[str, str]]:
    if taken := sorted(given.keys() & ours.keys()):
        raise EngineRejected(f"The environment may not say {taken[0]}: the engine does.")
    return [{"Name": name, "Value": value} for name, value in sorted([*given.items(), *ours.items()])]


def _retry_strategy(step: str, retry: RetryStrategy) -> dict[str, Any]:
    if retry.attempts > 1 and not (retry.rules and _ends_all(retry.rules[-1])):
        raise EngineRejected(f"The last rule of step {step}'s retries must end whatever no other rule matches.")
    rules = [
        {"Action": rule.action}
        | {
            key: pattern
            for key, pattern in [
                ("OnExitCode", rule.on_exit_code),
                ("OnReason", rule.on_reason),
                ("OnStatusReason", rule.on_status_reason),
            ]
            if pattern
        }
        for rule in retry.rules
    ]
    return {"Attempts": retry.attempts} | ({"EvaluateOnExit": rules} if rules else {})


def _ends_all(rule: ExitRule) -> bool:
    return rule.action == "EXIT" and rule.on_reason == "*" and not (rule.on_exit_code or rule.on_status_reason)


def _check_requests(data: dict[str, Any]) -> None:
    steps = [step for stage in data["stages"] for step in stage["steps"]]
    for step in [*steps, *(step | step["on_demand"] for step in steps if "on_demand" in step)]:
        arguments = submit_arguments(data, step)
        names = Counter(entry["Name"] for entry in arguments["ContainerOverrides"]["Environment"])
        if twice := [name for name, count in names.items() if count > 1]:
            raise EngineRejected(f"The environment of step {step['name']} says {twice[0]} twice.")
        size = len(canonical(arguments))
        if size > MOST_SUBMIT_BYTES:
            asked = f"The request to Batch for step {step['name']}"
            raise EngineRejected(f"{asked} has {size} bytes; {MOST_SUBMIT_BYTES} are allowed.")


def _complaint(error: ValidationError, data: dict[str, Any]) -> str:
    match list(error.absolute_path):
        case ["stages", int(stage), "steps", int(number), *path]:
            where = f"Step {data['stages'][stage]['steps'][number]['name']}: "
        case path:
            where = ""
    key = key_of(path)
    return f"{where}{key} {sentence(error, you='it is')}" if key else f"{where}{sentence(error, you='it is')}"
