"""Our states in GA4GH's words: one table for WES and TES."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from orchestration.states import FailureKind, JobState

if TYPE_CHECKING:
    from orchestration.models import Job


class State(StrEnum):
    """Those of GA4GH that a job of ours can have."""

    QUEUED = "QUEUED"
    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    COMPLETE = "COMPLETE"
    EXECUTOR_ERROR = "EXECUTOR_ERROR"
    SYSTEM_ERROR = "SYSTEM_ERROR"
    CANCELED = "CANCELED"
    CANCELING = "CANCELING"


OF_JOB: Final[dict[str, State]] = {
    JobState.WAITING: State.QUEUED,
    JobState.QUEUED: State.QUEUED,
    JobState.STARTING: State.INITIALIZING,
    JobState.RUNNING: State.RUNNING,
    JobState.SUCCEEDED: State.COMPLETE,
    JobState.CANCELED: State.CANCELED,
}
# An interruption is no PREEMPTED: clients of TES 1.0 do not know that word, and would wait for ever.
OF_FAILURE: Final[dict[str, State]] = {
    FailureKind.USER_CODE: State.EXECUTOR_ERROR,
    FailureKind.INPUT: State.EXECUTOR_ERROR,
    FailureKind.RESOURCES: State.EXECUTOR_ERROR,
    FailureKind.INTERRUPTED: State.SYSTEM_ERROR,
    FailureKind.PLATFORM: State.SYSTEM_ERROR,
}


def state_of(job: Job) -> State:
    if job.is_canceling:
        return State.CANCELING
    return OF_JOB.get(job.state) or OF_FAILURE[job.failure_kind]
