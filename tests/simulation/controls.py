"""Seeded bugs: worlds in which one thing is done wrongly, each of which the oracle must find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from orchestration.engines.base import ExecutionSpec
from tests.simulation.engine import SimulatedEngine
from tests.simulation.history import History
from tests.simulation.sweeping import Sweeping

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.simulation.bus import Message
    from tests.simulation.recording import Act, Said
    from tests.simulation.rows import Attempt, Job


class NoReconciler(History):
    has_reconciler = False


class OwnNameForEachStart(History):
    class engine_class(SimulatedEngine):  # noqa: N801
        def name_of(self, spec: ExecutionSpec) -> str:
            tries = self.wire.world.hits[f"start of {spec.name}"] = self.wire.world.hits[f"start of {spec.name}"] + 1
            return spec.name if tries == 1 else f"{spec.name}000{tries}"


class LastWordWins(History):
    """A report moves an attempt that has ended already, and whoever holds it."""

    class platform_class(Sweeping):  # noqa: N801
        def is_news(self, attempt: Attempt, said: Said) -> bool:
            if attempt.is_finished and attempt.state != said.state:
                attempt.state = "RUNNING"
            return not attempt.is_finished


class CancelForgetsBatch(History):
    class engine_class(SimulatedEngine):  # noqa: N801
        def _terminate(self, refs: Sequence[str], reason: str) -> list[dict[str, str]]:  # noqa: ARG002  as its base
            return []


class CancelIsNotConfirmed(History):
    """The job is CANCELED as soon as its execution was asked to stop."""

    class engine_class(SimulatedEngine):  # noqa: N801
        def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
            super().stop(spec, reason=reason)
            return True


class EachCopyCounts(History):
    """An event delivered again is written down again."""

    class platform_class(Sweeping):  # noqa: N801
        def apply(self, attempt: Attempt, said: Said) -> bool:
            if attempt.is_finished and said.state == attempt.state:
                self.rows.note_attempt(attempt, "RUNNING", said.state)
            return super().apply(attempt, said)


class ClaimsAreForEver(History):
    """A dispatcher that died with a job in hand keeps it."""

    class platform_class(Sweeping):  # noqa: N801
        def _is_to_hand_over(self, job: Job) -> bool:
            return job.claimed_at is None and super()._is_to_hand_over(job)


class AnybodyTakesOver(History):
    """A container takes an item from another one that is at work on it."""

    class platform_class(Sweeping):  # noqa: N801
        def _take(self, attempt: Attempt, batch_job: str, number: int, position: int) -> Act[Any]:
            attempt.leased_by = attempt.leased_by and f"batch:{batch_job}#{number}"
            return super()._take(attempt, batch_job, number, position)


class PoisonStopsTheQueue(History):
    """What is not understood is tried again until it is."""

    def _take(self, messages: list[Message]) -> None:
        if any(one.kind == "poison" for one in messages):
            self.world.at(20, self._wake_consumer)
            for one in messages:
                one.times, one.visible_at = 0, self.world.now
            return
        super()._take(messages)


class LooksAtAll(History):
    """The reconciler describes every execution in every round, a hundred times over."""

    class platform_class(Sweeping):  # noqa: N801
        def _ask_engine(self) -> Act[int]:
            for _ in range(100):
                for job in self.rows.jobs.values():
                    spec = ExecutionSpec(name=job.execution_name, job_id=UUID(job.id), run=job.run)
                    self.engine.report([spec] if job.execution and not job.is_finished else [], looks=1)
            return super()._ask_engine()


@dataclass(frozen=True, slots=True)
class Control:
    broken: type[History]
    finds: str
    """What the oracle must say of it."""


CONTROLS: Final = (
    Control(NoReconciler, "I7|for ever|does not come to rest|I8"),
    Control(OwnNameForEachStart, "more than one execution"),
    Control(LastWordWins, "ended more than once|has ended .* times|would go from|exists twice|two open attempts"),
    Control(CancelForgetsBatch, "still run on AWS|should be canceled|are left"),
    Control(CancelIsNotConfirmed, "said to be CANCELED"),
    Control(EachCopyCounts, "ended more than once|has ended"),
    Control(ClaimsAreForEver, "nobody hands it over"),
    Control(AnybodyTakesOver, "run twice at once"),
    Control(PoisonStopsTheQueue, "I9|waited|come to rest"),
    Control(LooksAtAll, "calls of DescribeExecution"),
)
