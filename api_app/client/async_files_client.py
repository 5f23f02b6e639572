"""Uploads, files and results, by a client that is awaited. Bytes travel in threads, as those of `Client` do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api_app.client import archives, downloads
from api_app.client.async_asker import AsyncAsker
from api_app.client.contract import files, jobs, manifests, uploads
from api_app.client.progress import Progress, no_progress
from api_app.client.threads import in_loop
from api_app.client.uploads import fleet
from api_app.client.uploads.outgoing import Outcome, Outgoing, SingleWatch, Stream, Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from api_app.client.contract import shapes
    from api_app.client.contract.shapes import (
        File,
        Upload,
    )


class AsyncFilesClient(AsyncAsker):
    async def upload(
        self,
        source: str | Path | Stream,
        *,
        name: str = "",
        path: str = "",
        workspace: str | None = None,
        max_parallel: int | None = None,
        progress: Progress = no_progress,
    ) -> File:
        """A file on disk, an open file, or anything that gives bytes; `path` is its folder there, like photos/2026.

        A file on disk that was cut off, by whatever, goes on where it stopped when it is uploaded again; a task that is
        canceled stops sending first. A stream is read in a thread.
        """
        item = Outgoing(Path(source) if isinstance(source, str) else source, name, path)
        watch = SingleWatch(in_loop(progress))
        (outcome,) = await self.upload_many([item], workspace=workspace, max_parallel=max_parallel, watch=watch)
        return outcome.required()

    async def upload_many(
        self,
        items: Iterable[str | Path | Outgoing],
        *,
        workspace: str | None = None,
        max_parallel: int | None = None,
        watch: Watch | None = None,
        again: bool = True,
    ) -> list[Outcome]:
        """Any number, `max_parallel` connections in all. Of each, in order, its file or what went wrong.

        With `again=False` a file that you uploaded within the last day, and that is still there, is not sent again.
        """
        outgoing = [Outgoing.of(item) for item in items]
        return await self._threads.run(
            lambda transport: fleet.upload_many(
                transport, outgoing, workspace=workspace, max_parallel=max_parallel, watch=watch, again=again
            )
        )

    def uploads(self, *, state: shapes.UploadState | None = "open", limit: int | None = None) -> AsyncIterator[Upload]:
        """My own, newest first; the open ones are unfinished."""
        return self.each(uploads.list_uploads(state=state), limit=limit)

    async def show_upload(self, upload_id: str) -> Upload:
        return await self.ask(uploads.show_upload(upload_id))

    async def abort_upload(self, upload_id: str) -> None:
        """What has arrived of it is deleted, its room is free. Any number of times."""
        await self.ask(uploads.abort_upload(upload_id))

    def files(self, *, limit: int | None = None) -> AsyncIterator[File]:
        return self.each(files.list_files(), limit=limit)

    async def fetch(self, place: downloads.Place, folder: Path, *, progress: Progress = no_progress) -> Path:
        """One of the places of `downloads.plan`. An interrupted fetch goes on where it stopped."""
        told = in_loop(progress)
        return await self._threads.run(lambda transport: downloads.fetch(transport, place, folder, told))

    async def download_results(self, job_id: str, folder: Path, *, progress: Progress = no_progress) -> list[Path]:
        found, told = await self.results(job_id), in_loop(progress)
        return await self._threads.run(lambda transport: downloads.fetch_all(transport, found, folder, told))

    async def download_archive(self, job_id: str, target: Path, *, progress: Progress = no_progress) -> Path:
        """All results of a job as one ZIP. An interrupted fetch goes on where it stopped."""
        told = in_loop(progress)
        return await self._threads.run(lambda transport: archives.fetch_archive(transport, job_id, target, told))

    async def manifest(self, job_id: str) -> bytes:
        """The signed record of a finished job: a DSSE envelope. `signatures.opened` checks it."""
        return await self.ask(manifests.show_manifest(job_id).raw())

    async def signing_keys(self) -> str:
        """A JSON Web Key Set with every key that has signed there."""
        return (await self.ask(manifests.list_signing_keys().raw())).decode()

    async def results(self, job_id: str) -> list[File]:
        return [one async for one in self.each(jobs.list_results(job_id))]
