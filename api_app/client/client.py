"""The client: one method for each thing the platform can be asked."""

import math
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import httpx

from api_app.client import archives, credentials, downloads, events
from api_app.client.errors import RequestError
from api_app.client.progress import Progress, no_progress
from api_app.client.shapes import (
    FINISHED,
    Attempt,
    Bulk,
    BulkItem,
    BulkPreview,
    Event,
    File,
    Job,
    LogChunk,
    Me,
    Pipeline,
    Token,
    TokenRow,
    Upload,
)
from api_app.client.transport import Notice, Repeat, Transport
from api_app.client.uploads import fleet
from api_app.client.uploads.outgoing import Outcome, Outgoing, SingleWatch, Stream, Watch

PAGE = 200
LOG_CHUNK_BYTES = 1024 * 1024


class Client:
    """All of the platform, from any number of threads.

    Without arguments it finds the platform as the command does: ESTEIRA_URL and ESTEIRA_TOKEN, the login of
    `esteira login`, the platform that `make run` started on this machine.

    >>> with Client() as client:
    ...     file = client.upload(Path("sales.csv"))
    ...     job = client.wait(client.submit("tabular-profile", [file["id"]])["id"])
    ...     client.download_results(job["id"], Path("out"))
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60,
        notice: Notice = lambda _sentence: None,
    ) -> None:
        self.login = credentials.find(url, token)
        self._transport = Transport(self.login, patience_s=patience_s, notice=notice)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def call(self, method: str, path: str, *, repeat: Repeat = Repeat.UNDONE, **options: Any) -> httpx.Response:
        """Any operation of the API, also one that has no method here; `calls` has the shapes of it."""
        return self._transport.send(method, path, repeat=repeat, **options)

    # Who I am

    def me(self) -> Me:
        return cast("Me", self._transport.json("GET", "me"))

    def tokens(self) -> list[TokenRow]:
        return cast("list[TokenRow]", self._transport.json("GET", "tokens")["items"])

    def create_token(self, name: str, *, scopes: Sequence[str], workspace: str | None, days: int) -> Token:
        body = _said({"name": name, "scopes": list(scopes) or None, "workspace": workspace, "expires_in_days": days})
        return cast("Token", self._transport.json("POST", "tokens", json=body, repeat=Repeat.NEVER))

    def rotate_token(self, token_id: str, *, overlap_hours: int) -> Token:
        path, body = f"tokens/{_segment(token_id)}/rotate", {"overlap_hours": overlap_hours}
        return cast("Token", self._transport.json("POST", path, json=body, repeat=Repeat.NEVER))

    def revoke_token(self, token_id: str) -> None:
        self._transport.send("DELETE", f"tokens/{token_id}")

    def report_leaked_token(self, token: str) -> None:
        self._transport.send("POST", "/tokens:revoke-leaked", json={"token": token})

    # Pipelines

    def pipelines(self) -> list[Pipeline]:
        return list(self._pages("pipelines", {}, limit=None))

    def pipeline(self, name: str) -> Pipeline:
        """`inspect` is its newest version, `inspect@1.0.0` that one."""
        return cast("Pipeline", self._transport.json("GET", f"pipelines/{_segment(name)}"))

    # Files

    def upload(
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

        A file on disk that was cut off, by whatever, goes on where it stopped when it is uploaded again.
        """
        item = Outgoing(Path(source) if isinstance(source, str) else source, name, path)
        (outcome,) = self.upload_many(
            [item], workspace=workspace, max_parallel=max_parallel, watch=SingleWatch(progress)
        )
        if outcome.file is None:
            raise outcome.fault or AssertionError(outcome)
        return outcome.file

    def upload_many(
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
        return fleet.upload_many(
            self._transport,
            [item if isinstance(item, Outgoing) else Outgoing(Path(item)) for item in items],
            workspace=workspace,
            max_parallel=max_parallel,
            watch=watch,
            again=again,
        )

    def uploads(self, *, state: str | None = "open", limit: int | None = None) -> Iterator[Upload]:
        """My own, newest first; the open ones are unfinished."""
        return self._pages("uploads", {"state": state}, limit=limit)

    def show_upload(self, upload_id: str) -> Upload:
        return cast("Upload", self._transport.json("GET", f"uploads/{_segment(upload_id)}"))

    def abort_upload(self, upload_id: str) -> None:
        """What has arrived of it is deleted, its room is free. Any number of times."""
        self._transport.send("DELETE", f"uploads/{_segment(upload_id)}")

    def files(self, *, limit: int | None = None) -> Iterator[File]:
        return self._pages("files", {}, limit=limit)

    def fetch(self, place: downloads.Place, folder: Path, *, progress: Progress = no_progress) -> Path:
        """One of the places of `downloads.plan`. An interrupted fetch goes on where it stopped."""
        return downloads.fetch(self._transport, place, folder, progress)

    def download_results(self, job_id: str, folder: Path, *, progress: Progress = no_progress) -> list[Path]:
        places = downloads.plan(self.results(job_id), folder)
        return [self.fetch(place, folder, progress=progress) for place in places]

    def download_archive(self, job_id: str, target: Path, *, progress: Progress = no_progress) -> Path:
        """All results of a job as one ZIP. An interrupted fetch goes on where it stopped."""
        return archives.fetch_archive(self._transport, f"jobs/{_segment(job_id)}/results.zip", target, progress)

    def open_file(self, file_id: str) -> BinaryIO:
        """Its bytes as a stream; the caller closes it."""
        return downloads.opened(self._transport, file_id)

    def manifest(self, job_id: str) -> bytes:
        """The signed record of a finished job: a DSSE envelope. `signatures.opened` checks it."""
        return self._transport.send("GET", f"jobs/{_segment(job_id)}/manifest").content

    def signing_keys(self) -> str:
        """A JSON Web Key Set with every key that has signed there."""
        return self._transport.send("GET", "signing-keys").text

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
        body = {
            "pipeline": pipeline,
            "inputs": list(inputs),
            "params": params,
            "name": name,
            "labels": labels,
            "priority": priority,
            "deadline_s": deadline_s,
            "workspace": workspace,
        }
        return self._create("jobs", body, key)

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
        body = {"params": params, "inputs": inputs, "pipeline": pipeline}
        return self._create(f"jobs/{_segment(job_id)}/resubmit", body, key)

    def jobs(
        self,
        *,
        state: str | None = None,
        pipeline: str | None = None,
        created_by: str | None = None,
        q: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Newest first, without inputs, steps and results. `q`: as in the filter of the jobs page."""
        wanted = {"state": state, "pipeline": pipeline, "created_by": created_by, "q": q}
        return self._pages("jobs", wanted, limit=limit)

    def job(self, job_id: str) -> Job:
        return cast("Job", self._transport.json("GET", f"jobs/{_segment(job_id)}"))

    def cancel(self, job_id: str) -> Job:
        return self._move(job_id, "cancel", {}, repeat=Repeat.ALWAYS)

    def retry(self, job_id: str) -> Job:
        return self._move(job_id, "retry", {}, repeat=Repeat.UNDONE)

    def rerun_items(self, job_id: str, *, step: str | None = None, items: Sequence[int] | None = None) -> Job:
        """Only the failed items of a fan-out: all of them, or those named."""
        body = {"step": step, "items": list(items) if items else None}
        return self._move(job_id, "rerun-items", body, repeat=Repeat.UNDONE)

    def bulk_preview(self, action: str, q: str, *, workspace: str | None = None) -> BulkPreview:
        """How many jobs the filter `q` would give to the action, and the newest of them. Changes nothing."""
        body = _said({"action": action, "q": q, "workspace": workspace})
        return cast("BulkPreview", self._transport.json("POST", "/bulk:preview", json=body))

    def bulk(
        self,
        action: str,
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
        body = _said({"action": action, "q": q, "expected": expected, "workspace": workspace, "priority": priority})
        body |= _said(
            {"set_labels": dict(set_labels or {}) or None, "remove_labels": list(remove_labels or ()) or None}
        )
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(16)}
        return cast("Bulk", self._transport.json("POST", "bulk", json=body, headers=headers))

    def bulk_state(self, bulk_id: str) -> Bulk:
        return cast("Bulk", self._transport.json("GET", f"bulk/{_segment(bulk_id)}"))

    def bulk_items(self, bulk_id: str, *, outcome: str | None = None, limit: int | None = None) -> Iterator[BulkItem]:
        """What came of each job."""
        return self._pages(f"bulk/{_segment(bulk_id)}/items", {"outcome": outcome}, limit=limit)

    def bulk_cancel(self, bulk_id: str) -> Bulk:
        """Jobs whose turn has not come are skipped; what is done stays done."""
        return cast("Bulk", self._transport.json("POST", f"bulk/{_segment(bulk_id)}/cancel"))

    def watch(self, job_id: str) -> Iterator[Job]:
        """The job now and after every change, until it has ended."""
        return events.watch(self._transport, _segment(job_id))

    def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        for job in events.watch(self._transport, _segment(job_id), deadline=deadline):
            last = job
        if last["state"] not in FINISHED:
            raise TimeoutError(f"Job {job_id} is still {last['state']} after {timeout_s} s. It goes on.")
        return last

    def events(self, job_id: str, *, after: int = 0) -> Iterator[Event]:
        """Each event once, live, until the job has ended or you stop."""
        stream = events.EventStream(
            self._transport, _segment(job_id), after=after, patience_s=self._transport.patience_s
        )
        try:
            yield from (event for event in stream if event is not None)
        finally:
            stream.close()

    def attempts(self, job_id: str) -> list[Attempt]:
        return list(self._pages(f"jobs/{_segment(job_id)}/attempts", {}, limit=None))

    def results(self, job_id: str) -> list[File]:
        return list(self._pages(f"jobs/{_segment(job_id)}/results", {}, limit=None))

    def log(self, attempt_id: str, *, offset: int = 0, limit: int = LOG_CHUNK_BYTES) -> LogChunk:
        answer = self._transport.send(
            "GET", f"attempts/{_segment(attempt_id)}/log", params={"offset": offset, "limit": limit}
        )
        end = answer.headers.get("esteira-log-end", "")
        reached = offset + len(answer.content)
        is_complete = answer.headers.get("esteira-log-complete") == "true"
        return {
            "data": answer.content,
            "end": reached,
            # "Complete" speaks of the log; this chunk may still end before it does.
            "complete": is_complete and (not end.isdigit() or reached >= int(end)),
        }

    def _create(self, path: str, body: Mapping[str, Any], key: str | None) -> Job:
        # Made before the first try, so that every further try is the same request.
        headers = {"Idempotency-Key": key or secrets.token_urlsafe(24)}
        return cast("Job", self._transport.json("POST", path, json=_said(body), headers=headers))

    def _move(self, job_id: str, verb: str, body: Mapping[str, Any], *, repeat: Repeat) -> Job:
        return cast(
            "Job",
            self._transport.json("POST", f"jobs/{_segment(job_id)}/{verb}", json=_said(body), repeat=repeat),
        )

    def _pages(self, path: str, wanted: Mapping[str, str | None], *, limit: int | None) -> Iterator[Any]:
        params = {name: value for name, value in wanted.items() if value is not None}
        left = limit
        while left is None or left > 0:
            page = self._transport.json("GET", path, params=params | {"limit": min(PAGE, left or PAGE)})
            yield from page["items"][:left]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]
            left = None if left is None else left - len(page["items"])


def log_in(url: str, user: str, password: str, *, name: str) -> Token:
    """Change a password for a token."""
    nobody = credentials.Credentials(credentials.normal_url(url), token="", source="login")
    with Transport(nobody, patience_s=1, notice=lambda _sentence: None) as transport:
        answer = transport.json(
            "POST", "tokens", json={"name": name}, auth=httpx.BasicAuth(user, password), repeat=Repeat.NEVER
        )
    return cast("Token", answer)


def _segment(text: str) -> str:
    # One segment of a path and nothing more: an id with a slash or `..` would ask for something else.
    if not text or text in {".", ".."} or any(sign in text for sign in "/\\?#% ") or not text.isprintable():
        raise RequestError(f"{text!r} is neither an id nor a name.")
    return text


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    # What nobody chose is left out, so that the platform's own default holds.
    return {field: value for field, value in body.items() if value is not None}
