"""The engine port. No vendor's type, model or address form crosses it."""

from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from orchestration.states import AttemptState


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """What to start. The engine must adopt an execution that already has this name."""

    name: str
    job_id: UUID
    run: int


@dataclass(frozen=True, slots=True)
class Output:
    """One file a finished attempt left. `number` is its place in the attempt's slots."""

    path: str
    size: int
    sha256: str
    media_type: str
    number: int


@dataclass(frozen=True, slots=True)
class AttemptReport:
    """What became of an attempt. `fence` None means: the engine itself says so, whoever held it."""

    attempt_id: UUID
    state: AttemptState
    fence: int | None = None
    failure_kind: str = ""
    detail: str = ""
    exit_code: int | None = None
    retry: bool = False
    only_if_expired: bool = False
    """The report rests on a lease that ran out: void if somebody has renewed it meanwhile."""
    outputs: tuple[Output, ...] = ()
    usage: dict[str, Any] = field(default_factory=dict)


class Engine(Protocol):
    """Raises only EngineUnavailable (later) or EngineRejected (never)."""

    def start(self, spec: ExecutionSpec) -> str:
        """The engine's own name for the execution."""

    def stop(self, spec: ExecutionSpec, *, reason: str) -> None:
        """Ask for the end. What became of it arrives by reports."""

    def report(self, specs: list[ExecutionSpec]) -> list[AttemptReport]:
        """What the engine knows of these, in bulk: the reconciler's question."""

    def capacity(self) -> tuple[float, int]:
        """VCPUs and bytes of memory the engine may use at once; what does not fit waits."""
