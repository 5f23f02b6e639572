"""The product's adapter over the simulated AWS: calls, adoption, stops and the table of errors are the real ones."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from orchestration.engines.step_functions.adapter import EXISTS, NOT_THERE, StepFunctionsEngine
from orchestration.engines.step_functions.cell import Cell
from orchestration.engines.step_functions.compile import Compiled
from tests.simulation.batch import OVER
from tests.simulation.shapes import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from orchestration.engines.base import ExecutionSpec
    from tests.simulation.batch import Batch
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

MACHINE: Final = "arn:aws:states:eu-west-1:123456789012:stateMachine:esteira"
CELL: Final = Cell(state_machine=MACHINE, queue=QUEUE, image="i", log_group="g", server="https://e.example")
ADDRESS: Final = "https://aws.example"


def refusal(code: str, status: int, operation: str) -> ClientError:
    said: Any = {"Error": {"Code": code, "Message": "Not so."}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(said, operation)


@dataclass(slots=True)
class Wire:
    """The way to AWS: a request may be refused, lost on its way there, or its answer on the way back."""

    world: World
    calls: dict[str, deque[float]] = field(default_factory=dict)
    busiest: dict[str, int] = field(default_factory=dict)
    """Of each operation, the most calls in any 30 seconds."""

    def ask(self, operation: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        world = self.world
        self._count(operation)
        if world.is_away("aws") or world.strikes(f"{operation} broken", world.chaos.broken):
            raise refusal("InternalServerException", 500, operation)
        if world.strikes(f"{operation} throttled", world.chaos.throttled):
            raise refusal("ThrottlingException", 400, operation)
        if world.strikes(f"{operation} never arrives", world.chaos.lost):
            raise ConnectTimeoutError(endpoint_url=ADDRESS)
        answer = act()
        if world.strikes(f"answer to {operation} lost", world.chaos.lost):
            raise ReadTimeoutError(endpoint_url=ADDRESS)
        return answer

    def _count(self, operation: str) -> None:
        lately = self.calls.setdefault(operation, deque())
        lately.append(self.world.now)
        while lately[0] < self.world.now - 30:
            lately.popleft()
        self.busiest[operation] = max(self.busiest.get(operation, 0), len(lately))


class StepFunctions:
    def __init__(self, wire: Wire, machine: Machine, compiled: Mapping[str, Mapping[str, Any]]) -> None:
        self._wire, self._machine, self._compiled = wire, machine, compiled

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: A002, ARG002, N803
        return self._wire.ask("StartExecution", lambda: self._start(name, input))

    def _start(self, name: str, text: str) -> dict[str, Any]:
        there = self._machine.runs.get(name)
        if there is not None and (there.status != "RUNNING" or there.text != text):
            raise refusal(EXISTS, 400, "StartExecution")
        if there is None:
            self._machine.start(name, text, self._compiled[text])
        return {"executionArn": CELL.execution(name)}

    def stop_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return self._wire.ask("StopExecution", lambda: self._stop(executionArn))

    def _stop(self, arn: str) -> dict[str, Any]:
        self._machine.stop(self._found(arn, "StopExecution"))
        return {}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return self._wire.ask("DescribeExecution", lambda: self._described(executionArn))

    def _described(self, arn: str) -> dict[str, Any]:
        run = self._found(arn, "DescribeExecution")
        return {"executionArn": arn, "name": run.name, "status": run.status, "input": run.text}

    def _found(self, arn: str, operation: str) -> Any:
        run = self._machine.runs.get(arn.rpartition(":")[2])
        if run is None:
            raise refusal(NOT_THERE, 400, operation)
        return run


class BatchClient:
    def __init__(self, wire: Wire, batch: Batch) -> None:
        self._wire, self._batch = wire, batch

    def describe_jobs(self, *, jobs: list[str]) -> dict[str, Any]:
        known = self._batch.jobs
        return self._wire.ask(
            "DescribeJobs", lambda: {"jobs": [known[ref].described() for ref in jobs if ref in known]}
        )

    def get_paginator(self, _: str) -> BatchClient:
        return self

    def paginate(self, *, jobQueue: str, filters: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:  # noqa: ARG002, N803
        begin = filters[0]["values"][0].removesuffix("*")
        yield self._wire.ask("ListJobs", lambda: self._listed(begin))

    def _listed(self, begin: str) -> dict[str, Any]:
        now = self._batch.world.now
        shown = [
            {"jobId": job.id, "status": job.status}
            for job in self._batch.jobs.values()
            if job.whole is None and job.name.startswith(begin) and job.visible_at <= now
        ]
        return {"jobSummaryList": shown}

    def terminate_jobs(self, *, jobs: list[str], reason: str) -> dict[str, Any]:
        return self._wire.ask("TerminateJobs", lambda: self._terminated(jobs, reason))

    def _terminated(self, jobs: list[str], reason: str) -> dict[str, Any]:
        errors = []
        for ref in jobs:
            if self._batch.world.strikes("job not terminated", self._batch.world.chaos.throttled):
                errors.append({"job": ref, "code": "TooManyRequestsException", "message": "Not now."})
            elif self._batch.jobs[ref].status not in OVER:
                self._batch.terminate(ref, reason)
        return {"successful": [], "errors": errors}


class SimulatedEngine(StepFunctionsEngine):
    """`plans` finds what is left to run of a job, compiled: the one thing that the product reads from its tables."""

    def __init__(self, world: World, machine: Machine, batch: Batch, plans: Callable[[str], Mapping[str, Any]]) -> None:
        self.cell = CELL
        self.wire = Wire(world)
        self._plans = plans
        self._compiled: dict[str, Mapping[str, Any]] = {}
        clients = {
            "stepfunctions": StepFunctions(self.wire, machine, self._compiled),
            "batch": BatchClient(self.wire, batch),
        }
        self.clients = clients  # type: ignore[assignment]

    def start(self, spec: ExecutionSpec) -> str:
        compiled = self._plans(str(spec.job_id))
        whose = {"execution": spec.name, "job_id": str(spec.job_id), "run": spec.run}
        text = json.dumps(whose | {"resume": compiled["resume_stage"]})
        self._compiled[text] = compiled
        return self._begin(Compiled(self.name_of(spec), text))

    def name_of(self, spec: ExecutionSpec) -> str:
        return spec.name
