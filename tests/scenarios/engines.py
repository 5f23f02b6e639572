"""Both engines with what may happen to a start on its way, said in the port's words."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from orchestration.engines.local.adapter import LocalEngine
from orchestration.engines.step_functions.adapter import StepFunctionsEngine
from orchestration.errors import EngineRejected, EngineUnavailable

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionSpec


class StartFate(StrEnum):
    DOWN = "down"
    LOST = "reply lost"
    """The engine has started it, and nobody heard."""
    REFUSED = "refused"


class Faulty:
    """Fates of the next starts, whichever job's."""

    fates: ClassVar[deque[StartFate]] = deque()

    def start(self, spec: ExecutionSpec) -> str:
        fate = self.fates.popleft() if self.fates else None
        if fate is StartFate.DOWN:
            raise EngineUnavailable("The engine is down.")
        if fate is StartFate.REFUSED:
            raise EngineRejected("The engine will never take this.")
        answer: str = super().start(spec)  # type: ignore[misc]
        if fate is StartFate.LOST:
            raise EngineUnavailable("The engine did not answer.")
        return answer


class FaultyLocal(Faulty, LocalEngine):
    """The local engine."""


class FaultyAws(Faulty, StepFunctionsEngine):
    """The engine on AWS."""
