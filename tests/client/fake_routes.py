"""The calls of `/api/v1` that the client makes."""

import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.client.fake_shapes import END, job
from tests.client.fake_uploads import UPLOAD_ROUTES

if TYPE_CHECKING:
    from tests.client.fake_server import Handler

type Query = dict[str, str]
type Route = Callable[..., None]

STREAM_S = 5.0


def me(handler: "Handler", _query: Query, _body: bytes) -> None:
    workspaces = [{"id": "1", "slug": "lab", "name": "The lab", "role": "manager"}]
    handler.json(200, {"user": "ana", "workspaces": workspaces})


def create_token(handler: "Handler", _query: Query, body: bytes) -> None:
    handler.platform.tokens.append("est_fresh")
    made = {"id": "t1", "name": json.loads(body)["name"], "token": "est_fresh", "scopes": [], "expires_at": None}
    handler.json(201, made)


def list_tokens(handler: "Handler", _query: Query, _body: bytes) -> None:
    handler.json(200, {"items": handler.platform.token_rows, "next_cursor": None})


def rotate_token(handler: "Handler", _query: Query, body: bytes, token_id: str) -> None:
    handler.platform.bodies.append({"rotate": token_id} | json.loads(body))
    handler.json(201, {"id": "t2", "name": "nightly", "token": "est_next", "scopes": [], "expires_at": None})


def revoke_leaked(handler: "Handler", _query: Query, body: bytes) -> None:
    handler.platform.bodies.append(json.loads(body))
    handler.reply(204, b"")


def delete_token(handler: "Handler", _query: Query, _body: bytes, _token_id: str) -> None:
    handler.platform.tokens.remove("est_fresh")
    handler.reply(204, b"")


def pipelines(handler: "Handler", query: Query, _body: bytes) -> None:
    handler.page(list(handler.platform.pipelines.values()), query)


def one_pipeline(handler: "Handler", _query: Query, _body: bytes, name: str) -> None:
    name, _, version = unquote(name).partition("@")
    found = handler.platform.pipelines.get(name)
    if found is None or (version and version not in found["versions"]):
        handler.problem(404, "not_found", "There is no such pipeline.")
    else:
        handler.json(200, found)


def files(handler: "Handler", query: Query, _body: bytes) -> None:
    handler.page(list(handler.platform.files.values()), query)


