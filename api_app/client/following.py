"""What every command does that leaves a job running: say so, or stay until it ends and answer with its exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api_app.client import downloads
from api_app.client.errors import EsteiraError
from api_app.client.exit_codes import ExitCode
from api_app.client.screen import live, summary
from api_app.client.screen.neutral import one_line
from api_app.client.screen.transfers import Transfers
from api_app.client.screen.words import count, short, size
from api_app.client.states import FINISHED

if TYPE_CHECKING:
    from pathlib import Path

    from api_app.client.contract.shapes import Attempt, File, Job
    from api_app.client.session import Session

EXIT_CODES = {"SUCCEEDED": ExitCode.DONE, "CANCELED": ExitCode.CANCELED}


def follow(session: Session, job: Job, *, is_watched: bool, folder: Path | None = None) -> int:
    if not is_watched and folder is None:
        summary.submitted(session.screen, job, session.base_url)
        if session.screen.is_json:
            session.screen.json(job)
        return ExitCode.DONE
    return finish(session, _watched(session, job), folder=folder)


def _watched(session: Session, job: Job) -> Job:
    try:
        return live.follow(session.screen, session.client.watch(job["id"]))
    except KeyboardInterrupt:
        me = short(job["id"])
        session.screen.note(
            f"You stopped watching; the job goes on.\n  Watch it again: esteira watch {me}\n"
            f"  Cancel it:      esteira cancel {me}"
        )
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def finish(session: Session, job: Job, *, folder: Path | None = None) -> int:
    summary.ended(session.screen, job, failed_attempts(session, job), session.base_url)
    fault: EsteiraError | None = None
    if folder is not None and job.get("results"):
        try:
            fetch_all(session, job["results"], folder)
        except EsteiraError as one:
            fault = one  # the job's own line comes last all the same
    if session.screen.is_json:
        session.screen.json(job)
    if fault is not None:
        raise fault
    return EXIT_CODES.get(job["state"], ExitCode.FAILED)


def failed_attempts(session: Session, job: Job) -> list[Attempt]:
    has_failures = any(step["items_failed"] for step in job.get("steps", []))
    if session.screen.is_json or not (has_failures and job["state"] in FINISHED):
        return []
    return summary.last_failures(session.client.attempts(job["id"]))


def fetch_all(session: Session, files: list[File], folder: Path) -> list[Path]:
    places = downloads.plan(files, folder)
    total = sum(place.file["size"] for place in places if not place.is_present)

    with Transfers(session.screen, "Downloading", total, is_counted=lambda _phase: True) as transfers:

        def fetch(place: downloads.Place) -> Path:
            with transfers.bar(place.path.name) as bar:
                return session.client.fetch(place, folder, progress=bar)

        paths = transfers.run([lambda place=place: fetch(place) for place in places])  # type: ignore[misc]
    present = sum(place.is_present for place in places)
    there = f"; {present:,} of them were there already" if present else ""
    session.screen.note(f"Downloaded {count(len(paths), 'file')} ({size(total)}) to {one_line(folder)}{there}.")
    return paths
