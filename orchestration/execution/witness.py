"""What an engine has seen end without a word of its runner: a machine that went away, an image that was not there.

News from a queue and answers to the reconciler's questions come here alike, in any order, any number of times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from orchestration.engines.base import AttemptReport
from orchestration.engines.leasing import container_holder
from orchestration.execution.isolation import one_at_a_time
from orchestration.execution.record import record
from orchestration.execution.waiting import explain
from orchestration.models import Attempt, Execution, Job
from orchestration.states import ATTEMPT_FINISHED, AttemptState, ExecutionState, FailureKind

if TYPE_CHECKING:
    from orchestration.engines.base import ExecutionReport, Piece, Try
    from orchestration.models.attempt import AttemptQuerySet

SILENT: Final = "The container ended, and its runner had not reported."
UNTAKEN: Final = "No container took it up."
_LEFT: Final = {
    ExecutionState.CANCELED: AttemptState.CANCELED,
    ExecutionState.TIMED_OUT: AttemptState.TIMED_OUT,
}


def witness(piece: Piece) -> int:
    """Attempts whose container has ended end with it; those that nobody took up, with the whole of their step."""
    found = Job.run_of(piece.execution)
    if found is None:
        return 0
    job_id, run = found
    of_run = Attempt.objects.filter(job=job_id, run=run, step=piece.step)
    repairs = sum(_ended(of_run, piece, one) for one in piece.tries if one.ended_at)
    if piece.index is None and piece.state in ATTEMPT_FINISHED and not piece.is_followed:
        repairs += _untaken(of_run, piece.state, piece.failure_kind, piece.detail)
    explain(piece, job_id, run)
    return repairs


def settle(report: ExecutionReport) -> int:
    """An execution that is over starts nothing more."""
    found = Job.run_of(report.name)
    if found is None or report.state in {ExecutionState.RUNNING, ExecutionState.UNKNOWN}:
        return 0
    if report.may_be_late and _is_redriven_since(report):
        return 0  # whether it has ended again the reconciler will ask
    job_id, run = found
    of_run = Attempt.objects.filter(job=job_id, run=run)
    return _untaken(of_run, _LEFT.get(report.state, AttemptState.FAILED), None, report.detail, is_last=True)


def _is_redriven_since(report: ExecutionReport) -> bool:
    """An end without a date may be any."""
    redriven = Execution.objects.filter(name=report.name, redriven_at__isnull=False)
    since = redriven if report.ended_at is None else redriven.filter(redriven_at__gte=report.ended_at)
    return since.exists()


def _ended(of_run: AttemptQuerySet, piece: Piece, one: Try) -> int:
    held = of_run.live().filter(leased_by=container_holder(piece.ref, one.number))
    is_known = one.state != AttemptState.SUCCEEDED  # it says only that the container did, not what became of its work
    return sum(
        _recorded(
            AttemptReport(
                attempt_id=pk,
                fence=fence,
                state=one.state if is_known else AttemptState.FAILED,
                failure_kind=_kind(one.state, one.failure_kind) if is_known else FailureKind.PLATFORM,
                detail=(is_known and one.detail) or SILENT,
                exit_code=one.exit_code,
            )
        )
        for pk, fence in held.values_list("pk", "fence")
    )


def _untaken(
    of_run: AttemptQuerySet, state: AttemptState, kind: FailureKind | None, detail: str, *, is_last: bool = False
) -> int:
    ended = state if state != AttemptState.SUCCEEDED else AttemptState.FAILED
    waiting = of_run.filter(state=AttemptState.QUEUED).values_list("pk", "fence")
    return sum(
        _recorded(
            AttemptReport(
                attempt_id=pk,
                fence=fence,
                state=ended,
                failure_kind=_kind(ended, kind),
                detail=f"{UNTAKEN} {detail}".strip(),
                is_last=is_last,
            )
        )
        for pk, fence in waiting
    )


def _kind(state: AttemptState, kind: FailureKind | None) -> str:
    return "" if state == AttemptState.CANCELED else kind or FailureKind.PLATFORM


def _recorded(report: AttemptReport) -> bool:
    with one_at_a_time(report.attempt_id):
        return record(report)
