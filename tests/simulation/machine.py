"""Step Functions by its documents: an execution by name, its stages of Batch jobs, and a stop that promises little."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.batch import BEGINNING_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.simulation.batch import Batch, BatchJob
    from tests.simulation.bus import Bus
    from tests.simulation.world import World


ON_ITS_WAY_S: Final = 5.0
"""A request that was sent before a stop: an aborted execution runs no `Retry`, so nothing comes much later."""


@dataclass(slots=True, eq=False)
class Run:
    """An execution."""

    name: str
    text: str
    stages: list[dict[str, Any]]
    cursor: int
    status: str = "RUNNING"
    ended_at: float = -1.0
    lost: set[int] = field(default_factory=set)
    open: dict[int, BatchJob | None] = field(default_factory=dict)
    """By position, the steps of the stage that have not ended; None until its submission has been answered."""

    @property
    def whose(self) -> tuple[str, int]:
        given = json.loads(self.text)
        return given["job_id"], given["run"]


class Machine:
    def __init__(self, world: World, bus: Bus, batch: Batch) -> None:
        self.world, self.bus, self.batch = world, bus, batch
        self.runs: dict[str, Run] = {}

    def start(self, name: str, text: str, compiled: Mapping[str, Any]) -> Run:
        run = self.runs[name] = Run(name, text, compiled["stages"], compiled["resume_stage"])
        self.world.say(f"execution {name[:4]}{name[36:]} RUNNING")
        self._tell(run)
        self.world.at(0.1, self._stage, run)
        return run

    def stop(self, run: Run) -> None:
        if run.status != "RUNNING":
            return
        jobs = [job for job in run.open.values() if job]
        self._ends(run, "ABORTED")
        for job in jobs:  # best effort
            if not self.world.befalls("forgotten by Step Functions", 0.4):
                self.batch.terminate(job.id, "Terminated by Step Functions.")

    # -- its life --------------------------------------------------------------------------------------------------

    def _stage(self, run: Run) -> None:
        if run.status != "RUNNING":
            return
        if run.cursor >= len(run.stages):
            self._ends(run, "FAILED" if run.lost else "SUCCEEDED")
            return
        steps = run.stages[run.cursor]["steps"]
        run.open = {step["position"]: None for step in steps}
        for step in steps:
            if run.lost & set(step["needs"]):
                self._step_over(run, step["position"], "SKIPPED")
            else:
                self.world.at(self.world.rng.uniform(0.1, 1), self._submit, run, step)

    def _submit(self, run: Run, step: Mapping[str, Any]) -> None:
        """What is on its way when an execution is stopped arrives all the same, if soon, and is not sent again."""
        world = self.world
        is_over = run.status != "RUNNING"
        if is_over and (world.now > run.ended_at + ON_ITS_WAY_S or not world.befalls("submitted after a stop", 0.3)):
            return
        name = f"{run.name}-{step['name']}"
        is_unanswered = world.strikes("SubmitJob throttled", world.chaos.throttled)
        if not is_unanswered and world.strikes("SubmitJob twice", world.chaos.lost):
            self.batch.submit(step, name, None)  # nobody will know of it
            is_unanswered = True
        if is_unanswered:
            if not is_over:
                world.at(world.rng.uniform(1, 10), self._submit, run, step)
            return
        job = self.batch.submit(step, name, lambda job: self._job_over(run, step, job))
        if run.open.get(step["position"], job) is None:
            run.open[step["position"]] = job

    def _job_over(self, run: Run, step: Mapping[str, Any], job: BatchJob) -> None:
        if run.status != "RUNNING":
            return
        if job.status == "SUCCEEDED":
            self._step_over(run, step["position"], "SUCCEEDED")
        elif step["on_failure"] == "fail":
            jobs = [one for one in run.open.values() if one and one is not job]
            self._ends(run, "FAILED")
            for one in jobs:
                self.batch.terminate(one.id, "Terminated by Step Functions.")
        else:
            is_few = "tolerated_failures" in step and max(job.failed, 1) <= step["tolerated_failures"]
            self._step_over(run, step["position"], "SUCCEEDED" if is_few else "FAILED")

    def _step_over(self, run: Run, position: int, outcome: str) -> None:
        run.open.pop(position, None)
        if outcome != "SUCCEEDED":
            run.lost.add(position)
        if not run.open:
            run.cursor += 1
            self.world.at(0.1, self._stage, run)

    def _ends(self, run: Run, status: str) -> None:
        run.status, run.ended_at, run.open = status, self.world.now, {}
        self.world.say(f"execution {run.name[:4]}{run.name[36:]} {status}")
        self._tell(run)

    def _tell(self, run: Run) -> None:
        ended = {"stopDate": BEGINNING_MS + int(run.ended_at * 1000)} if run.status != "RUNNING" else {}
        self.bus.publish("execution", {"name": run.name, "status": run.status, **ended})
