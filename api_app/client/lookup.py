"""From what a person types to the one job or pipeline that is meant."""

from __future__ import annotations

import difflib
import itertools
import re
from typing import TYPE_CHECKING, Any

from api_app.client import by_path
from api_app.client.errors import NotFoundError, ProblemError, RequestError
from api_app.client.screen.words import ago, count, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from api_app.client.client import Client
    from api_app.client.contract.shapes import Job, JobListed, Pipeline, Upload

UUID = re.compile(r"(?i)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
PART = re.compile(r"(?i)[0-9a-f][0-9a-f-]{5,}")
FAR_ENOUGH = 2000
SHORTEST = 6
NOT_FOUND = 404


def job_id(client: Client, text: str) -> str:
    """An id, its first or last characters, the address of its page, or `last`."""
    if text == "last":
        return _last(client)
    whole = UUID.fullmatch(text.rstrip("/").rpartition("/")[2])
    if whole:
        return whole[0].lower()
    if PART.fullmatch(text):
        return _by_part(client, text)
    raise RequestError(
        f"{text!r} is not a job. Give its id, at least 6 characters of the beginning or end of it, or `last`; "
        "`esteira jobs` lists them."
    )


def _last(client: Client) -> str:
    user = client.me()["user"]
    for job in client.jobs(created_by=user, limit=FAR_ENOUGH):
        if job["created_by"] == user:
            return job["id"]
    raise NotFoundError("You have no job yet. Start one: esteira run PIPELINE FILE")


def _by_part(client: Client, text: str) -> str:
    part = text.lower().replace("-", "")
    found: list[JobListed] = []
    for job in itertools.islice(client.jobs(), FAR_ENOUGH):
        plain = job["id"].lower().replace("-", "")
        if plain.startswith(part) or plain.endswith(part):
            found.append(job)
    if len(found) == 1:
        return found[0]["id"]
    if found:
        raise RequestError(
            f"{text} fits {count(len(found), 'job')}; give more of the id:"
            + "".join(f"\n  {job['id']}  {job['name']}  {ago(job['created_at'])}" for job in found[:8])
        )
    raise NotFoundError(
        f"No job that you may see begins or ends with {text} (the newest {FAR_ENOUGH:,} were looked at). "
        "`esteira jobs` lists them; an older one needs its whole id."
    )


def upload(mine: Sequence[Upload], text: str) -> Upload:
    """One of them, by its id or at least 6 characters of the beginning or end of it."""
    part = text.lower().replace("-", "")
    plain = {one["id"].lower().replace("-", ""): one for one in mine}
    found = [
        one for key, one in plain.items() if len(part) >= SHORTEST and (key.startswith(part) or key.endswith(part))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(f"{text} fits several of them; give more of the id. `esteira uploads list` shows them.")
    raise NotFoundError(f"{text} is none of your unfinished uploads. `esteira uploads list` shows them.")


def row[Row: Mapping[str, Any]](rows: Iterable[Row], text: str, *, noun: str, see: str, name: str = "name") -> Row:
    """The one that has this name, this id, or an id that begins or ends with it."""
    part = text.lower().replace("-", "")
    found = []
    for one in rows:
        plain = str(one["id"]).lower().replace("-", "")
        if plain == part:
            return one
        is_near = len(part) >= SHORTEST and (plain.startswith(part) or plain.endswith(part))
        if is_near or one.get(name) == text:
            found.append(one)
    if len(found) == 1:
        return found[0]
    if found:
        raise RequestError(
            f"{text} fits {count(len(found), noun)}; give the id:"
            + "".join(f"\n  {one['id']}  {one.get(name) or ''}" for one in found[:8])
        )
    raise NotFoundError(f"There is no {noun} {text} that you may see. `{see}` lists them.")


def file_id(client: Client, text: str, *, is_deleted: bool = False) -> str:
    """Among the newest; an older one needs its whole id."""
    whole = UUID.fullmatch(text)
    if whole:
        return whole[0].lower()
    rows = by_path.pages(client, "files", limit=FAR_ENOUGH, deleted="true" if is_deleted else None)
    see = f"esteira files list{' --deleted' if is_deleted else ''}"
    return str(row(rows, text, noun="file", see=see)["id"])


def pipeline(client: Client, name: str) -> Pipeline:
    try:
        return client.pipeline(name)
    except ProblemError as problem:
        if problem.status != NOT_FOUND:
            raise
    raise NotFoundError(_unknown_pipeline(name, client.pipelines()), code="unknown_pipeline")


def _unknown_pipeline(name: str, known: list[Pipeline]) -> str:
    wanted, _, version = name.partition("@")
    for one in known:
        if one["name"] == wanted and version:
            return f"{wanted} has no version {version}. It has: {', '.join(one['versions'])}."
    names = sorted(one["name"] for one in known)
    if not names:
        return f"There is no pipeline {name}, nor any other yet. An administrator publishes them."
    close = difflib.get_close_matches(wanted, names, n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"There is no pipeline {name}.{meant} There are: {', '.join(names)}."


def told(job: Job) -> str:
    return f"{short(job['id'])} ({job['name'] or job['pipeline']})"
