"""Words that the platform knows, while somebody types: quickly or not at all, and never an error.

What was asked is kept for a moment, so that a second press of the tab key asks nobody.
"""

import hashlib
import json
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from api_app.client.client import Client
from api_app.client.errors import EsteiraError
from api_app.client.options import Connection
from api_app.client.screen.words import localized, short
from api_app.client.trying import Repeat

PATIENCE_S = 1.0
NEWEST = 50
FRESH_S = 20.0
PLAIN = re.compile(r"[\w.,+@%-]+", re.ASCII)

type Words = list[list[str]]
"""Of each its word and what a shell that can shows beside it."""
type Ask = Callable[[Client], Words]


def _finder(kind: str, ask: Ask) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def find(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            words = _known(kind, ask, context.find_root().ensure_object(Connection))
        except (EsteiraError, OSError, ValueError, KeyError, TypeError):
            # Not logged in, not there, too slow, an answer of another version: nothing to offer.
            return []
        return [CompletionItem(word, help=told) for word, told in words if word.startswith(incomplete)]

    return find


def _known(kind: str, ask: Ask, connected: Connection) -> Words:
    with Client(connected.url, connected.token, patience_s=0) as client:
        whose = hashlib.sha256(f"{client.login.url} {client.login.token}".encode()).hexdigest()[:16]
        kept = _folder() / f"{kind}-{whose}.json"
        found = _fresh(kept)
        if found is None:
            found = ask(client)
            _keep(kept, found)
        return found


def _newest(client: Client, what: str) -> list[Any]:
    options: dict[str, Any] = {"params": {"limit": NEWEST}, "timeout": PATIENCE_S}
    rows = client.call("GET", what, repeat=Repeat.NEVER, **options).json()["items"]
    return list(rows)


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "esteira"


def _fresh(path: Path) -> Words | None:
    try:
        if time.time() - path.stat().st_mtime > FRESH_S:
            return None
        return [[str(word), str(told)] for word, told in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError):
        return None


def _keep(path: Path, words: Words) -> None:
    # Names of jobs and files are nobody else's business: the folder and the file are the user's own.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(number, "w", encoding="utf-8") as file:
        json.dump(words, file)
    Path(temporary).replace(path)


def _pipelines(client: Client) -> Words:
    return [[one["name"], localized(one["title"])] for one in _newest(client, "pipelines")]


def _jobs(client: Client) -> Words:
    rows = _newest(client, "jobs")
    newest = [["last", "your newest job"]] if rows else []
    return newest + [[short(one["id"]), f"{one['state']} {one['name'] or one['pipeline']}"] for one in rows]


def _files(client: Client) -> Words:
    rows = _newest(client, "files")
    # bash takes a name with one of these apart; the id beside it works.
    plain = {one["name"]: one["media_type"] for one in rows if PLAIN.fullmatch(one["name"])}
    return [[name, told] for name, told in plain.items()] + [[short(one["id"]), one["name"]] for one in rows]


def jobs_or_paths(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the shell knows of paths, and jobs."""
    return [CompletionItem(incomplete, type="file"), *jobs(context, parameter, incomplete)]


pipelines = _finder("pipelines", _pipelines)
jobs = _finder("jobs", _jobs)
files = _finder("files", _files)
