"""The client of programs that await: one method for each thing that is asked often, `ask` for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api_app.client import asking, async_events
from api_app.client.asking import LOG_CHUNK_BYTES, LogChunk
from api_app.client.async_files_client import AsyncFilesClient
from api_app.client.contract import account, bulk, jobs, pipelines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

    from api_app.client.contract import shapes
    from api_app.client.contract.shapes import (
        Attempt,
        Bulk,
        BulkItem,
        BulkPreview,
        Event,
        Job,
        JobListed,
        Me,
        NewToken,
        Pipeline,
        Token,
    )


class AsyncClient(AsyncFilesClient):
    """All of the platform, from any number of tasks of one event loop: `Client`, awaited.

    Without arguments it finds the platform as the command does: ESTEIRA_URL and ESTEIRA_TOKEN, the login of
    `esteira login`, the platform that `esteira up` started on this machine.

    >>> async with AsyncClient() as client:
    ...     file = await client.upload(Path("sales.csv"))
    ...     job = await client.submit("tabular-profile", [file["id"]])
    ...     async for job in client.watch(job["id"]):
    ...         print(job["state"])
    ...     await client.download_results(job["id"], Path("out"))
    """

    # Who I am

    async def me(self) -> Me:
        return await self.ask(account.show_me())

    async def tokens(self) -> list[Token]:
        return [one async for one in self.each(account.list_tokens())]

    async def create_token(self, name: str, *, scopes: Sequence[str], workspace: str | None, days: int) -> NewToken:
        return await self.ask(asking.new_token(name, scopes=scopes, workspace=workspace, days=days))

    async def rotate_token(self, token_id: str, *, overlap_hours: int) -> NewToken:
        return await self.ask(account.rotate_token(token_id, {"overlap_hours": overlap_hours}))

    async def revoke_token(self, token_id: str) -> None:
        await self.ask(account.revoke_token(token_id))

    async def report_leaked_token(self, token: str) -> None:
        await self.ask(asking.leaked_token(token))

    # Pipelines

    async def pipelines(self) -> list[Pipeline]:
        return [one async for one in self.each(pipelines.list_pipelines())]

    async def pipeline(self, name: str) -> Pipeline:
        """`inspect` is its newest version, `inspect@1.0.0` that one."""
        return await self.ask(pipelines.show_pipeline(name))

    # Jobs

    async def submit(
        self,
        pipeline: str,
        inputs: Sequence[str],
        *,
        params: Mapping[str, Any] | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        priority: int | None = None,
        deadline_s: int | None = None,
        workspace: str | None = None,
        key: str | None = None,
    ) -> Job:
        """Give the same `key` again and it is the same job, however often the connection breaks."""
        return await self.ask(
            asking.submission(
                pipeline,
                inputs,
                params=params,
                name=name,
                labels=labels,
                priority=priority,
                deadline_s=deadline_s,
                workspace=workspace,
                key=key,
            )
        )

    async def resubmit(
        self,
        job_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        inputs: Sequence[str] | None = None,
        pipeline: str | None = None,
        key: str | None = None,
    ) -> Job:
        """A new job like that one; what is left out stays as it was."""
        return await self.ask(asking.resubmission(job_id, params=params, inputs=inputs, pipeline=pipeline, key=key))

    def jobs(
        self,
        *,
        state: shapes.JobState | None = None,
        pipeline: str | None = None,
        created_by: str | None = None,
        q: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[JobListed]:
        """Newest first, without inputs, steps and results. `q`: as in the filter of the jobs page."""
        return self.each(asking.job_list(state=state, pipeline=pipeline, created_by=created_by, q=q), limit=limit)

    async def job(self, job_id: str) -> Job:
        return await self.ask(asking.shown(job_id))

    async def cancel(self, job_id: str) -> Job:
        return await self.ask(jobs.cancel_job(job_id))

    async def retry(self, job_id: str) -> Job:
        return await self.ask(jobs.retry_job(job_id))

    async def rerun_items(self, job_id: str, *, step: str | None = None, items: Sequence[int] | None = None) -> Job:
        """Only the failed items of a fan-out: all of them, or those named."""
        return await self.ask(asking.rerun(job_id, step=step, items=items))

    async def bulk_preview(self, action: shapes.BulkAction, q: str, *, workspace: str | None = None) -> BulkPreview:
        """How many jobs the filter `q` would give to the action, and the newest of them. Changes nothing."""
        return await self.ask(asking.bulk_preview(action, q, workspace=workspace))

    async def bulk(
        self,
        action: shapes.BulkAction,
        q: str,
        *,
        expected: int,
        workspace: str | None = None,
        set_labels: Mapping[str, str] | None = None,
        remove_labels: Sequence[str] | None = None,
        priority: int | None = None,
        key: str | None = None,
    ) -> Bulk:
        """Begin it: `expected` as the preview counted. Follow it by `bulk_state`."""
        return await self.ask(
            asking.bulk_begin(
                action,
                q,
                expected=expected,
                workspace=workspace,
                set_labels=set_labels,
                remove_labels=remove_labels,
                priority=priority,
                key=key,
            )
        )

    async def bulk_state(self, bulk_id: str) -> Bulk:
        return await self.ask(bulk.show_bulk(bulk_id))

    def bulk_items(
        self, bulk_id: str, *, outcome: shapes.BulkOutcome | None = None, limit: int | None = None
    ) -> AsyncIterator[BulkItem]:
        """What came of each job."""
        return self.each(bulk.list_bulk_items(bulk_id, outcome=outcome), limit=limit)

    async def bulk_cancel(self, bulk_id: str) -> Bulk:
        """Jobs whose turn has not come are skipped; what is done stays done."""
        return await self.ask(bulk.cancel_bulk(bulk_id))

    def watch(self, job_id: str) -> AsyncGenerator[Job]:
        """The job now and after every change, until it has ended."""
        return async_events.watch(self._transport, job_id)

    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        async for job in async_events.watch(self._transport, job_id, deadline=asking.deadline(timeout_s)):
            last = job
        return asking.ended(last, timeout_s)

    async def events(self, job_id: str, *, after: int = 0) -> AsyncGenerator[Event]:
        """Each event once, live, until the job has ended or you stop."""
        patience_s = self._transport.trying.patience_s
        async for event in async_events.AsyncEventStream(self._transport, job_id, after=after, patience_s=patience_s):
            if event is not None:
                yield event

    async def attempts(self, job_id: str) -> list[Attempt]:
        return [one async for one in self.each(jobs.list_attempts(job_id))]

    async def log(self, attempt_id: str, *, offset: int = 0, limit: int = LOG_CHUNK_BYTES) -> LogChunk:
        call = jobs.read_log(attempt_id, offset=offset, limit=limit)
        return asking.log_chunk(await self._transport.send(call), offset)
