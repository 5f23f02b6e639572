"""States, reasons, sizes and times in plain words, for pages and admin alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext_lazy

from orchestration.states import (
    FAILURE_SAYS,
    FailureKind,
    FileEventKind,
    MailOn,
    MailWhen,
    Role,
    ScanState,
    WaitingReason,
    WebhookKind,
)

if TYPE_CHECKING:
    from orchestration.models import FileEvent, Job

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
KIB = 1024


@dataclass(frozen=True, slots=True)
class Failure:
    """`headline` says what, `fault` whose it is, `advice` what to do about it."""

    headline: str
    fault: str
    advice: str


PEEK_FAULTS: Final = {
    "unreadable": gettext_lazy("This file cannot be looked into. It may be damaged. Download it to try yourself."),
    "single": gettext_lazy("This is one compressed file. Download it to look inside."),
    "busy": gettext_lazy("Other files are being looked into just now. Try again in a moment."),
}
CHECKS: Final = {
    ScanState.RECEIVED: "waits to be checked",
    ScanState.SCANNING: "is being checked",
    ScanState.CLEAN: "passed",
    ScanState.QUARANTINED: "quarantined",
}
FAILURES: Final = {
    FailureKind.USER_CODE: Failure(
        *FAILURE_SAYS[FailureKind.USER_CODE],
        "A step ended with an error. Its log says more; whoever maintains the pipeline can mend it.",
    ),
    FailureKind.INPUT: Failure(
        *FAILURE_SAYS[FailureKind.INPUT],
        "The step refused a file. Correct it, upload it again and resubmit.",
    ),
    FailureKind.RESOURCES: Failure(
        *FAILURE_SAYS[FailureKind.RESOURCES],
        "The step needed more time, memory or space than its pipeline allows. Try smaller files, or ask for more room.",
    ),
    FailureKind.INTERRUPTED: Failure(
        *FAILURE_SAYS[FailureKind.INTERRUPTED],
        "The work was cut off from outside and ran out of tries. Retry: what was finished is kept.",
    ),
    FailureKind.PLATFORM: Failure(
        *FAILURE_SAYS[FailureKind.PLATFORM],
        "Nothing is wrong with your files. Retry; if it happens again, tell your administrator.",
    ),
}

WAITING: Final = {
    WaitingReason.SCAN: "Its files are being checked.",
    WaitingReason.QUOTA: "The workspace's quota is used up.",
    WaitingReason.CONCURRENCY: "Other jobs of the workspace run first.",
    WaitingReason.CAPACITY: "All machines are busy.",
    WaitingReason.IMAGE: "The software of a step is being fetched.",
    WaitingReason.MISCONFIGURED: "An administrator has to repair the set-up first.",
    WaitingReason.SCHEDULE: "Its time has not come yet.",
    WaitingReason.PLATFORM: "The platform is catching up.",
    WaitingReason.PAUSED: "An administrator holds it back for a while.",
}

ROLES: Final = {
    Role.VIEWER: "may look, not submit",
    Role.SUBMITTER: "may upload and submit",
    Role.MANAGER: "manages the workspace",
}

MAIL_WHEN: Final = {
    MailWhen.NEVER: gettext_lazy("no mail"),
    MailWhen.AT_ONCE: gettext_lazy("mail at once"),
    MailWhen.DAILY: gettext_lazy("in the daily mail"),
}

MAIL_CHOICES: Final = {
    MailOn.NEVER: "never",
    MailOn.FAILURES: "when one of my jobs fails",
    MailOn.ALWAYS: "when one of my jobs ends, however it ends",
}

WEBHOOK_KINDS: Final = {
    WebhookKind.SUCCEEDED: "a job succeeded",
    WebhookKind.FAILED: "a job failed",
    WebhookKind.TIMED_OUT: "a job timed out",
    WebhookKind.CANCELED: "a job was canceled",
    WebhookKind.SUBMITTED: "a job was submitted",
    WebhookKind.QUEUED: "a job was admitted",
    WebhookKind.STARTED: "a job started to run",
    WebhookKind.RETRIED: "a job was retried",
}
DEADLINES: Final = {
    900: "15 minutes",
    3600: "1 hour",
    21_600: "6 hours",
    86_400: "1 day",
    259_200: "3 days",
    604_800: "7 days",
}
"""Seconds after it was submitted, by which a job is to have ended."""

OVERLAPS: Final = {24: "for 24 hours more", 168: "for a week more", 0: "no longer: it got out"}
"""Hours, and how long an old secret holds."""

FILE_EVENTS: Final = {
    FileEventKind.SCAN: "Checked",
    FileEventKind.RELEASED: "Released from quarantine",
    FileEventKind.DAMAGED: "Found damaged",
    FileEventKind.RESTORED: "Restored",
    FileEventKind.DEDUPLICATED: "Stored together with a file of the same content",
    FileEventKind.WARNED: "Announced to be deleted soon",
    FileEventKind.EXTENDED: "Kept longer",
    FileEventKind.HELD: "Put on hold",
    FileEventKind.UNHELD: "Released from its hold",
    FileEventKind.DELETED: "Deleted",
    FileEventKind.EXPIRED: "Deleted, because its date had come",
    FileEventKind.UNDELETED: "Brought back",
    FileEventKind.PURGED: "Given up for good",
}
PURGES: Final = {
    "destroyed": "Bytes destroyed",
    "shared": "Bytes left to a file of the same content",
}
BYTES: Final = {
    "kept": "Its bytes are still there.",
    "being destroyed": "Its bytes are being destroyed.",
    "destroyed": "Its bytes are destroyed.",
    "shared": "Its bytes stay for another file of the same content in this workspace.",
}
COST_BASES: Final = {
    "measured": "by how long its steps took of late",
    "timeouts": "at most, if every item took until its time-out",
    "mixed": "by how long some of its steps took of late, and the time-outs of the others",
}
FILE_CLASSES: Final = {
    "upload": "Uploads",
    "result": "Results",
    "intermediate": "Between steps",
    "replaced": "Replaced by a later run",
    "deleted": "Recently deleted",
}

TYPES: Final = {
    "*/*": "any file",
    "image/*": "images",
    "text/*": "text",
    "text/csv": "CSV",
    "application/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "text/plain": "text",
    "text/html": "HTML",
    "text/markdown": "Markdown",
    "application/json": "JSON",
    "application/jsonl": "JSON Lines",
    "application/x-ndjson": "JSON Lines",
    "application/vnd.apache.parquet": "Parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint",
    "application/pdf": "PDF",
    "application/zip": "ZIP",
    "application/gzip": "gzip",
    "application/octet-stream": "binary",
    "application/xml": "XML",
    "application/yaml": "YAML",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/gif": "GIF",
    "image/webp": "WebP",
    "image/tiff": "TIFF",
    "image/bmp": "BMP",
    "image/x-ms-bmp": "BMP",
    "image/svg+xml": "SVG",
}


def state_word(state: str) -> str:
    return state.replace("_", " ").capitalize()


def type_word(media_type: str) -> str:
    return TYPES.get(media_type.partition(";")[0].strip().lower(), media_type)


def check_word(scan_state: str) -> str:
    """How far the check of a file is that every file goes through when it comes."""
    return CHECKS[ScanState(scan_state)]


def waiting_sentence(job: Job) -> str:
    """Why a job does not run yet: "" for one that does."""
    if not job.waiting_reason:
        return ""
    return job.waiting_detail or WAITING.get(WaitingReason(job.waiting_reason), "")


def job_said(job: Job) -> str:
    """Its state and the reason for it, as they are read out when they change."""
    state = state_word("CANCELING" if job.is_canceling else job.state)
    failure = failure_of(job.failure_kind)
    why = waiting_sentence(job) or (failure.headline if failure else "")
    return f"{state}. {why}" if why else state


def failure_of(kind: str) -> Failure | None:
    return FAILURES[FailureKind(kind)] if kind in set(FailureKind) else None


def file_event(event: FileEvent) -> str:
    said = PURGES.get(event.new) or FILE_EVENTS[FileEventKind(event.kind)]
    return f"{said}, until {day(datetime.fromisoformat(event.new))}" if event.kind == FileEventKind.EXTENDED else said


def day(at: datetime) -> str:
    """`3 Dec 2026`, in UTC."""
    utc = at.astimezone(UTC)
    return f"{utc.day} {utc:%b %Y}"


def days_left(at: datetime) -> str:
    days = (at.astimezone(UTC).date() - datetime.now(UTC).date()).days
    if days <= 0:
        return "today" if days == 0 else "overdue"
    return "tomorrow" if days == 1 else f"in {days:,} days"


def size_words(size_bytes: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < KIB:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= KIB
    return f"{size_bytes:.1f} TiB"


def duration_words(duration_s: float) -> str:
    if duration_s < MINUTE_S:
        return f"{max(0.0, duration_s):.1f} s"
    if duration_s < HOUR_S:
        return f"{duration_s // MINUTE_S:.0f} min {duration_s % MINUTE_S:.0f} s"
    if duration_s < DAY_S:
        return f"{duration_s // HOUR_S:.0f} h {duration_s % HOUR_S // MINUTE_S:.0f} min"
    return f"{duration_s // DAY_S:.0f} d {duration_s % DAY_S // HOUR_S:.0f} h"


def took(start: datetime | None, end: datetime | None) -> str:
    return duration_words((end - start).total_seconds()) if start and end else ""
