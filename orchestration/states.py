"""States, legal moves, reasons and failure kinds: data, and the only place that lists them."""

from enum import StrEnum
from typing import Final


class JobState(StrEnum):
    WAITING = "WAITING"
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMED_OUT = "TIMED_OUT"


class WorkState(StrEnum):
    """Of a StepRun and of each of its Items."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMED_OUT = "TIMED_OUT"
    SKIPPED = "SKIPPED"


class AttemptState(StrEnum):
    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    TIMED_OUT = "TIMED_OUT"


class UploadState(StrEnum):
    OPEN = "open"
    COMPLETING = "completing"
    COMPLETE = "complete"
    ABORTED = "aborted"
    EXPIRED = "expired"
    FAILED = "failed"


class ScanState(StrEnum):
    PENDING = "pending"
    CLEAN = "clean"
    QUARANTINED = "quarantined"


class FileKind(StrEnum):
    UPLOAD = "upload"
    RESULT = "result"
    INTERMEDIATE = "intermediate"


class WaitingReason(StrEnum):
    SCAN = "scan"
    QUOTA = "quota"
    CONCURRENCY = "concurrency"
    CAPACITY = "capacity"
    IMAGE = "image"
    MISCONFIGURED = "misconfigured"
    SCHEDULE = "schedule"
    PLATFORM = "platform"


class FailureKind(StrEnum):
    USER_CODE = "USER_CODE"
    INPUT = "INPUT"
    RESOURCES = "RESOURCES"
    INTERRUPTED = "INTERRUPTED"
    PLATFORM = "PLATFORM"


class EventKind(StrEnum):
    JOB = "job"
    STEP = "step"
    ITEM = "item"
    ATTEMPT = "attempt"
    PROGRESS = "progress"


class Role(StrEnum):
    VIEWER = "viewer"
    SUBMITTER = "submitter"
    MANAGER = "manager"


FINISHED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"})
UNSUCCESSFUL: Final = FINISHED - {"SUCCEEDED"}
JOB_FINISHED: Final = frozenset(s for s in JobState if s in FINISHED)
JOB_UNFINISHED: Final = frozenset(JobState) - JOB_FINISHED
ATTEMPT_FINISHED: Final = frozenset(s for s in AttemptState if s in FINISHED)
ATTEMPT_LIVE: Final = frozenset({AttemptState.STARTING, AttemptState.RUNNING})

# An engine may finish before we hear that it began, so every end is reachable from every unfinished
# state. From an end there is no way but `retry`, which adds one to job.run and is no move.
JOB_MOVES: Final[dict[str, frozenset[str]]] = {
    JobState.WAITING: frozenset({JobState.QUEUED}) | JOB_FINISHED,
    JobState.QUEUED: frozenset({JobState.WAITING, JobState.STARTING, JobState.RUNNING}) | JOB_FINISHED,
    JobState.STARTING: frozenset({JobState.RUNNING}) | JOB_FINISHED,
    JobState.RUNNING: JOB_FINISHED,
    **dict.fromkeys(JOB_FINISHED, frozenset[str]()),
}
WORK_MOVES: Final[dict[str, frozenset[str]]] = {
    WorkState.WAITING: frozenset({WorkState.RUNNING}) | FINISHED,
    # Back to WAITING is how an item waits for its next attempt.
    WorkState.RUNNING: frozenset({WorkState.WAITING}) | FINISHED,
    **dict.fromkeys((s for s in WorkState if s in FINISHED), frozenset[str]()),
}
ATTEMPT_MOVES: Final[dict[str, frozenset[str]]] = {
    AttemptState.QUEUED: frozenset({AttemptState.STARTING}) | ATTEMPT_FINISHED,
    # Back to QUEUED: the machine died between lease and start, nothing ran.
    AttemptState.STARTING: frozenset({AttemptState.QUEUED, AttemptState.RUNNING}) | ATTEMPT_FINISHED,
    AttemptState.RUNNING: ATTEMPT_FINISHED,
    **dict.fromkeys(ATTEMPT_FINISHED, frozenset[str]()),
}

ROLE_RANK: Final[dict[str, int]] = {Role.VIEWER: 1, Role.SUBMITTER: 2, Role.MANAGER: 3}
