"""The engine port. No vendor's type, model or address form crosses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from orchestration.states import AttemptState, ExecutionState, FailureKind, WaitingReason


@dataclass(frozen=True, slots=True)
class ExecutionSpec:
    """What to start. The engine must adopt an execution that already has this name.

    `pieces` are those of its pieces, by `Piece.ref`, that the caller knows of and asks about.
    """

    name: str
    job_id: UUID
    run: int
    pieces: tuple[str, ...] = ()
    again: bool = False
    """It is there and has ended without success: it is to go on where it failed."""


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
    is_last: bool = False
    """Nobody is left who could take up another attempt of the item in this run."""
    outputs: tuple[Output, ...] = ()
    usage: dict[str, Any] = field(default_factory=dict)
    phases: tuple[tuple[str, float, float], ...] = ()
    """Names, beginnings and ends, by the runner's clock, where somebody traces the job."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where the engine keeps what a runner itself has said; the step's own log is the platform's."""

    group: str
    stream: str


@dataclass(frozen=True, slots=True)
class Try:
    """One start of a piece, as the engine saw it: the only witness when no runner had time to report."""

    number: int
    state: AttemptState
    exit_code: int | None = None
    failure_kind: FailureKind | None = None
    detail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    log: LogPlace | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """What an engine runs by itself for one step of an execution; several of them where the step fans out.

    `state` None: the engine has forgotten it. `tries` are those that have begun, the one under way included.
    """

    ref: str
    state: AttemptState | None
    execution: str = ""
    step: str = ""
    index: int | None = None
    """Its number among the step's pieces; None for a piece alone, and for the whole of several."""
    size: int = 0
    """Of the whole of several pieces: their number."""
    failure_kind: FailureKind | None = None
    detail: str = ""
    waiting: WaitingReason | None = None
    """Why it stands in a queue, with a sentence as `detail`."""
    said_at: datetime | None = None
    """By the engine's clock; None for an answer, which is of now."""
    tries: tuple[Try, ...] = ()
    is_followed: bool = False
    """What it leaves undone another piece of the same step takes up."""


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """`may_be_late`: it was told some time, and the execution may have been redriven since."""

    name: str
    state: ExecutionState
    detail: str = ""
    ended_at: datetime | None = None
    may_be_late: bool = False


@dataclass(frozen=True, slots=True)
class OpenExecution:
    """One that goes on, with the engine's own name for it."""

    name: str
    ref: str


@dataclass(frozen=True, slots=True)
class Report:
    """`attempts` are ends that the engine vouches for; `executions` are those that were looked at, in order."""

    attempts: tuple[AttemptReport, ...] = ()
    pieces: tuple[Piece, ...] = ()
    executions: tuple[ExecutionReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the engine may use at once; what does not fit waits. `memory_bytes` None: it does not say.

    `closed` has a sentence for each place that starts nothing just now.
    """

    vcpus: float
    memory_bytes: int | None = None
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often something may be asked of the engine, by all processes together: a bucket of tokens, by its `scope`.

    It holds `burst` and gets `per_second`. A start takes `each_start`, and `each_step` for each step it is to run.
    `says` is for whoever waits for it.
    """

    scope: str
    per_second: float
    burst: float
    each_start: int = 0
    each_step: int = 0
    says: str = ""


@dataclass(frozen=True, slots=True)
class Pace:
    """How starts may follow each other. As it stands: at any rate, one after the other, by any number of dispatchers.

    Where there are allowances one dispatcher acts, with `at_once` starts under way, and shares them out.
    """

    allowances: tuple[Allowance, ...] = ()
    at_once: int = 1


class Engine(Protocol):
    """Raises only EngineUnavailable (later) or EngineRejected (never)."""

    @property
    def pace(self) -> Pace:
        """Known without asking anybody."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether its steps run on machines that see no folder of this one: a file:// address says nothing there."""

    def start(self, spec: ExecutionSpec) -> str:
        """The engine's own name for the execution."""

    def stop(self, spec: ExecutionSpec, *, reason: str) -> bool:
        """Ask for the end; repeat it until the answer is true: nothing of it runs or waits any more."""

    def report(self, specs: Sequence[ExecutionSpec], *, looks: int = 0) -> Report:
        """What the engine knows of these and of their pieces, in bulk: the reconciler's question.

        `looks` is how many executions may be looked at one by one; the first ones are, as such looks are scarce.
        """

    def open_executions(self) -> tuple[OpenExecution, ...]:
        """Whatever it runs, known to us or not, the newest first: where there are very many, not all of them."""

    def capacity(self) -> Capacity: ...
