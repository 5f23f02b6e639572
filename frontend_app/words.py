"""States, reasons, sizes and times in plain words, for pages and admin alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils import timezone
from django.utils.translation import get_language, gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from orchestration.figures import day, tenths, whole
from orchestration.sentences import said
from orchestration.states import (
    FAILURE_SAYS,
    FailureKind,
    FileEventKind,
    FileKind,
    MailOn,
    MailWhen,
    Role,
    ScanState,
    WaitingReason,
    WebhookKind,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise as StrOrPromise

    from orchestration.models import FileEvent, Job

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


@dataclass(frozen=True, slots=True)
class Failure:
    """`headline` says what, `fault` whose it is, `advice` what to do about it."""

    headline: StrOrPromise
    fault: StrOrPromise
    advice: StrOrPromise


def _failure(kind: FailureKind, advice: StrOrPromise) -> Failure:
    what, fault = FAILURE_SAYS[kind]
    return Failure(_(what), _(fault), advice)


PEEK_FAULTS: Final = {
    "unreadable": _("This file cannot be looked into. It may be damaged. Download it to try yourself."),
    "single": _("This is one compressed file. Download it to look inside."),
    "busy": _("Other files are being looked into just now. Try again in a moment."),
}
CHECKS: Final = {
    ScanState.RECEIVED: _("waits to be checked"),
    ScanState.SCANNING: _("is being checked"),
    ScanState.CLEAN: _("passed"),
    ScanState.QUARANTINED: _("quarantined"),
}
FAILURES: Final = {
    FailureKind.USER_CODE: _failure(
        FailureKind.USER_CODE,
        _("A step ended with an error. Its log says more; whoever maintains the pipeline can mend it."),
    ),
    FailureKind.INPUT: _failure(
        FailureKind.INPUT,
        _("The step refused a file. Correct it, upload it again and resubmit."),
    ),
    FailureKind.RESOURCES: _failure(
        FailureKind.RESOURCES,
        _(
            "The step needed more time, memory or space than its pipeline allows. "
            "Try smaller files, or ask for more room."
        ),
    ),
    FailureKind.INTERRUPTED: _failure(
        FailureKind.INTERRUPTED,
        _("The work was cut off from outside and ran out of tries. Retry: what was finished is kept."),
    ),
    FailureKind.PLATFORM: _failure(
        FailureKind.PLATFORM,
        _("Nothing is wrong with your files. Retry; if it happens again, tell your administrator."),
    ),
}

WAITING: Final = {
    WaitingReason.SCAN: _("Its files are being checked."),
    WaitingReason.QUOTA: _("The workspace's quota is used up."),
    WaitingReason.CONCURRENCY: _("Other jobs of the workspace run first."),
    WaitingReason.CAPACITY: _("All machines are busy."),
    WaitingReason.IMAGE: _("The software of a step is being fetched."),
    WaitingReason.MISCONFIGURED: _("An administrator has to repair the set-up first."),
    WaitingReason.SCHEDULE: _("Its time has not come yet."),
    WaitingReason.PLATFORM: _("The platform is catching up."),
    WaitingReason.PAUSED: _("An administrator holds it back for a while."),
}

ROLES: Final = {
    Role.VIEWER: _("may look, not submit"),
    Role.SUBMITTER: _("may upload and submit"),
    Role.MANAGER: _("manages the workspace"),
}

MAIL_WHEN: Final = {
    MailWhen.NEVER: _("no mail"),
    MailWhen.AT_ONCE: _("mail at once"),
    MailWhen.DAILY: _("in the daily mail"),
}

MAIL_CHOICES: Final = {
    MailOn.NEVER: _("never"),
    MailOn.FAILURES: _("when one of my jobs fails"),
    MailOn.ALWAYS: _("when one of my jobs ends, however it ends"),
}

WEBHOOK_KINDS: Final = {
    WebhookKind.SUCCEEDED: _("a job succeeded"),
    WebhookKind.FAILED: _("a job failed"),
    WebhookKind.TIMED_OUT: _("a job timed out"),
    WebhookKind.CANCELED: _("a job was canceled"),
    WebhookKind.SUBMITTED: _("a job was submitted"),
    WebhookKind.QUEUED: _("a job was admitted"),
    WebhookKind.STARTED: _("a job started to run"),
    WebhookKind.RETRIED: _("a job was retried"),
}
DEADLINES: Final = {
    900: _("15 minutes"),
    3600: _("1 hour"),
    21_600: _("6 hours"),
    86_400: _("1 day"),
    259_200: _("3 days"),
    604_800: _("7 days"),
}
"""Seconds after it was submitted, by which a job is to have ended."""

OVERLAPS: Final = {24: _("for 24 hours more"), 168: _("for a week more"), 0: _("no longer: it got out")}
"""Hours, and how long an old secret holds."""

FILE_EVENTS: Final = {
    FileEventKind.SCAN: _("Checked"),
    FileEventKind.RELEASED: _("Released from quarantine"),
    FileEventKind.DAMAGED: _("Found damaged"),
    FileEventKind.RESTORED: _("Restored"),
    FileEventKind.DEDUPLICATED: _("Stored together with a file of the same content"),
    FileEventKind.WARNED: _("Announced to be deleted soon"),
    FileEventKind.EXTENDED: _("Kept longer"),
    FileEventKind.HELD: _("Put on hold"),
    FileEventKind.UNHELD: _("Released from its hold"),
    FileEventKind.DELETED: _("Deleted"),
    FileEventKind.EXPIRED: _("Deleted, because its date had come"),
    FileEventKind.UNDELETED: _("Brought back"),
    FileEventKind.PURGED: _("Given up for good"),
}
PURGES: Final = {
    "destroyed": _("Bytes destroyed"),
    "shared": _("Bytes left to a file of the same content"),
}
BYTES: Final = {
    "kept": _("Its bytes are still there."),
    "being destroyed": _("Its bytes are being destroyed."),
    "destroyed": _("Its bytes are destroyed."),
    "shared": _("Its bytes stay for another file of the same content in this workspace."),
}
COST_BASES: Final = {
    "measured": _("by how long its steps took of late"),
    "timeouts": _("at most, if every item took until its time-out"),
    "mixed": _("by how long some of its steps took of late, and the time-outs of the others"),
}
FILE_CLASSES: Final = {
    "upload": _("Uploads"),
    "result": _("Results"),
    "intermediate": _("Between steps"),
    "replaced": _("Replaced by a later run"),
    "deleted": _("Recently deleted"),
}

TYPES: Final = {
    "*/*": _("any file"),
    "image/*": _("images"),
    "text/*": _("text"),
    "text/csv": "CSV",
    "application/csv": "CSV",
    "text/tab-separated-values": "TSV",
    "text/plain": _("text"),
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
    "application/octet-stream": _("binary"),
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


STATES: Final = {
    "WAITING": _("Waiting"),
    "QUEUED": _("Queued"),
    "STARTING": _("Starting"),
    "RUNNING": _("Running"),
    "SUCCEEDED": _("Succeeded"),
    "FAILED": _("Failed"),
    "CANCELED": _("Canceled"),
    "CANCELING": _("Canceling"),
    "TIMED_OUT": _("Timed out"),
    "SKIPPED": _("Skipped"),
    "INTERRUPTED": _("Interrupted"),
    "DELIVERED": _("Delivered"),
    "DROPPED": _("Dropped"),
    "FAILING": _("Failing"),
    "ON": pgettext_lazy("switched", "On"),
    "OFF": pgettext_lazy("switched", "Off"),
    "SWITCHED_OFF": pgettext_lazy("switched", "Switched off"),
}
EVENT_KINDS: Final = {"step": _("step"), "item": _("item"), "attempt": _("attempt")}
ROLE_WORDS: Final = {
    Role.VIEWER: _("viewer"),
    Role.SUBMITTER: _("submitter"),
    Role.MANAGER: _("manager"),
}
FILE_KINDS: Final = {
    FileKind.UPLOAD: (_("upload"), _("uploads")),
    FileKind.RESULT: (_("result"), _("results")),
    FileKind.INTERMEDIATE: (_("between steps"), _("between steps")),
}


def language() -> str:
    """As pipelines name languages: `pt-BR`."""
    base, _dash, place = (get_language() or "en").partition("-")
    return f"{base}-{place.upper()}" if place else base


def state_word(state: str) -> str:
    known = STATES.get(state.upper().replace(" ", "_"))
    return str(known) if known else state.replace("_", " ").capitalize()


def role_word(role: str) -> str:
    return str(ROLE_WORDS.get(Role(role), role)) if role in set(Role) else role


def event_kind(kind: str) -> str:
    return str(EVENT_KINDS.get(kind, kind))


def file_kind(kind: str) -> str:
    return str(FILE_KINDS[FileKind(kind)][0])


def file_kinds(kind: str) -> str:
    return str(FILE_KINDS[FileKind(kind)][1])


def files(number: int) -> str:
    return ngettext("%(number)s file", "%(number)s files", number) % {"number": whole(number)}


def at_most(number: int, most: int) -> str:
    """Of what nobody counted to the end."""
    return f"{whole(most)}+" if number > most else whole(number)


def jobs(number: int) -> str:
    return ngettext("%(number)s job", "%(number)s jobs", number) % {"number": whole(number)}


def items(number: int) -> str:
    return ngettext("%(number)s item", "%(number)s items", number) % {"number": whole(number)}


def days(number: int) -> str:
    return ngettext("%(number)s day", "%(number)s days", number) % {"number": whole(number)}


def downloads(number: int) -> str:
    return ngettext("%(number)s download", "%(number)s downloads", number) % {"number": whole(number)}


def type_word(media_type: str) -> str:
    return str(TYPES.get(media_type.partition(";")[0].strip().lower(), media_type))


def check_word(scan_state: str) -> str:
    """How far the check of a file is that every file goes through when it comes."""
    return str(CHECKS[ScanState(scan_state)])


def waiting_sentence(job: Job) -> str:
    """Why a job does not run yet: "" for one that does."""
    if not job.waiting_reason:
        return ""
    return said(job.waiting_detail) or str(WAITING.get(WaitingReason(job.waiting_reason), ""))


def job_said(job: Job) -> str:
    """Its state and the reason for it, as they are read out when they change."""
    state = state_word("CANCELING" if job.is_canceling else job.state)
    failure = failure_of(job.failure_kind)
    why = waiting_sentence(job) or (failure.headline if failure else "")
    return f"{state}. {why}" if why else state


def failure_of(kind: str) -> Failure | None:
    return FAILURES[FailureKind(kind)] if kind in set(FailureKind) else None


def file_event(event: FileEvent) -> str:
    if event.kind == FileEventKind.EXTENDED:
        return gettext("Kept longer, until %(day)s") % {"day": day(datetime.fromisoformat(event.new))}
    return str(PURGES.get(event.new) or FILE_EVENTS[FileEventKind(event.kind)])


def days_left(at: datetime) -> str:
    left = (timezone.localtime(at).date() - timezone.localtime().date()).days
    if left <= 0:
        return gettext("today") if left == 0 else gettext("overdue")
    if left == 1:
        return gettext("tomorrow")
    return ngettext("in %(number)s day", "in %(number)s days", left) % {"number": whole(left)}


def duration_words(duration_s: float) -> str:
    if duration_s < MINUTE_S:
        return f"{tenths(round(max(0.0, duration_s), 1))} s"
    if duration_s < HOUR_S:
        return f"{duration_s // MINUTE_S:.0f} min {duration_s % MINUTE_S:.0f} s"
    if duration_s < DAY_S:
        return f"{duration_s // HOUR_S:.0f} h {duration_s % HOUR_S // MINUTE_S:.0f} min"
    return f"{duration_s // DAY_S:.0f} d {duration_s % DAY_S // HOUR_S:.0f} h"


def took(start: datetime | None, end: datetime | None) -> str:
    return duration_words((end - start).total_seconds()) if start and end else ""
