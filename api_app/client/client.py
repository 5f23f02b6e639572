"""The client of programs that wait in a thread: one method for each thing that is asked often, `ask` for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from api_app.client import asking, credentials, events
from api_app.client.asking import LOG_CHUNK_BYTES, LogChunk
from api_app.client.contract import account, bulk, jobs, pipelines
from api_app.client.files_client import FilesClient
from api_app.client.transport import Transport
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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


class Client(FilesClient):
    """All of the platform, from any number of threads.

    Without arguments it finds the platform as the command does: ESTEIRA_URL and ESTEIRA_TOKEN, the login of
    `esteira login`, the platform that `esteira up` started on this machine.

    >>> with Client() as client:
    ...     file = client.upload(Path("sales.csv"))
    ...     job = client.wait(client.submit("tabular-profile", [file["id"]])["id"])
    ...     client.download_results(job["id"], Path("out"))
    """

    def call(self, method: str, path: str, *, repeat: Repeat = Repeat.UNDONE, **options: Any) -> httpx.Response:
        """Any operation by its path below /api/v1, also one that has no method here; `by_path` has the shapes of it."""
        return self._transport.send(method, f"/{path}", repeat=repeat, **options)

    # Who I am

    def me(self) -> Me:
        return self.ask(account.show_me())

    def tokens(self) -> list[Token]:
        return list(self.each(account.list_tokens()))

    def create_token(self, name: str, *, scopes: Sequence[str], workspace: str | None, days: int) -> NewToken:
        return self.ask(asking.new_token(name, scopes=scopes, workspace=workspace, days=days))

    def rotate_token(self, token_id: str, *, overlap_hours: int) -> NewToken:
        return self.ask(account.rotate_token(token_id, {"overlap_hours": overlap_hours}))

    def revoke_token(self, token_id: str) -> None:
        self.ask(account.revoke_token(token_id))

    def report_leaked_token(self, token: str) -> None:
        self.ask(asking.leaked_token(token))

    # Pipelines

    def pipelines(self) -> list[Pipeline]:
        return list(self.each(pipelines.list_pipelines()))

    def pipeline(self, name: str) -> Pipeline:
        """`inspect` is its newest version, `inspect@1.0.0` that one."""
        return self.ask(pipelines.show_pipeline(name))

    # Jobs

    def submit(
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
        return self.ask(
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

    def resubmit(
        self,
        job_id: str,
        *,
        params: Mapping[str, Any] | None = None,
        inputs: Sequence[str] | None = None,
        pipeline: str | None = None,
        key: str | None = None,
    ) -> Job:
        """A new job like that one; what is left out stays as it was."""
        return self.ask(asking.resubmission(job_id, params=params, inputs=inputs, pipeline=pipeline, key=key))

    def jobs(
        self,
        *,
        state: shapes.JobState | None = None,
        pipeline: str | None = None,
        created_by: str | None = None,
        q: str | None = None,
        limit: int | None = None,
    ) -> Iterator[JobListed]:
        """Newest first, without inputs, steps and results. `q`: as in the filter of the jobs page."""
        return self.each(asking.job_list(state=state, pipeline=pipeline, created_by=created_by, q=q), limit=limit)

    def job(self, job_id: str) -> Job:
        return self.ask(asking.shown(job_id))

    def cancel(self, job_id: str) -> Job:
        return self.ask(jobs.cancel_job(job_id))

    def retry(self, job_id: str) -> Job:
        return self.ask(jobs.retry_job(job_id))

    def rerun_items(self, job_id: str, *, step: str | None = None, items: Sequence[int] | None = None) -> Job:
        """Only the failed items of a fan-out: all of them, or those named."""
        return self.ask(asking.rerun(job_id, step=step, items=items))

    def bulk_preview(self, action: shapes.BulkAction, q: str, *, workspace: str | None = None) -> BulkPreview:
        """How many jobs the filter `q` would give to the action, and the newest of them. Changes nothing."""
        return self.ask(asking.bulk_preview(action, q, workspace=workspace))

    def bulk(
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
        return self.ask(
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

    def bulk_state(self, bulk_id: str) -> Bulk:
        return self.ask(bulk.show_bulk(bulk_id))

    def bulk_items(
        self, bulk_id: str, *, outcome: shapes.BulkOutcome | None = None, limit: int | None = None
    ) -> Iterator[BulkItem]:
        """What came of each job."""
        return self.each(bulk.list_bulk_items(bulk_id, outcome=outcome), limit=limit)

    def bulk_cancel(self, bulk_id: str) -> Bulk:
        """Jobs whose turn has not come are skipped; what is done stays done."""
        return self.ask(bulk.cancel_bulk(bulk_id))

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it has ended."""
        return events.watch(self._transport, job_id)

    def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        for job in events.watch(self._transport, job_id, deadline=asking.deadline(timeout_s)):
            last = job
        return asking.ended(last, timeout_s)

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Each event once, live, until the job has ended or you stop."""
        stream = events.EventStream(self._transport, job_id, after=after, patience_s=self._transport.trying.patience_s)
        try:
            yield from (event for event in stream if event is not None)
        finally:
            stream.close()

    def attempts(self, job_id: str) -> list[Attempt]:
        return list(self.each(jobs.list_attempts(job_id)))

    def log(self, attempt_id: str, *, offset: int = 0, limit: int = LOG_CHUNK_BYTES) -> LogChunk:
        call = jobs.read_log(attempt_id, offset=offset, limit=limit)
        return asking.log_chunk(self._transport.answer(call), offset)


def log_in(url: str, user: str, password: str, *, name: str) -> NewToken:
    """Change a password for a token."""
    nobody = credentials.Credentials(credentials.normal_url(url), token="", source="login")
    call = asking.new_token(name, scopes=(), workspace=None, days=None).repeated(Repeat.NEVER)
    with Transport(nobody, patience_s=1, notice=lambda _sentence: None) as transport:
        return transport.ask(call, auth=httpx.BasicAuth(user, password))
