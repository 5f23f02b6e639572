"""Our states in GA4GH's words: one table for WES and TES."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from django.db.models import Q

from orchestration.states import JOB_FAILED, JOB_UNFINISHED, FailureKind, JobState

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


def jobs_in(state: State) -> Q:
    """Those that `state_of` says are in it."""
    own = [ours for ours, theirs in OF_JOB.items() if theirs == state]
    kinds = [kind for kind, theirs in OF_FAILURE.items() if theirs == state]
    asked = Q(state__in=JOB_UNFINISHED, cancel_requested_at__isnull=False)
    if state == State.CANCELING:
        return asked
    return (Q(state__in=own) & ~asked) | Q(state__in=JOB_FAILED, failure_kind__in=kinds)


def state_of(job: Job) -> State:
    if job.is_canceling:
        return State.CANCELING
    return OF_JOB.get(job.state) or OF_FAILURE[job.failure_kind]
