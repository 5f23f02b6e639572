"""Model and product side by side: each act is done by both, killed at the same point, and must leave the same rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from orchestration.errors import OrchestrationError
from tests.simulation.engine import SimulatedEngine
from tests.simulation.history import History
from tests.simulation.real import ahead, question
from tests.simulation.rows import Violation
from tests.simulation.sweeping import Sweeping
from tests.simulation.world import Chaos, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from orchestration.engines.base import ExecutionSpec, Report
    from tests.orchestration.clock import Clock
    from tests.simulation.bus import Message
    from tests.simulation.claims import Given, Right
    from tests.simulation.real import Real
    from tests.simulation.recording import Act
    from tests.simulation.rows import Job
    from tests.simulation.shapes import Shape

KILLED: Final = "killed"


class Together(World):
    """Acts are not held up: the product's run on one thread. Kills and everything else are as in any world."""

    def fate_at(self, who: str, point: str) -> float | None:  # noqa: ARG002  as its base
        return None if point == KILLED else 0.0

    def kills_at(self, point: str) -> bool:
        return self.strikes(f"kill at {point}", self.chaos.kill)


class Noted(SimulatedEngine):
    """Notes what the model asks, for the product to ask the same."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.answers: list[tuple[Any, Any]] = []

    def start(self, spec: ExecutionSpec) -> str:
        return str(self._noted(question("start", spec), lambda: super(Noted, self).start(spec)))

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        return bool(self._noted(question("stop", spec), lambda: super(Noted, self).stop(spec, reason=reason)))

    def report(self, specs: Any, *, looks: int = 0) -> Report:
        found: Report = self._noted(question("report", *specs), lambda: super(Noted, self).report(specs, looks=looks))
        return found

    def _noted(self, asked: Any, ask: Callable[[], Any]) -> Any:
        try:
            answer = ask()
        except OrchestrationError as exc:
            self.answers.append((asked, exc))
            raise
        self.answers.append((asked, answer))
        return answer


class Both(Sweeping):
    """Where the product has an act of its own, it is played after the model's."""

    history: LockStep
    is_inside = False

    def submit(self, job_id: str, of: Shape) -> Act[Any]:
        return self._both(super().submit(job_id, of), lambda real: real.submit(job_id, of), answers=False)

    def cancel(self, job: Job) -> Act[None]:
        return self._both(super().cancel(job), lambda real: real.cancel(job.id))

    def retry(self, job: Job) -> Act[None]:
        return self._both(super().retry(job), lambda real: real.retry(job.id))

    def dispatch(self) -> Act[Any]:
        return self._both(super().dispatch(), lambda real: real.dispatch(), answers=False)

    def reconcile(self) -> Act[Any]:
        return self._both(super().reconcile(), lambda real: real.reconcile(), answers=False)

    def stop_unwanted(self) -> Act[Any]:
        return self._both(super().stop_unwanted(), lambda real: real.stop_unwanted(), answers=False)

    def record_event(self, message: Message, model: Act[None]) -> Act[None]:
        return self._both(model, lambda real: real.record_event(message))

    def claim(self, right: Right, batch_job: str, number: int, child: int, done: int) -> Act[Given]:
        model = super().claim(right, batch_job, number, child, done)
        return self._both(model, lambda real: real.claim(right, batch_job, number, child, done))

    def begin(self, name: str, fence: int) -> Act[None]:
        return self._both(super().begin(name, fence), lambda real: real.begin(name, fence))

    def heartbeat(self, name: str, fence: int) -> bool:
        def model() -> Act[bool]:
            yield from ()
            return super(Both, self).heartbeat(name, fence)

        found: Any = None
        act = self._both(model(), lambda real: real.heartbeat(name, fence))
        try:
            next(act)
        except StopIteration as end:
            found = end.value
        return bool(found)

    def finish(self, name: str, fence: int, outcome: str, kind: str = "", *, retry: bool = False) -> Act[None]:
        model = super().finish(name, fence, outcome, kind, retry=retry)
        return self._both(model, lambda real: real.finish(name, fence, outcome, kind, retry=retry))

    # -- side by side ----------------------------------------------------------------------------------------------

    def _both(self, model: Act[Any], act: Callable[[Real], Any], *, answers: bool = True) -> Act[Any]:
        if self.is_inside:
            return (yield from model)
        history = self.history
        history.noted.answers = []
        result, error, killed_at = self._model(model)
        told = type(error).__name__ if error else "Killed" if killed_at else ""
        found = history.play(act, killed_at)
        expected = (result if answers and not told else None, told)
        if (found[0] if answers else None, found[1]) != expected:
            raise Violation(f"the model came to {expected}, the product to {found}, killed at {killed_at}")
        history.compare()
        if killed_at:
            yield KILLED
        if error:
            raise error
        return result

    def _model(self, model: Act[Any]) -> tuple[Any, OrchestrationError | None, tuple[str, int] | None]:
        passed: Counter[str] = Counter()
        self.is_inside = True
        try:
            while True:
                point = next(model)
                passed[point] += 1
                if self.history.together.kills_at(point):
                    model.close()
                    return None, None, (point, passed[point])
        except StopIteration as end:
            return end.value, None, None
        except OrchestrationError as exc:
            return None, exc, None
        finally:
            self.is_inside = False


