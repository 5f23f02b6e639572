"""A Batch job as AWS describes it → what the platform calls it. The detail of a Batch event has the same form."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestration.engines.base import LogPlace, Piece, Try
from orchestration.engines.step_functions.blocked import waiting_for
from orchestration.engines.step_functions.plan import HOST_GONE, SPOT_GONE
from orchestration.states import AttemptState, FailureKind

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final[Mapping[str, AttemptState]] = {
    "SUBMITTED": AttemptState.QUEUED,
    "PENDING": AttemptState.QUEUED,
    "RUNNABLE": AttemptState.QUEUED,
    "STARTING": AttemptState.STARTING,
    "RUNNING": AttemptState.RUNNING,
    "SUCCEEDED": AttemptState.SUCCEEDED,
    "FAILED": AttemptState.FAILED,
}
OVER: Final = frozenset({"SUCCEEDED", "FAILED"})
BAD_INPUT: Final = 65
# Of the runner itself: see `orchestration.runner.ends`.
OF_THE_RUNNER: Final = frozenset({2, 3, 4, 5, 6})
OVERTIME: Final = "Job attempt duration exceeded timeout"
_NAME: Final = re.compile(
    r"(?P<execution>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-r[0-9]+)-(?P<step>.+?)(?P<spot>-SPOT)?"
)
# What a reason begins with, in Batch's words and in those of the container's agent.
_KINDS: Final = (
    (HOST_GONE, FailureKind.INTERRUPTED),
    (SPOT_GONE, FailureKind.INTERRUPTED),
    ("OutOfMemoryError", FailureKind.RESOURCES),
    (OVERTIME, FailureKind.RESOURCES),
    ("Cannot", FailureKind.PLATFORM),
    ("DockerTimeoutError", FailureKind.PLATFORM),
    ("DockerStateError", FailureKind.PLATFORM),
    ("ContainerRuntime", FailureKind.PLATFORM),
    ("ResourceInitializationError", FailureKind.PLATFORM),
    ("TaskFailedToStart", FailureKind.PLATFORM),
    ("Task failed to start", FailureKind.PLATFORM),
)


class _End(NamedTuple):
    state: AttemptState
    failure_kind: FailureKind | None
    detail: str


def piece_of(described: Mapping[str, Any], *, log_group: str) -> Piece:
    state = STATES[described["status"]]
    array = described.get("arrayProperties") or {}
    execution, step, is_followed = _names(described["jobName"])
    tries = _tries(described, log_group)
    end = _end(described, tries)
    said = str(described.get("statusReason") or "")
    waiting = waiting_for(said) if state == AttemptState.QUEUED else None
    return Piece(
        ref=described["jobId"],
        state=end.state if end else state,
        execution=execution,
        step=step,
        index=array.get("index"),
        size=int(array.get("size") or 0),
        failure_kind=end.failure_kind if end else None,
        detail=end.detail if end else waiting[1] if waiting else said,
        waiting=waiting[0] if waiting else None,
        tries=tries,
        is_followed=is_followed,
    )


def forgotten(ref: str) -> Piece:
    return Piece(ref=ref, state=None, detail="AWS Batch knows no such job, or has forgotten it.")


def _names(job_name: str) -> tuple[str, str, bool]:
    """Of which execution and step, and whether on spot machines, after which others follow."""
    found = _NAME.fullmatch(job_name)
    return (found["execution"], found["step"], bool(found["spot"])) if found else ("", "", False)


def _tries(described: Mapping[str, Any], log_group: str) -> tuple[Try, ...]:
    """Those that ended are listed; the one under way is the job's own container."""
    ended = described.get("attempts") or ()
    is_last_of_all = described["status"] in OVER
    tries = [
        _ended_try(number, one, described, log_group, is_last=is_last_of_all and number == len(ended))
        for number, one in enumerate(ended, start=1)
    ]
    if described["status"] in {"STARTING", "RUNNING"}:
        container = described.get("container") or {}
        tries.append(
            Try(
                number=len(tries) + 1,
                state=STATES[described["status"]],
                started_at=_time(described.get("startedAt")),
                log=_log(container, log_group),
            )
        )
    return tuple(tries)


def _ended_try(
    number: int, one: Mapping[str, Any], described: Mapping[str, Any], log_group: str, *, is_last: bool
) -> Try:
    container = one.get("container") or {}
    # Only the job as a whole says that somebody ended it.
    is_stopped = is_last and _is_stopped(described)
    end = _judge(container.get("exitCode"), container.get("reason"), one.get("statusReason"), is_stopped=is_stopped)
    return Try(
        number=number,
        state=end.state,
        exit_code=container.get("exitCode"),
        failure_kind=end.failure_kind,
        detail=end.detail,
        started_at=_time(one.get("startedAt")),
        ended_at=_time(one.get("stoppedAt")),
        log=_log(container, log_group),
    )


def _end(described: Mapping[str, Any], tries: tuple[Try, ...]) -> _End | None:
    """Of the whole job: that of its last try, or what Batch says of one that never began."""
    if described["status"] not in OVER:
        return None
    if described["status"] == "SUCCEEDED":
        return _End(AttemptState.SUCCEEDED, None, "")
    if tries and tries[-1].state != AttemptState.SUCCEEDED:
        return _End(tries[-1].state, tries[-1].failure_kind, tries[-1].detail)
    return _judge(None, None, described.get("statusReason"), is_stopped=_is_stopped(described))


def _is_stopped(described: Mapping[str, Any]) -> bool:
    return bool(described.get("isTerminated") or described.get("isCancelled"))


def _judge(exit_code: int | None, reason: str | None, status_reason: str | None, *, is_stopped: bool) -> _End:
    said = [word for word in (reason, status_reason) if word]
    detail = ". ".join([*(word.rstrip(".") for word in said[:-1]), *said[-1:]])
    if exit_code == 0 and not reason:
        return _End(AttemptState.SUCCEEDED, None, "")
    if is_stopped:
        return _End(AttemptState.CANCELED, None, detail)
    if any(word.startswith(OVERTIME) for word in said):
        return _End(AttemptState.TIMED_OUT, FailureKind.RESOURCES, detail)
    for begin, kind in _KINDS:
        if any(word.startswith(begin) for word in said):
            return _End(AttemptState.FAILED, kind, detail)
    return _End(AttemptState.FAILED, _kind_of(exit_code), detail or "AWS Batch does not say why.")


def _kind_of(exit_code: int | None) -> FailureKind:
    """Without an exit code nothing of the step's ever ran, or nobody knows: not its fault."""
    if exit_code is None or exit_code in OF_THE_RUNNER:
        return FailureKind.PLATFORM
    return FailureKind.INPUT if exit_code == BAD_INPUT else FailureKind.USER_CODE


def _log(container: Mapping[str, Any], group: str) -> LogPlace | None:
    stream = container.get("logStreamName")
    return LogPlace(group, stream) if stream else None


def _time(milliseconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else None
