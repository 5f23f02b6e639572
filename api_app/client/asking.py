"""What both clients ask for in more than one word: plain arguments in, a call out."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, TypedDict, cast

from api_app.client.calls import Call, Listing, said
from api_app.client.contract import account, bulk, jobs
from api_app.client.states import FINISHED
from api_app.client.trying import Repeat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from api_app.client.contract import shapes

LOG_CHUNK_BYTES = 1024 * 1024


class LogChunk(TypedDict):
    data: bytes
    end: int
    complete: bool


def submission(
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
) -> Call[shapes.Job]:
    body = said(
        pipeline=pipeline,
        inputs=list(inputs),
        params=params,
        name=name,
        labels=labels,
        priority=priority,
        deadline_s=deadline_s,
        workspace=workspace,
    )
    # Without `validate_only` it is a job.
    return cast("Call[shapes.Job]", jobs.submit_job(cast("shapes.JobIn", body), key=key))


def resubmission(
    job_id: str,
    *,
    params: Mapping[str, Any] | None,
    inputs: Sequence[str] | None,
    pipeline: str | None,
    key: str | None,
) -> Call[shapes.Job]:
    body = said(params=params, inputs=inputs, pipeline=pipeline)
    return jobs.resubmit_job(job_id, cast("shapes.ResubmitIn", body), key=key)


def rerun(job_id: str, *, step: str | None, items: Sequence[int] | None) -> Call[shapes.Job]:
    body = said(step=step, items=list(items) if items else None)
    return jobs.rerun_items(job_id, cast("shapes.RerunIn", body))


def job_list(
    *, state: shapes.JobState | None, pipeline: str | None, created_by: str | None, q: str | None
) -> Listing[shapes.JobListed]:
    return jobs.list_jobs(state=[state] if state else None, pipeline=pipeline, created_by=created_by, q=q)


def shown(job_id: str) -> Call[shapes.Job]:
    """Without `fields` and `expand` it is the whole job."""
    return cast("Call[shapes.Job]", jobs.show_job(job_id))


def bulk_preview(action: shapes.BulkAction, q: str, *, workspace: str | None) -> Call[shapes.BulkPreview]:
    body = cast("shapes.BulkChoiceIn", said(action=action, q=q, workspace=workspace))
    return bulk.preview_bulk(body).repeated(Repeat.ALWAYS)  # it changes nothing


def bulk_begin(
    action: shapes.BulkAction,
    q: str,
    *,
    expected: int,
    workspace: str | None,
    set_labels: Mapping[str, str] | None,
    remove_labels: Sequence[str] | None,
    priority: int | None,
    key: str | None,
) -> Call[shapes.Bulk]:
    body = said(
        action=action,
        q=q,
        expected=expected,
        workspace=workspace,
        priority=priority,
        set_labels=dict(set_labels) if set_labels else None,
        remove_labels=list(remove_labels) if remove_labels else None,
    )
    return bulk.begin_bulk(cast("shapes.BulkIn", body), key=key)


def new_token(name: str, *, scopes: Sequence[str], workspace: str | None, days: int | None) -> Call[shapes.NewToken]:
    body = said(name=name, scopes=list(scopes) or None, workspace=workspace, expires_in_days=days)
    return account.create_token(cast("shapes.TokenIn", body))


def leaked_token(token: str) -> Call[None]:
    return account.revoke_leaked_token({"token": token}).repeated(Repeat.ALWAYS)  # it is revoked once and for all


def deadline(timeout_s: float | None) -> float:
    return math.inf if timeout_s is None else time.monotonic() + timeout_s


def ended(job: shapes.Job, timeout_s: float | None) -> shapes.Job:
    """Raises TimeoutError for one that has not."""
    if job["state"] not in FINISHED:
        raise TimeoutError(f"Job {job['id']} is still {job['state']} after {timeout_s} s. It goes on.")
    return job


def log_chunk(response: httpx.Response, offset: int) -> LogChunk:
    end = response.headers.get("esteira-log-end", "")
    reached = offset + len(response.content)
    is_complete = response.headers.get("esteira-log-complete") == "true"
    return {
        "data": response.content,
        "end": reached,
        # "Complete" speaks of the log; this chunk may still end before it does.
        "complete": is_complete and (not end.isdigit() or reached >= int(end)),
    }
