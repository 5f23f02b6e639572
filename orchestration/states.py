"""States, legal moves, reasons and failure kinds: data, and the only place that lists them."""

from enum import StrEnum
from typing import Final


def _(text: str) -> str:
    """Marks what is to be translated where it is shown. Django's own would have what is pure import Django."""
    return text


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


class ExecutionState(StrEnum):
    """What an engine says of an execution. UNKNOWN: it has none of that name, or has forgotten it."""

    UNKNOWN = "UNKNOWN"
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


class UploadDoor(StrEnum):
    """By which protocol the bytes come: the upload resource, one request, tus, the IETF's draft. One of them writes."""

    API = "api"
    REQUEST = "request"
    TUS = "tus"
    IETF = "ietf"


class UploadMode(StrEnum):
    SINGLE = "single"
    PARTS = "parts"


class ScanState(StrEnum):
    """Of a File: from arrival to where people and jobs may read it."""

    RECEIVED = "received"
    SCANNING = "scanning"
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
    PAUSED = "paused"


class FailureKind(StrEnum):
    USER_CODE = "USER_CODE"
    INPUT = "INPUT"
    RESOURCES = "RESOURCES"
    INTERRUPTED = "INTERRUPTED"
    PLATFORM = "PLATFORM"


FAILURE_SAYS: Final[dict[str, tuple[str, str]]] = {
    FailureKind.USER_CODE: ("The pipeline's own code failed", "The pipeline's fault"),
    FailureKind.INPUT: ("An input cannot be processed", "The file's fault"),
    FailureKind.RESOURCES: ("A limit was reached", "Too big for the step's limits"),
    FailureKind.INTERRUPTED: ("The machine was interrupted", "Our fault, not yours"),
    FailureKind.PLATFORM: ("The platform failed", "Our fault, not yours"),
}
"""What happened, and whose fault it is."""


class EventKind(StrEnum):
    JOB = "job"
    STEP = "step"
    ITEM = "item"
    ATTEMPT = "attempt"
    PROGRESS = "progress"


class BulkAction(StrEnum):
    CANCEL = "cancel"
    RETRY = "retry"
    RESUBMIT = "resubmit"
    RERUN = "rerun"
    LABEL = "label"
    PRIORITY = "priority"


class BulkOutcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    SKIPPED = "skipped"


class WebhookKind(StrEnum):
    """What a webhook may be told of. A test is sent by hand and is nothing to choose."""

    SUBMITTED = "job.submitted"
    QUEUED = "job.queued"
    STARTED = "job.started"
    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    TIMED_OUT = "job.timed_out"
    CANCELED = "job.canceled"
    RETRIED = "job.retried"
    TEST = "webhook.test"


class DeliveryState(StrEnum):
    """`dropped`: its webhook was switched off before it was sent."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class BudgetMode(StrEnum):
    """What becomes of new jobs once the month's budget is used up."""

    WARN = "warn"
    BLOCK = "block"


class MailOn(StrEnum):
    """Which ends of her jobs a person gets a mail about."""

    NEVER = "never"
    FAILURES = "failures"
    ALWAYS = "always"


class NotificationKind(StrEnum):
    """What a person may be told of, and chooses how. `job.ended`: without failing."""

    JOB_FAILED = "job.failed"
    JOB_ENDED = "job.ended"
    JOB_WAITS = "job.waits"
    BULK_DONE = "bulk.done"
    FILE_TROUBLE = "file.trouble"
    FILES_GOING = "files.going"
    BUDGET = "budget.near"
    QUOTA = "quota.near"
    WEBHOOK_OFF = "webhook.off"
    MEMBERS = "members.changed"


class MailWhen(StrEnum):
    NEVER = "never"
    AT_ONCE = "at_once"
    DAILY = "daily"


class LetterKind(StrEnum):
    """What one mail to one person is about."""

    RESET = "reset"
    NOTICE = "notice"
    INVITATION = "invitation"


class FileEventKind(StrEnum):
    SCAN = "scan"
    RELEASED = "released"
    DAMAGED = "damaged"
    RESTORED = "restored"
    DEDUPLICATED = "deduplicated"
    WARNED = "warned"
    EXTENDED = "extended"
    HELD = "held"
    UNHELD = "unheld"
    DELETED = "deleted"
    EXPIRED = "expired"
    UNDELETED = "undeleted"
    PURGED = "purged"


class AuditAction(StrEnum):
    """What the audit log tells of: the thing, and what became of it."""

    SIGNED_IN = "account.signed_in"
    SIGN_IN_FAILED = "account.sign_in_failed"
    SIGNED_OUT = "account.signed_out"
    PASSWORD_CHANGED = "account.password_changed"  # noqa: S105  a word
    FACTOR_ADDED = "account.factor_added"
    FACTOR_REMOVED = "account.factor_removed"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_DELETED = "account.deleted"
    GROUP_CREATED = "group.created"
    GROUP_CHANGED = "group.changed"
    GROUP_DELETED = "group.deleted"
    TOKEN_CREATED = "token.created"  # noqa: S105  a word
    TOKEN_ROTATED = "token.rotated"  # noqa: S105  a word
    TOKEN_REVOKED = "token.revoked"  # noqa: S105  a word
    TOKEN_MOVED = "token.used_from_new_address"  # noqa: S105  a word
    WORKSPACE_CREATED = "workspace.created"
    WORKSPACE_CHANGED = "workspace.changed"
    WORKSPACE_DELETED = "workspace.deleted"
    MEMBER_ADDED = "member.added"
    MEMBER_CHANGED = "member.changed"
    MEMBER_REMOVED = "member.removed"
    INVITED = "invitation.sent"
    INVITATION_REVOKED = "invitation.revoked"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_ROTATED = "webhook.secret_rotated"
    SHARE_CREATED = "share.created"
    SHARE_REVOKED = "share.revoked"
    SHARE_USED = "share.used"
    FILE_READ = "file.read"
    FILE_DELETED = "file.deleted"
    FILE_UNDELETED = "file.undeleted"
    FILE_EXTENDED = "file.extended"
    FILE_HELD = "file.held"
    FILE_UNHELD = "file.unheld"
    FILE_RELEASED = "file.released_from_quarantine"
    JOBS_ACTED_ON = "jobs.acted_on"
    JOB_REDRIVEN = "job.redriven"
    PAUSED = "platform.paused"
    RESUMED = "platform.resumed"
    EXAMINED = "platform.examined"
    REFUSED = "access.refused"
    AUDIT_EXPORTED = "audit.exported"