class LockStep(History):
    platform_class = Both
    engine_class = Noted
    world_class = Together

    def __init__(self, seed: int, real: Real, clock: Clock, *, chaos: Chaos | None = None) -> None:
        super().__init__(seed, chaos=chaos, tells=True)
        self.real, self._clock = real, clock
        self.acts = 0
        self.platform.history = self  # type: ignore[attr-defined]
        self.platform.jitter = lambda: 0.5
        self.platform.shuffle = lambda jobs: jobs.sort(key=lambda job: job.id)

    @property
    def noted(self) -> Noted:
        assert isinstance(self.engine, Noted)
        return self.engine

    @property
    def together(self) -> Together:
        assert isinstance(self.world, Together)
        return self.world

    def play(self, act: Callable[[Real], Any], killed_at: tuple[str, int] | None) -> tuple[Any, str]:
        self.acts += 1
        self._clock.set(ahead(self.world.now))
        return self.real.play(lambda: act(self.real), killed_at=killed_at, answers=self.noted.answers)

    def compare(self) -> None:
        left = [asked for asked, _ in self.real.engine.answers]
        if left:
            raise Violation(f"the model asked the engine {left}, and the product did not")
        model, real = self._snapshot(), self.real.snapshot()
        if model != real:
            raise Violation("rows differ: " + "; ".join(differences(model, real)))

    def _record(self, message: Message) -> Act[None]:
        model = super()._record(message)
        if message.kind == "poison":
            return model
        assert isinstance(self.platform, Both)
        return self.platform.record_event(message, model)

    def _snapshot(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {job.id: _of_job(job) for job in self.rows.jobs.values()}
        for one in self.rows.attempts.values():
            said = (one.state, one.fence, one.leased_by, one.failure_kind)
            found[one.job.id]["attempts"][one.id] = said
        for whose, kind, step, item, old, new in self.rows.events:
            job_id = self.rows.attempts[whose].job.id if kind == "attempt" else whose[:36]
            found[job_id]["events"][(kind, step, item, old, new)] += 1
        found["executions"] = {one.name: one.settled_at is not None for one in self.rows.executions.values()}
        return found


def _of_job(job: Job) -> dict[str, Any]:
    return {
        "job": (job.state, job.run, job.failure_kind, job.cancel_requested_at is not None),
        "tries": job.hand_over_tries,
        "execution": job.execution.name if job.execution else "",
        "steps": {step.name: (step.state, step.run, step.failure_kind) for step in job.steps.values()},
        "items": {
            (step.name, item.index): (item.state, item.failure_kind)
            for step in job.steps.values()
            for item in step.items.values()
        },
        "attempts": {},
        "events": Counter(),
    }


def differences(model: Any, real: Any, path: str = "") -> list[str]:
    if isinstance(model, dict) and isinstance(real, dict):
        keys = sorted(model.keys() | real.keys(), key=str)
        return [line for key in keys for line in differences(model.get(key), real.get(key), f"{path}/{str(key)[:40]}")]
    return [] if model == real else [f"{path}: the model has {model}, the product {real}"]
