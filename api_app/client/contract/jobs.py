"""Calls of the contract: jobs. Written by `make clients` from docs/openapi.json; changes here are lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api_app.client.calls import Call, Listing, Reads, new_key, segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api_app.client.contract import shapes


def cancel_job(job_id: str, *, key: str | None = None) -> Call[shapes.Job]:
    """What runs is stopped within 10 seconds."""
    return Call("POST", f"/jobs/{segment(job_id)}/cancel", key=key or new_key())


def download_results(job_id: str, *, file: Sequence[str] | None = None) -> Call[bytes]:
    """All results in one ZIP, or those that `file` names. Its length is known before it begins; it takes `Range`."""
    return Call("GET", f"/jobs/{segment(job_id)}/results.zip", query={"file": file}, reads=Reads.BYTES)


def edit_job(job_id: str, body: shapes.JobEditIn, *, key: str | None = None) -> Call[shapes.Job]:
    """Name, labels and priority at any time, the deadline until it has ended."""
    return Call("PATCH", f"/jobs/{segment(job_id)}", key=key or new_key(), body=body)


def list_attempts(job_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.Attempt]:
    """Oldest first."""
    return Listing("GET", f"/jobs/{segment(job_id)}/attempts", query={"limit": limit, "cursor": cursor})


def list_jobs(
    *,
    state: Sequence[shapes.JobState] | None = None,
    pipeline: str | None = None,
    created_by: str | None = None,
    q: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
    fields: str | None = None,
    expand: str | None = None,
) -> Listing[shapes.JobListed]:
    """Newest first. `q` filters as the box of the jobs page does; `state` may be repeated. All of them must fit."""
    return Listing(
        "GET",
        "/jobs",
        query={
            "state": state,
            "pipeline": pipeline,
            "created_by": created_by,
            "q": q,
            "limit": limit,
            "cursor": cursor,
            "fields": fields,
            "expand": expand,
        },
    )


def list_results(job_id: str, *, limit: int | None = None, cursor: str | None = None) -> Listing[shapes.File]:
    """In the order of steps and items."""
    return Listing("GET", f"/jobs/{segment(job_id)}/results", query={"limit": limit, "cursor": cursor})


def read_log(
    attempt_id: str, *, offset: int | None = None, limit: int | None = None, follow: bool | None = None
) -> Call[bytes]:
    """Raw text from `offset` on; a negative offset counts from the end.

    With `follow` it goes on until the log has ended, and `limit` does not count. Who is cut off before goes on at
    `Esteira-Log-Start` plus what has come.
    """
    return Call(
        "GET",
        f"/attempts/{segment(attempt_id)}/log",
        query={"offset": offset, "limit": limit, "follow": follow},
        reads=Reads.BYTES,
    )


def rerun_items(job_id: str, body: shapes.RerunIn | None = None, *, key: str | None = None) -> Call[shapes.Job]:
    """Only the failed items of fan-outs, and the steps that depend on them."""
    return Call("POST", f"/jobs/{segment(job_id)}/rerun-items", key=key or new_key(), body=body)


def resubmit_job(job_id: str, body: shapes.ResubmitIn | None = None, *, key: str | None = None) -> Call[shapes.Job]:
    """A new job like this one; what is left out stays as it was."""
    return Call("POST", f"/jobs/{segment(job_id)}/resubmit", key=key or new_key(), body=body)


def retry_job(job_id: str, *, key: str | None = None) -> Call[shapes.Job]:
    """Same inputs and version, from the failed steps on; good outputs are kept."""
    return Call("POST", f"/jobs/{segment(job_id)}/retry", key=key or new_key())


def show_job(
    job_id: str,
    *,
    wait: int | None = None,
    version: str | None = None,
    fields: str | None = None,
    expand: str | None = None,
) -> Call[shapes.JobShown]:
    """With `wait` when the job has changed, at the latest after so many seconds; at once when it has ended.

    A change is one of `version`: a move, an edit, a wish to cancel, not progress. Say the `version` that you
    know, or one between two calls is missed.
    """
    return Call(
        "GET", f"/jobs/{segment(job_id)}", query={"wait": wait, "version": version, "fields": fields, "expand": expand}
    )


def submit_job(body: shapes.JobIn, *, key: str | None = None) -> Call[shapes.Job | shapes.JobCheck]:
    """Start a job. Repeat the request with the same Idempotency-Key to get the same job, with status 200.

    With `validate_only` no job is made: the same mistakes are refused, and 200 says what would become of it.
    """
    return Call("POST", "/jobs", key=key or new_key(), body=body)


def submit_jobs(body: shapes.JobBatchIn, *, key: str | None = None) -> Call[shapes.JobResults]:
    """Up to 1,000 jobs in one call; one that is refused keeps no other from being taken, unless they are `atomic`.

    Repeat the request with the same Idempotency-Key to get the same jobs.
    """
    return Call("POST", "/jobs:batch", key=key or new_key(), body=body)