def content(handler: "Handler", _query: Query, _body: bytes, file_id: str) -> None:
    whole = handler.platform.contents.get(file_id)
    if whole is None:
        handler.problem(404, "not_found", "There is no such file.")
        return
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if wanted is None:
        handler.reply(200, whole, handler.digest(whole))
        return
    start = int(wanted[1])
    told = {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"}
    handler.reply(206, whole[start:], handler.digest(whole) | told)


def submit(handler: "Handler", _query: Query, body: bytes) -> None:
    platform, asked = handler.platform, json.loads(body)
    key = handler.headers["Idempotency-Key"]
    is_replay = key in platform.keys
    if not is_replay:
        platform.bodies.append(asked)
        made = platform.add_job(
            pipeline=asked["pipeline"],
            params=asked.get("params", {}),
            name=asked.get("name", ""),
            labels=asked.get("labels", {}),
            inputs=[platform.files[one] for one in asked["inputs"]],
        )
        platform.keys[key] = made["id"]
    handler.json(200 if is_replay else 201, platform.jobs[platform.keys[key]])


def jobs(handler: "Handler", query: Query, _body: bytes) -> None:
    handler.platform.filters.append(query.get("q", ""))
    left_out = {"inputs", "steps", "results"}
    found = [
        {name: value for name, value in one.items() if name not in left_out}
        for one in reversed(handler.platform.jobs.values())
        if query.get("state", one["state"]) == one["state"]
    ]
    handler.page(found, query)


def one_job(handler: "Handler", _query: Query, _body: bytes, job_id: str) -> None:
    platform = handler.platform
    found = platform.jobs.get(job_id)
    if found is None:
        handler.problem(404, "not_found", "There is no such job.")
        return
    if platform.script:
        found |= platform.script.pop(0)
    handler.json(200, found)


def cancel(handler: "Handler", _query: Query, _body: bytes, job_id: str) -> None:
    found = handler.platform.jobs[job_id]
    if found["finished_at"]:
        handler.problem(409, "job_finished", "The job has ended already.")
        return
    found |= {"state": "CANCELED", "finished_at": END}
    handler.json(202, found)


def move(handler: "Handler", _query: Query, body: bytes, job_id: str, _verb: str) -> None:
    found, key = handler.platform.jobs[job_id], handler.headers["Idempotency-Key"]
    if key not in handler.platform.keys:
        handler.platform.keys[key] = job_id
        handler.platform.bodies.append(json.loads(body or b"{}"))
        found |= {"state": "QUEUED", "finished_at": None, "run": found["run"] + 1}
    handler.json(202, found)


def resubmit(handler: "Handler", _query: Query, body: bytes, job_id: str) -> None:
    asked = json.loads(body)
    handler.platform.bodies.append(asked)
    made = job(resubmitted_from=job_id, params=asked.get("params", {}))
    handler.platform.jobs[made["id"]] = made
    handler.json(201, made)


def bulk_preview(handler: "Handler", _query: Query, body: bytes) -> None:
    asked = json.loads(body)
    handler.platform.filters.append(asked["q"])
    open_jobs = [one for one in handler.platform.jobs.values() if not one["finished_at"]]
    ended = len(handler.platform.jobs) - len(open_jobs)
    others = {"SUCCEEDED": ended} if ended else {}
    handler.json(200, {"total": len(open_jobs), "others": others, "sample": open_jobs[:2]})


def bulk_begin(handler: "Handler", _query: Query, body: bytes) -> None:
    asked = json.loads(body)
    handler.platform.bodies.append(asked)
    handler.json(202, handler.platform.bulk | {"action": asked["action"], "total": asked["expected"]})


def bulk_state(handler: "Handler", _query: Query, _body: bytes, _bulk_id: str) -> None:
    handler.platform.bulk |= {"done": 2, "refused": 1, "finished_at": END}
    handler.json(200, handler.platform.bulk | {"action": "cancel", "total": 3})


def bulk_items(handler: "Handler", query: Query, _body: bytes, _bulk_id: str) -> None:
    assert query["outcome"] == "refused"
    refused = {"job": "0" * 24 + "deadbeef", "outcome": "refused", "code": "job_finished", "made": None}
    handler.page([refused | {"detail": "The job has already finished: SUCCEEDED."}], query)


def attempts(handler: "Handler", query: Query, _body: bytes, job_id: str) -> None:
    handler.page(handler.platform.attempts[job_id], query)


def results(handler: "Handler", query: Query, _body: bytes, job_id: str) -> None:
    handler.page(handler.platform.jobs[job_id]["results"], query)


def archive(handler: "Handler", _query: Query, _body: bytes, job_id: str) -> None:
    """`contents` has it under the job's id. Its ETag is that of the bytes; a range holds only for the same ones."""
    whole = handler.platform.contents[job_id]
    etag = {"ETag": f'"{hashlib.sha256(whole).hexdigest()}"', "Content-Type": "application/zip"}
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if wanted is None or handler.headers.get("If-Range") != etag["ETag"]:
        handler.reply(200, whole, etag)
        return
    start = int(wanted[1])
    handler.reply(206, whole[start:], etag | {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"})


def manifest(handler: "Handler", _query: Query, _body: bytes, _job_id: str) -> None:
    handler.json(200, handler.platform.manifest)


def signing_keys(handler: "Handler", _query: Query, _body: bytes) -> None:
    handler.json(200, handler.platform.signing_keys)


def log(handler: "Handler", query: Query, _body: bytes, attempt_id: str) -> None:
    whole, is_complete = handler.platform.logs[attempt_id]
    start = int(query["offset"])
    told = {"Esteira-Log-End": str(len(whole)), "Esteira-Log-Complete": str(is_complete).lower()}
    handler.reply(200, whole[start : start + int(query["limit"])], {"Content-Type": "text/plain"} | told)


def events(handler: "Handler", _query: Query, _body: bytes, job_id: str) -> None:
    """Two events a connection, then the connection breaks: the next one goes on after Last-Event-ID."""
    after = int(handler.headers.get("Last-Event-ID", 0))
    handler.close_connection = True
    handler.send_response(200)
    handler.send_header("Content-Type", "text/event-stream")
    handler.end_headers()
    handler.wfile.write(b": welcome\n\n")
    until = time.monotonic() + STREAM_S
    sent = 0
    job = handler.platform.jobs[job_id]
    while sent < handler.platform.events_a_connection and time.monotonic() < until:
        waiting = [one for one in handler.platform.events[job_id] if one["id"] > after]
        for one in waiting[: handler.platform.events_a_connection - sent]:
            after, sent = one["id"], sent + 1
            handler.wfile.write(f"id: {after}\nevent: job\ndata: {json.dumps(one)}\n\n".encode())
        if job["finished_at"] and after == handler.platform.events[job_id][-1]["id"]:
            handler.wfile.write(b'event: end\ndata: {"state": "SUCCEEDED"}\n\n')
            return
        time.sleep(0.01)


ROUTES: list[tuple[str, Route]] = [
    (r"GET /me", me),
    (r"POST /tokens", create_token),
    (r"DELETE /tokens/([^/]+)", delete_token),
    (r"GET /tokens", list_tokens),
    (r"POST /tokens/([^/]+)/rotate", rotate_token),
    (r"POST /tokens:revoke-leaked", revoke_leaked),
    (r"GET /pipelines", pipelines),
    (r"GET /pipelines/([^/]+)", one_pipeline),
    (r"GET /files", files),
    (r"GET /files/([^/]+)/content", content),
    (r"POST /jobs", submit),
    (r"GET /jobs", jobs),
    (r"GET /jobs/([^/]+)", one_job),
    (r"POST /jobs/([^/]+)/cancel", cancel),
    (r"POST /jobs/([^/]+)/(retry|rerun-items)", move),
    (r"POST /jobs/([^/]+)/resubmit", resubmit),
    (r"GET /jobs/([^/]+)/attempts", attempts),
    (r"GET /jobs/([^/]+)/results", results),
    (r"GET /jobs/([^/]+)/results.zip", archive),
    (r"GET /jobs/([^/]+)/manifest", manifest),
    (r"GET /signing-keys", signing_keys),
    (r"GET /jobs/([^/]+)/events", events),
    (r"GET /attempts/([^/]+)/log", log),
    (r"POST /bulk:preview", bulk_preview),
    (r"POST /bulk", bulk_begin),
    (r"GET /bulk/([^/]+)", bulk_state),
    (r"GET /bulk/([^/]+)/items", bulk_items),
    *UPLOAD_ROUTES,
]
