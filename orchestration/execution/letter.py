"""The text of the mail about jobs that ended and files that go, in the language and at the clock that are active."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from django.utils import timezone
from django.utils.dates import MONTHS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from orchestration.figures import size_words, whole
from orchestration.sentences import said
from orchestration.states import FAILURE_SAYS, JOB_FAILED, JobState, MailOn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

SHOWN: Final = 50
NAME_LENGTH: Final = 100
DETAIL_LENGTH: Final = 500

WHY: Final = {
    MailOn.FAILURES: gettext_noop("You are mailed when your jobs fail, and before your files are deleted."),
    MailOn.NEVER: gettext_noop("You are mailed as you chose for your workspaces."),
    MailOn.ALWAYS: gettext_noop("You are mailed when your jobs end, and before your files are deleted."),
}

SAID: Final[dict[str, str]] = {
    JobState.SUCCEEDED: gettext_noop("%(name)s succeeded"),
    JobState.FAILED: gettext_noop("%(name)s failed"),
    JobState.CANCELED: gettext_noop("%(name)s was canceled"),
    JobState.TIMED_OUT: gettext_noop("%(name)s timed out"),
}
COUNTED: Final[dict[str, Callable[[int], str]]] = {
    JobState.SUCCEEDED: lambda n: ngettext("%(number)s succeeded", "%(number)s succeeded", n),
    JobState.FAILED: lambda n: ngettext("%(number)s failed", "%(number)s failed", n),
    JobState.CANCELED: lambda n: ngettext("%(number)s canceled", "%(number)s canceled", n),
    JobState.TIMED_OUT: lambda n: ngettext("%(number)s timed out", "%(number)s timed out", n),
}


class Ended(NamedTuple):
    """A finished job, as far as a mail shows it."""

    id: UUID
    run: int
    state: str
    name: str
    pipeline: str
    workspace: str
    failure_kind: str
    failure_detail: str

    @property
    def title(self) -> str:
        return one_line(self.name or self.pipeline, NAME_LENGTH)


class Going(NamedTuple):
    """A file that will be deleted soon, as far as a mail shows it. `size` in bytes."""

    id: UUID
    name: str
    size: int
    workspace: str
    expires_at: datetime


type Notice = tuple[str, str, str, str]
"""Slug of the workspace, title, detail, path of the page."""


def one_line(text: str, most: int) -> str:
    """What people and their programs wrote: it must not start a header, fake a line or turn the text around."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def subject(jobs: Sequence[Ended], files: Sequence[Going] = (), notices: Sequence[Notice] = ()) -> str:
    parts = [_subject_of_jobs(jobs)] if jobs else []
    if len(files) == 1:
        about = {"name": one_line(files[0].name, NAME_LENGTH), "day": _day(files[0])}
        parts.append(_("%(name)s will be deleted on %(day)s") % about)
    elif files:
        about = {"number": whole(len(files)), "day": _day(files[0])}
        parts.append(_("%(number)s files will be deleted, the first on %(day)s") % about)
    if len(notices) == 1:
        parts.append(one_line(notices[0][1], NAME_LENGTH))
    elif notices:
        many = ngettext("%(number)s notification", "%(number)s notifications", len(notices))
        parts.append(many % {"number": whole(len(notices))})
    return f"Esteira: {'; '.join(parts)}"


def _subject_of_jobs(jobs: Sequence[Ended]) -> str:
    if len(jobs) == 1:
        return _said_of(jobs[0])
    counts = Counter(job.state for job in jobs)
    ends = ", ".join(COUNTED[state](n) % {"number": whole(n)} for state, n in counts.most_common())
    return _("%(number)s jobs ended: %(ends)s") % {"number": whole(len(jobs)), "ends": ends}


def body(
    jobs: Sequence[Ended],
    files: Sequence[Going] = (),
    notices: Sequence[Notice] = (),
    *,
    mail_on: str,
    address: str,
) -> str:
    """`address` is that of the platform. Failures come first: of many jobs not all are shown."""
    parts = [*_jobs_part(jobs, address), *_files_part(files, address), *_notices_part(notices, address)]
    change = _("To change that: %(address)s") % {"address": f"{address}/notifications/settings/"}
    parts.append(f"-- \n{_(WHY[MailOn(mail_on)])} {change}")
    return "\n\n".join(parts) + "\n"


def _jobs_part(jobs: Sequence[Ended], address: str) -> list[str]:
    if not jobs:
        return []
    shown = sorted(jobs, key=lambda job: job.state not in JOB_FAILED)[:SHOWN]
    ended = ngettext("This job of yours has ended.", "These %(number)s jobs of yours have ended.", len(jobs))
    parts = [ended % {"number": whole(len(jobs))}]
    parts += [_about(job, address) for job in shown]
    if rest := len(jobs) - len(shown):
        parts.append(_more(rest, f"{address}/jobs/"))
    return parts


def _files_part(files: Sequence[Going], address: str) -> list[str]:
    """The first to go come first."""
    if not files:
        return []
    go = ngettext(
        "This file of yours will be deleted when the date has come. Extend it to keep it longer.",
        "These %(number)s files of yours will be deleted when the date has come. Extend them to keep them longer.",
        len(files),
    )
    parts = [go % {"number": whole(len(files))}]
    for file in files[:SHOWN]:
        name = one_line(file.name, NAME_LENGTH)
        where = _("in %(workspace)s") % {"workspace": file.workspace}
        parts.append(f"{_day(file)}: {name}, {size_words(file.size)}, {where}\n  {address}/files/{file.id}/")
    if (rest := len(files) - SHOWN) > 0:
        parts.append(_more(rest, f"{address}/files/?going=soon"))
    return parts


def _notices_part(notices: Sequence[Notice], address: str) -> list[str]:
    parts = []
    for workspace, title, detail, path in notices[:SHOWN]:
        lines = [one_line(title, DETAIL_LENGTH), _("in %(workspace)s") % {"workspace": workspace}]
        if detail:
            lines.append(one_line(detail, DETAIL_LENGTH))
        parts.append("\n  ".join([*lines, f"{address}{path}"]))
    if (rest := len(notices) - SHOWN) > 0:
        parts.append(_more(rest, f"{address}/notifications/"))
    return parts


def _day(file: Going) -> str:
    at = timezone.localtime(file.expires_at)
    return _("%(day)s %(month)s %(year)s") % {"day": at.day, "month": MONTHS[at.month], "year": at.year}


def _more(rest: int, address: str) -> str:
    return _("… and %(number)s more: %(address)s") % {"number": whole(rest), "address": address}


def _said_of(job: Ended) -> str:
    return _(SAID[job.state]) % {"name": job.title}


def _about(job: Ended, address: str) -> str:
    again = ", " + _("run %(run)s") % {"run": job.run} if job.run > 1 else ""
    where = _("in %(workspace)s") % {"workspace": job.workspace}
    lines = [_said_of(job), f"{job.pipeline} {where}{again}"]
    if job.failure_kind in FAILURE_SAYS:
        what, fault = FAILURE_SAYS[job.failure_kind]
        lines.append(f"{_(what)} ({job.failure_kind}). {_(fault)}.")
    if detail := one_line(said(job.failure_detail), DETAIL_LENGTH):
        lines.append(detail)
    return "\n  ".join([*lines, f"{address}/jobs/{job.id}/"])
