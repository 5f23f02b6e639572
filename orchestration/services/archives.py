"""ZIP archives of results and of any selection of files, put together while they are sent."""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from orchestration.archive_names import distinct, harmless
from orchestration.errors import Conflict, Invalid, NotFound, SigningKeyRevoked
from orchestration.models import File
from orchestration.services.files import note_archive_read, open_content, why_not_readable
from orchestration.services.manifests import manifest_of
from orchestration.services.results import CRATE, MANIFEST, names_of
from orchestration.states import ScanState
from orchestration.zip_stream import Entry, length_of, zip_blocks

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from orchestration.models import Job, User

log = logging.getLogger(__name__)
MOST_FILES: Final = 100_000
"""In one archive: the rows of all of them are in memory while it is sent."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The same files make the same bytes, so that a download that broke off can go on: `etag` says which they are."""

    name: str
    entries: tuple[Entry, ...]
    size: int
    etag: str

    def blocks(self, start: int = 0) -> Generator[bytes]:
        """From byte `start` on. What lies before it is read as well: the archive's end says the CRC of each file."""
        return zip_blocks(self.entries, skip=start)


def results_archive(*, user: User, job: Job, ids: Sequence[UUID] = ()) -> Archive:
    """All results of a job, or those of them that `ids` names. Raises NotFound for one that is not among them."""
    names = names_of(job)
    files = {file.pk: file for file in File.objects.results().filter(job=job).select_related("workspace")}
    if missing := next((pk for pk in ids if pk not in files), None):
        raise NotFound(f"This job has no result {missing}.")
    wanted = set(ids) or files.keys()
    chosen = [files[pk] for pk in names if pk in files and pk in wanted]
    if not chosen:
        raise NotFound("This job has no results" + (" yet." if not job.is_finished else "."))
    archive = _of_job(job, [(file, names[file.pk]) for file in chosen], papers_of(job, has_all=not ids))
    note_archive_read(user=user, files=chosen)
    return archive


def chosen_archive(*, job: Job, chosen: Sequence[tuple[File, str]], has_papers: bool) -> Archive:
    """Results with the names they have among all of the job's. Raises NotFound for none of them."""
    if not chosen:
        raise NotFound("None of these files is left.")
    return _of_job(job, chosen, papers_of(job, has_all=False) if has_papers else ())


def _of_job(job: Job, chosen: Sequence[tuple[File, str]], papers: tuple[Entry, ...]) -> Archive:
    title = job.name or job.pipeline_version.pipeline.name
    name = f"{harmless(title.replace('/', '_'))}-{job.pk.hex[-8:]}.zip"
    files, names = zip(*chosen, strict=True)
    return _archive(name, files, names, papers)


def papers_of(job: Job, *, has_all: bool) -> tuple[Entry, ...]:
    """What says where results come from: of a finished job its manifest, and the crate where all of them come along."""
    if not job.is_finished:
        return ()
    try:
        manifest = manifest_of(job=job)
    except SigningKeyRevoked as exc:
        # The results are not to blame, and their owner waits for them.
        log.warning("archive without its manifest", extra={"job_id": str(job.pk), "error": str(exc)})
        return ()
    papers = {MANIFEST: manifest.envelope} | ({CRATE: manifest.crate} if has_all else {})
    return tuple(_text(name, text, manifest.created_at) for name, text in papers.items())


def _text(name: str, text: str, made_at: datetime) -> Entry:
    data = text.encode()
    return Entry(name=name, size=len(data), made_at=made_at, open=partial(io.BytesIO, data))


def files_archive(*, user: User, ids: Sequence[UUID]) -> Archive:
    """Any files that `user` may see, in the order they are named, each in the folder it was uploaded from."""
    if not ids:
        raise Invalid("Say which files: the archive would be empty.")
    found = File.objects.visible_to(user).current().select_related("workspace").in_bulk(list(ids))
    if missing := next((pk for pk in ids if pk not in found), None):
        raise NotFound(f"There is no file {missing} that you may see.")
    files = [found[pk] for pk in dict.fromkeys(ids)]
    names = distinct(f"{file.path}/{file.name}" for file in files)
    archive = _archive("files.zip", files, names)
    note_archive_read(user=user, files=files)
    return archive


def _archive(name: str, files: Sequence[File], names: Sequence[str], papers: tuple[Entry, ...] = ()) -> Archive:
    if len(files) > MOST_FILES:
        raise Invalid(f"An archive has at most {MOST_FILES:,} files; these are {len(files):,}. Fetch them in parts.")
    if held := next((file for file in files if file.scan_state != ScanState.CLEAN), None):
        raise Conflict(why_not_readable(held))
    entries = papers + tuple(
        Entry(name=own, size=file.size, made_at=file.created_at, open=partial(open_content, file))
        for file, own in zip(files, names, strict=True)
    )
    # Of papers, made once for a run and never anew, name, size and moment say which they are.
    digests = ("",) * len(papers) + tuple(file.sha256 for file in files)
    return Archive(name, entries, length_of(entries), _etag(zip(entries, digests, strict=True)))


def _etag(parts: Iterable[tuple[Entry, str]]) -> str:
    """Strong: of all that the bytes are made of."""
    digest = hashlib.sha256()
    for entry, sha256 in parts:
        digest.update(f"{entry.name}\0{entry.size}\0{entry.made_at.timestamp():.0f}\0{sha256}\n".encode())
    return digest.hexdigest()
