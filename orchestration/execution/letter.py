"""The text of the mail that tells a person which jobs ended and which files go. Pure: nothing is sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestration.spec.units import readable_size
from orchestration.states import FAILURE_SAYS, JOB_FAILED, MailOn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

SHOWN: Final = 50
NAME_LENGTH: Final = 100
DETAIL_LENGTH: Final = 500

WHY: Final = {
    MailOn.FAILURES: "You are mailed when your jobs fail, and before your files are deleted.",
    MailOn.NEVER: "You are mailed as you chose for your workspaces.",
    MailOn.ALWAYS: "You are mailed when your jobs end, and before your files are deleted.",
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

    @property
    def word(self) -> str:
        return self.state.replace("_", " ").lower()


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
        parts.append(f"{one_line(files[0].name, NAME_LENGTH)} will be deleted on {_day(files[0])}")
    elif files:
        parts.append(f"{len(files):,} files will be deleted, the first on {_day(files[0])}")
    if len(notices) == 1:
        parts.append(one_line(notices[0][1], NAME_LENGTH))
    elif notices:
        parts.append(f"{len(notices):,} notifications")
    return f"Esteira: {'; '.join(parts)}"


def _subject_of_jobs(jobs: Sequence[Ended]) -> str:
    if len(jobs) == 1:
        return f"{jobs[0].title} {_verb(jobs[0])}"
    counts = Counter(job.word for job in jobs)
    return f"{len(jobs):,} jobs ended: {', '.join(f'{n:,} {word}' for word, n in counts.most_common())}"


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
    parts.append(f"-- \n{WHY[MailOn(mail_on)]} To change that: {address}/notifications/settings/")
    return "\n\n".join(parts) + "\n"


def _jobs_part(jobs: Sequence[Ended], address: str) -> list[str]:
    if not jobs:
        return []
    shown = sorted(jobs, key=lambda job: job.state not in JOB_FAILED)[:SHOWN]
    parts = ["This job of yours has ended." if len(jobs) == 1 else f"These {len(jobs):,} jobs of yours have ended."]
    parts += [_about(job, address) for job in shown]
    if rest := len(jobs) - len(shown):
        parts.append(f"… and {rest:,} more: {address}/jobs/")
    return parts


def _files_part(files: Sequence[Going], address: str) -> list[str]:
    """The first to go come first."""
    if not files:
        return []
    these, them = ("This file", "it") if len(files) == 1 else (f"These {len(files):,} files", "them")
    parts = [f"{these} of yours will be deleted when the date has come. Extend {them} to keep {them} longer."]
    for file in files[:SHOWN]:
        name = one_line(file.name, NAME_LENGTH)
        about = f"{_day(file)}: {name}, {readable_size(file.size)}, in {file.workspace}"
        parts.append(f"{about}\n  {address}/files/{file.id}/")
    if (rest := len(files) - SHOWN) > 0:
        parts.append(f"… and {rest:,} more: {address}/files/?going=soon")
    return parts


def _notices_part(notices: Sequence[Notice], address: str) -> list[str]:
    parts = []
    for workspace, title, detail, path in notices[:SHOWN]:
        lines = [one_line(title, DETAIL_LENGTH), f"in {workspace}"]
        if detail:
            lines.append(one_line(detail, DETAIL_LENGTH))
        parts.append("\n  ".join([*lines, f"{address}{path}"]))
    if (rest := len(notices) - SHOWN) > 0:
        parts.append(f"… and {rest:,} more: {address}/notifications/")
    return parts


def _day(file: Going) -> str:
    return f"{file.expires_at.day} {file.expires_at:%B %Y}"


def _verb(job: Ended) -> str:
    return {"canceled": "was canceled", "timed out": "timed out"}.get(job.word, job.word)


def _about(job: Ended, address: str) -> str:
    again = f", run {job.run}" if job.run > 1 else ""
    lines = [f"{job.title} {_verb(job)}", f"{job.pipeline} in {job.workspace}{again}"]
    if job.failure_kind in FAILURE_SAYS:
        what, fault = FAILURE_SAYS[job.failure_kind]
        lines.append(f"{what} ({job.failure_kind}). {fault}.")
    if detail := one_line(job.failure_detail, DETAIL_LENGTH):
        lines.append(detail)
    return "\n  ".join([*lines, f"{address}/jobs/{job.id}/"])