FILE_GONE_BY: Final = (FileEventKind.DELETED, FileEventKind.EXPIRED)
"""What made a file a deleted one: somebody, or its date."""


class Role(StrEnum):
    VIEWER = "viewer"
    SUBMITTER = "submitter"
    MANAGER = "manager"


FINISHED: Final = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT", "SKIPPED"})
UNSUCCESSFUL: Final = FINISHED - {"SUCCEEDED"}
JOB_FINISHED: Final = frozenset(s for s in JobState if s in FINISHED)
JOB_UNFINISHED: Final = frozenset(JobState) - JOB_FINISHED
JOB_FAILED: Final = frozenset({JobState.FAILED, JobState.TIMED_OUT})
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

MAILED: Final[dict[str, frozenset[JobState]]] = {
    MailOn.NEVER: frozenset(),
    MailOn.FAILURES: JOB_FAILED,
    MailOn.ALWAYS: JOB_FINISHED,
}

_MAIL_WANTED: Final = frozenset({MailOn.FAILURES, MailOn.ALWAYS})
MAILED_AT_ONCE_TO: Final[dict[str, frozenset[MailOn]]] = {
    NotificationKind.JOB_FAILED: _MAIL_WANTED,
    NotificationKind.JOB_ENDED: frozenset({MailOn.ALWAYS}),
    NotificationKind.FILE_TROUBLE: _MAIL_WANTED,
    NotificationKind.FILES_GOING: _MAIL_WANTED,
    NotificationKind.BUDGET: _MAIL_WANTED,
    NotificationKind.QUOTA: _MAIL_WANTED,
    NotificationKind.WEBHOOK_OFF: _MAIL_WANTED,
}
"""Who is mailed at once of what as long as she has chosen nothing for a workspace: by what she says for all of them."""
FOR_MANAGERS: Final = (
    NotificationKind.BUDGET,
    NotificationKind.QUOTA,
    NotificationKind.WEBHOOK_OFF,
)
"""Only those who manage a workspace are told of these."""

WEBHOOK_ENDS: Final = (
    WebhookKind.SUCCEEDED,
    WebhookKind.FAILED,
    WebhookKind.TIMED_OUT,
    WebhookKind.CANCELED,
)
WEBHOOK_CHOICES: Final = tuple(kind for kind in WebhookKind if kind != WebhookKind.TEST)
WEBHOOK_KIND_OF: Final[dict[str, WebhookKind]] = {
    JobState.QUEUED: WebhookKind.QUEUED,
    JobState.RUNNING: WebhookKind.STARTED,
    JobState.SUCCEEDED: WebhookKind.SUCCEEDED,
    JobState.FAILED: WebhookKind.FAILED,
    JobState.TIMED_OUT: WebhookKind.TIMED_OUT,
    JobState.CANCELED: WebhookKind.CANCELED,
}
"""Of a job's move to that state. Those to WAITING say by where they come from what they are."""

STREAMED: Final = frozenset({UploadDoor.TUS, UploadDoor.IETF})
"""Doors by which bytes come in order, each after the last."""
UPLOAD_ALIVE: Final = (UploadState.OPEN, UploadState.COMPLETING)
UPLOAD_ENDED: Final = (UploadState.ABORTED, UploadState.EXPIRED, UploadState.FAILED)
"""Without a File."""
UPLOAD_MOVES: Final[dict[str, frozenset[str]]] = {
    UploadState.OPEN: frozenset({UploadState.COMPLETING, UploadState.ABORTED, UploadState.EXPIRED, UploadState.FAILED}),
    # Back to OPEN: the storage did not take part in it, and what arrived is still there.
    UploadState.COMPLETING: frozenset({UploadState.OPEN, UploadState.COMPLETE, UploadState.FAILED}),
    **dict.fromkeys((UploadState.COMPLETE, *UPLOAD_ENDED), frozenset[str]()),
}
SCAN_MOVES: Final[dict[str, frozenset[str]]] = {
    ScanState.RECEIVED: frozenset({ScanState.SCANNING}),
    # Back to RECEIVED: the scanner was down or the worker died; somebody looks again.
    ScanState.SCANNING: frozenset({ScanState.RECEIVED, ScanState.CLEAN, ScanState.QUARANTINED}),
    # Released by an administrator, with an entry that says who and why; or its damaged bytes are right again.
    ScanState.QUARANTINED: frozenset({ScanState.CLEAN}),
    # Its bytes were read again and are not the ones that were stored.
    ScanState.CLEAN: frozenset({ScanState.QUARANTINED}),
}

LOGS_DELETED: Final = "logs deleted"
"""Reason of the event of a job whose logs were deleted because their date had come."""

ROLE_RANK: Final[dict[str, int]] = {Role.VIEWER: 1, Role.SUBMITTER: 2, Role.MANAGER: 3}


class TokenKind(StrEnum):
    """What stands in a token after `est_`. A runner's is a signed text of another form."""

    PERSONAL = "pat"
    SERVICE = "svc"
