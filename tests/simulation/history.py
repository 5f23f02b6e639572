"""One world from its seed to its rest: people, dispatchers, consumers and reconciler, with the oracle looking on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orchestration.engines.base import ExecutionReport
from orchestration.engines.step_functions.events import ENDS
from orchestration.engines.step_functions.pieces import piece_of
from tests.simulation.batch import Batch
from tests.simulation.bus import Bus
from tests.simulation.claims import Right, indexes_of_run
from tests.simulation.container import Container
from tests.simulation.engine import SimulatedEngine
from tests.simulation.machine import Machine
from tests.simulation.oracle import Oracle
from tests.simulation.platform import left_to_run
from tests.simulation.rows import Rows, Violation
from tests.simulation.shapes import CHAIN, ONE, TWO, compiled, shape
from tests.simulation.sweeping import Sweeping
from tests.simulation.world import RECOVERY_S, Chaos, World

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from tests.simulation.batch import BatchJob
    from tests.simulation.bus import Message
    from tests.simulation.recording import Act
    from tests.simulation.rows import Job

DISPATCH_S: Final = 2.0
RECONCILE_S: Final = 30.0
STOP_S: Final = 5.0
LOOK_S: Final = 30.0
LONGEST_S: Final = 6 * 3600.0
CROWD: Final = 60


@dataclass(slots=True)
class Outcome:
    seed: int
    hours: float
    hits: Counter[str]
    trouble: str = ""
    trace: list[str] = field(default_factory=list)


class History:
    """`platform` and `engine` are classes, so that a control can put a broken one in their place."""

    platform_class: type[Sweeping] = Sweeping
    engine_class: type[SimulatedEngine] = SimulatedEngine
    oracle_class: type[Oracle] = Oracle
    world_class: type[World] = World
    has_reconciler = True

    def __init__(self, seed: int, *, chaos: Chaos | None = None, tells: bool = False) -> None:
        self.seed = seed
        self.world = world = self.world_class(seed, chaos, tells=tells)
        self.rows = Rows(world.clock)
        self.rows.said = world.say
        self.bus = Bus(world, self._wake_consumer)
        self.batch = Batch(world, self.bus)
        self.machine = Machine(world, self.bus, self.batch)
        self.engine = self.engine_class(world, self.machine, self.batch, self._plan)
        self.platform = self.platform_class(self.rows, self.engine, world.rng.random)
        self.platform.shuffle = world.rng.shuffle
        self.oracle = self.oracle_class(self)
        self.at_work: dict[str, Container] = {}
        self.containers: dict[str, Container] = {}
        self.people_to_come = 0
        self._is_dispatching = self._is_reconciling = self._is_stopping = False
        self.rows.ended = self._ended
        self._consumers = 0
        self.batch.starts, self.batch.stops, self.batch.kills = self._container, self._sigterm, self._sigkill

    # -- the whole -------------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        self._people()
        for _ in range(self.world.chaos.poison):
            self.bus.poison(self.world.rng.uniform(0, RECOVERY_S))
        self.world.at(RECOVERY_S + 120, self._look)
        trouble = ""
        try:
            if not self.world.run(LONGEST_S):
                raise Violation("it does not come to rest")  # noqa: TRY301  the oracle's, as any other
            self.oracle.at_rest()
        except Violation as found:
            trouble = str(found)
            self.world.say(f"VIOLATION: {found}")
        except Exception as exc:
            exc.add_note(f"in world {self.seed}, at {self.world.now:.2f} s")
            raise
        return Outcome(self.seed, self.world.now / 3600, self.world.hits, trouble, self.world.trace)

    def _look(self) -> None:
        self.oracle.look()
        if not self.is_at_rest():
            self.world.at(LOOK_S, self._look)

    def is_at_rest(self) -> bool:
        return not (self._is_needed() or self.bus.queue or self.bus.on_the_way or self.people_to_come)

    def _is_needed(self) -> bool:
        """Whether beat would find anything to do; where not, its rounds are left out."""
        return any(not job.is_finished for job in self.rows.jobs.values()) or any(
            one.settled_at is None for one in self.rows.executions.values()
        )

    # -- people ----------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        rng = self.world.rng
        many = CROWD if rng.random() < 0.005 else rng.randint(1, 3)
        for _ in range(many):
            of = shape(*rng.choice([(ONE, 1), (TWO, 1), (TWO, 3), (CHAIN, 2)])) if many < CROWD else shape(ONE, 1)
            self.people_to_come += 1
            self.world.at(rng.uniform(0, 400), self._submit, str(UUID(int=rng.getrandbits(128))), of)

    def _submit(self, job_id: str, of: Any) -> None:
        self.people_to_come -= 1
        if job_id in self.rows.jobs:
            return
        self.world.spawn("web", self.platform.submit(job_id, of), lambda _: self._submitted(job_id, of))

    def _submitted(self, job_id: str, of: Any) -> None:
        job = self.rows.jobs.get(job_id)
        if job is None:  # killed before the commit: the client has no answer and asks again, with the same key
            self.people_to_come += 1
            self.world.at(5, self._submit, job_id, of)
            return
        self._wake_dispatcher(nudged=True)
        rng = self.world.rng
        if rng.random() < 0.3:
            self._later(rng.choice([0.5, 20, 90, 300, 700]), self._cancel, job)
        if rng.random() < 0.3:
            self._later(rng.uniform(100, 1_500), self._retry, job)

    def _later(self, delay: float, call: Any, job: Job) -> None:
        self.people_to_come += 1
        self.world.at(delay, call, job)

    def _cancel(self, job: Job) -> None:
        self.people_to_come -= 1
        self.world.hits["cancel"] += not job.is_finished
        self.world.spawn("web", self.platform.cancel(job), lambda _: self._wake_beat())

    def _retry(self, job: Job) -> None:
        self.people_to_come -= 1
        run = job.run
        self.world.spawn("web", self.platform.retry(job), lambda _: self._retried(job, run))

    def _retried(self, job: Job, run: int) -> None:
        self.world.hits["retry"] += job.run > run
        self._wake_dispatcher(nudged=True)

    def _ended(self, job: Job) -> None:
        self._wake_stopper()
        self.oracle.ended(job)

    # -- beat ------------------------------------------------------------------------------------------------------

    def _wake_beat(self) -> None:
        if not self._is_reconciling:
            self._is_reconciling = True
            self.world.at(RECONCILE_S, self._reconcile)
        self._wake_stopper()

    def _wake_dispatcher(self, *, nudged: bool = False) -> None:
        if nudged:
            self.world.at(0.01, self._dispatch_once)
        if not self._is_dispatching:
            self._is_dispatching = True
            self.world.at(DISPATCH_S, self._dispatch)
        self._wake_beat()

    def _dispatch(self) -> None:
        jobs = self.rows.jobs.values()
        self._is_dispatching = any(job.execution is None and not job.is_finished for job in jobs)
        if self._is_dispatching:
            self._dispatch_once()
            self.world.at(DISPATCH_S, self._dispatch)

    def _dispatch_once(self) -> None:
        if not self.world.is_away("dispatcher"):
            self.world.spawn("dispatcher", self.platform.dispatch(), lambda _: self._wake_beat())

    def _reconcile(self) -> None:
        self._is_reconciling = self.has_reconciler and (self._is_needed() or bool(self.people_to_come))
        if not self._is_reconciling:
            return
        if not self.world.is_away("reconciler"):
            self.world.spawn("reconciler", self._beat())
        self.world.at(RECONCILE_S, self._reconcile)

    def _beat(self) -> Act[None]:
        self.world.hits["repairs"] += yield from self.platform.reconcile()

    def _wake_stopper(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self.world.at(self.world.rng.uniform(0, STOP_S), self._stop)

    def _stop(self) -> None:
        if not self.world.is_away("reconciler"):
            self.world.spawn("stopper", self.platform.stop_unwanted())
        self._is_stopping = self.platform.has_unwanted()
        if self._is_stopping:
            self.world.at(STOP_S, self._stop)

    # -- the consumer ----------------------------------------------------------------------------------------------

    def _wake_consumer(self) -> None:
        if self._consumers < 2:
            self._consumers += 1
            self.world.at(0.05, self._consume)

    def _consume(self) -> None:
        self._consumers -= 1
        if self.world.is_away("consumer"):
            self.world.at(20, self._wake_consumer)
            return
        self._take(self.bus.receive())

    def _take(self, messages: list[Message]) -> None:
        """One after the other; who is killed over one leaves the rest to be delivered again."""
        if not messages:
            soonest = self.bus.next_visible_in()
            if soonest is not None:
                self.world.at(max(soonest, 0.01), self._wake_consumer)
            return
        first, *rest = messages

        def after(ended: bool) -> None:  # noqa: FBT001
            if not ended:
                self.world.at(5, self._wake_consumer)
                return
            if first.kind != "poison":
                self.bus.delete(first)
            self.world.at(0.01, self._take, rest or self.bus.receive())

        self.world.spawn("consumer", self._record(first), after)

    def _record(self, message: Message) -> Act[None]:
        """As `services.events.record_event`; its check of the form is left to `lockstep`."""
        if message.kind == "job":
            yield from self.platform.witness(piece_of(message.detail, log_group="g"))
        elif message.kind == "execution":
            said = message.detail
            yield from self.platform.settle(ExecutionReport(said["name"], ENDS[said["status"]]))
        yield "events.recorded"

    # -- Batch's machines ------------------------------------------------------------------------------------------

    def _plan(self, job_id: str) -> Mapping[str, Any]:
        job = self.rows.jobs[job_id]
        return compiled(job.shape, left_to_run(job, lambda step: indexes_of_run(self.rows.of_job[job.id], step)))

    def _container(self, job: BatchJob, run: int) -> None:
        name, number = job.name[:36], int(job.name[38:].partition("-")[0])
        step = job.name.partition(f"-r{number}-")[2]
        right = Right(name, number, step)
        of = Container(self.world, self.platform, self.batch, self.at_work, job, run, right, len(job.tries) + 1)
        self.containers[job.id] = of
        of.start()

    def _sigterm(self, job: BatchJob) -> None:
        self.containers[job.id].is_told_to_stop = True

    def _sigkill(self, job: BatchJob) -> None:
        self.containers[job.id].gone()
