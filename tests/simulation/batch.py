"""AWS Batch by its documents: jobs and arrays, attempts by the first rule that matches, machines that go away."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from tests.simulation.shapes import QUEUE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.simulation.bus import Bus
    from tests.simulation.world import World

OVER: Final = frozenset({"SUCCEEDED", "FAILED"})
HOST_GONE: Final = "Host EC2 (instance i-0123456789abcdef0) terminated."
NO_IMAGE: Final = "CannotPullContainerError: no such image"
NO_ROOM: Final = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY"
ENDED: Final = "Essential container in task exited"
BEGINNING_MS: Final = 1_790_000_000_000
GRACE_S: Final = 30.0


@dataclass(slots=True, eq=False)
class BatchJob:
    """A job alone, the whole of an array, or one of its children."""

    id: str
    name: str
    asked: Mapping[str, Any]
    visible_at: float
    whole: BatchJob | None = None
    index: int | None = None
    status: str = "SUBMITTED"
    reason: str = ""
    is_terminated: bool = False
    tries: list[dict[str, Any]] = field(default_factory=list)
    children: list[BatchJob] = field(default_factory=list)
    started_ms: int = 0
    ended_at: float = -1.0
    told: Callable[[BatchJob], None] | None = None
    run: int = 0
    """Which start of a container is the present one: what is meant for an earlier one is void."""

    def described(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "jobId": self.id,
            "jobName": self.name,
            "jobQueue": QUEUE,
            "status": self.status,
            "attempts": list(self.tries),
            "isTerminated": self.is_terminated,
            "container": {},
        }
        if self.reason:
            said["statusReason"] = self.reason
        if self.started_ms:
            said["startedAt"] = self.started_ms
        if self.children:
            said["arrayProperties"] = {"size": len(self.children)}
        elif self.index is not None:
            said["arrayProperties"] = {"index": self.index}
        return said

    @property
    def failed(self) -> int:
        return sum(child.status == "FAILED" for child in self.children)


class Batch:
    """`starts` runs a container for a job, `stops` sends it SIGTERM, `kills` ends it at once."""

    def __init__(self, world: World, bus: Bus) -> None:
        self.world, self.bus = world, bus
        self.jobs: dict[str, BatchJob] = {}
        self.starts: Callable[[BatchJob, int], None] = lambda *_: None
        self.stops: Callable[[BatchJob], None] = lambda _: None
        self.kills: Callable[[BatchJob], None] = lambda _: None

    def submit(self, asked: Mapping[str, Any], name: str, told: Callable[[BatchJob], None] | None) -> BatchJob:
        world = self.world
        ref = f"{world.rng.getrandbits(32):08x}"
        visible_at = world.now + (world.rng.uniform(0, 3) if world.rng.random() < 0.3 else 0)
        job = self.jobs[ref] = BatchJob(ref, name, asked, visible_at, told=told)
        for number in range(asked.get("array_size", 0)):
            child = BatchJob(f"{ref}:{number}", name, asked, visible_at, job, number, "PENDING")
            job.children.append(child)
            self.jobs[child.id] = child
        for one in job.children or [job]:
            self._queue(one)
        if job.children:
            self._moves(job, "PENDING")
        return job

    # -- a job's life ----------------------------------------------------------------------------------------------

    def _queue(self, job: BatchJob) -> None:
        self._moves(job, "RUNNABLE")
        job.run += 1
        waits = self.world.rng.uniform(0.5, 30)
        if self.world.befalls("no room", 0.03):
            job.reason = NO_ROOM
            self._tell(job)
            waits += self.world.rng.uniform(30, 900)
        self.world.at(waits, self._place, job, job.run)

    def _place(self, job: BatchJob, run: int) -> None:
        if job.run != run or job.status in OVER:
            return
        job.reason = ""
        self._moves(job, "STARTING")
        self.world.at(self.world.rng.uniform(0.5, 20), self._start, job, run)

    def _start(self, job: BatchJob, run: int) -> None:
        if job.run != run or job.status in OVER:
            return
        if self.world.befalls("no image", 0.02):
            self.exits(job, run, code=None, reason=NO_IMAGE)
            return
        job.started_ms = self._ms()
        self._moves(job, "RUNNING")
        if self.world.befalls("machine gone", 0.05):
            self.world.at(self.world.rng.uniform(0.1, 60), self._machine_gone, job, run)
        self.starts(job, run)

    def _machine_gone(self, job: BatchJob, run: int) -> None:
        if job.run == run and job.status == "RUNNING":
            self.kills(job)
            self.exits(job, run, code=None, status_reason=HOST_GONE)

    def exits(self, job: BatchJob, run: int, *, code: int | None, reason: str = "", status_reason: str = ENDED) -> None:
        """The container of this start has ended."""
        if job.run != run or job.status in OVER:
            return
        container = ({"exitCode": code} if code is not None else {}) | ({"reason": reason} if reason else {})
        job.tries.append(
            {
                "container": container,
                "statusReason": status_reason,
                "startedAt": job.started_ms or self._ms(),
                "stoppedAt": self._ms(),
            }
        )
        if code == 0:
            self._ends(job, "SUCCEEDED", status_reason)
        elif not job.is_terminated and self._tries_again(job, code, reason, status_reason):
            self._queue(job)
        else:
            self._ends(job, "FAILED", job.reason if job.is_terminated else status_reason)

    @staticmethod
    def _tries_again(job: BatchJob, code: int | None, reason: str, status_reason: str) -> bool:
        strategy = job.asked["retry_strategy"]
        if len(job.tries) >= strategy["Attempts"]:
            return False
        facts = {"OnExitCode": "" if code is None else str(code), "OnReason": reason, "OnStatusReason": status_reason}
        for rule in strategy.get("EvaluateOnExit", ()):
            if all(fnmatchcase(facts[key], rule[key]) for key in facts if key in rule):
                return bool(rule["Action"] == "RETRY")
        return True

    def _ends(self, job: BatchJob, status: str, reason: str) -> None:
        job.reason, job.ended_at = reason, self.world.now
        job.run += 1
        self._moves(job, status)
        whole = job.whole
        if whole is None:
            if job.told:
                job.told(job)
        elif whole.status not in OVER and all(child.status in OVER for child in whole.children):
            self._ends(whole, "FAILED" if whole.failed else "SUCCEEDED", "")

    def _moves(self, job: BatchJob, status: str) -> None:
        job.status = status
        self.world.say(f"Batch {job.id} ({job.name[-12:]}) {status} {job.reason}")
        self._tell(job)

    def _tell(self, job: BatchJob) -> None:
        self.bus.publish("job", job.described())

    def _ms(self) -> int:
        return BEGINNING_MS + int(self.world.now * 1000)

    # -- what it is asked ------------------------------------------------------------------------------------------

    def terminate(self, ref: str, reason: str) -> None:
        job = self.jobs[ref]
        for one in job.children or [job]:
            if one.status in OVER or one.is_terminated:
                continue
            one.is_terminated, one.reason = True, reason
            if one.status == "RUNNING":
                self.stops(one)
                self.world.at(GRACE_S, self._grace_over, one, one.run)
            else:
                self._ends(one, "FAILED", reason)

    def _grace_over(self, job: BatchJob, run: int) -> None:
        if job.run == run and job.status not in OVER:
            self.kills(job)
            self.exits(job, run, code=137)
