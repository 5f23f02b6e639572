"""api: any operation of the API, with the address and token that all commands use."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from api_app.client.errors import LocalFileError, RequestError
from api_app.client.options import Connection, OneOf, as_json, connection, examples, pair
from api_app.client.problems import problem_of
from api_app.client.session import Session, session

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
CHUNK_BYTES = 64 * 1024


@click.command(
    epilog=examples(
        "esteira api GET me",
        "esteira api GET jobs -f q=state:failed -f limit=5",
        "esteira api GET files --paginate",
        'esteira api PATCH jobs/0199d5f2-8a3e-7b10-9f4c-2d7e61c0b3aa -f name="March, again"',
        "esteira api POST webhooks --body hook.json",
    )
)
@click.argument("method", metavar="METHOD", type=OneOf(METHODS, case_sensitive=False))
@click.argument("path")
@click.option(
    "--field",
    "-f",
    "fields",
    multiple=True,
    metavar="KEY=VALUE",
    help="Of the query (GET, DELETE) or of the JSON that is sent; a VALUE that is JSON is taken as that. Repeatable.",
)
@click.option("--body", metavar="FILE", help="Send what this file holds; `-` is standard input.")
@click.option("--type", "media_type", default="application/json", show_default=True, help="Media type of --body.")
@click.option("--paginate", "is_all", is_flag=True, help="All pages of a list: one line of JSON for each item.")
@as_json
@connection
@click.pass_obj
def api(
    connected: Connection,
    *,
    method: str,
    path: str,
    fields: tuple[str, ...],
    body: str | None,
    media_type: str,
    is_all: bool,
    is_json: bool,
) -> None:
    """Ask the API whatever no command asks: METHOD and PATH are as in its documentation, from /api/v1 on.

    The answer is written as it comes. On a terminal, JSON is laid out for people; with --json it is one line.
    """
    where, method = _path(path), method.upper()
    given = [pair(one, "--field") for one in fields]
    if body is not None and given:
        raise click.UsageError("Choose one of --field and --body.")
    if is_all and method != "GET":
        raise click.UsageError("--paginate is for GET.")
    options = _options(method, given, None if body is None else _read(body), media_type)
    with session(connected, is_json=is_json) as current:
        if is_all:
            _all(current, where, options)
        else:
            _one(current, method, where, options)


def _path(text: str) -> str:
    parts = urlsplit(text)
    # An address of somewhere else would be sent our token.
    if parts.scheme or parts.netloc:
        raise RequestError(f"{text} is an address. Give the path alone, like jobs or /api/v1/jobs.")
    path = parts.path.removeprefix("/api/v1").lstrip("/")
    if any(part in {".", ".."} for part in path.split("/")):
        raise RequestError(f"{text} leads out of the API.")
    return path + (f"?{parts.query}" if parts.query else "")


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as fault:
        raise LocalFileError(f"Cannot read {name} ({fault.strerror}).") from fault


def _options(method: str, given: Sequence[tuple[str, str]], body: bytes | None, media_type: str) -> dict[str, Any]:
    if body is not None:
        headers = {"Content-Type": media_type, "Content-Length": str(len(body))}
        return {"body": lambda: [body], "headers": headers}
    if method in {"GET", "DELETE"}:
        return {"params": given} if given else {}
    return {"json": {key: _value(text) for key, text in given}}


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_number)
    except ValueError:
        return text


def _no_number(text: str) -> Any:
    """Of Python's own, such as NaN: no JSON, and nothing that could be sent."""
    raise ValueError(text)


def _one(current: Session, method: str, where: str, options: dict[str, Any]) -> None:
    answer = current.client.call(method, where, **options)
    is_document = "json" in answer.headers.get("content-type", "").partition(";")[0]
    if not is_document:
        sys.stdout.buffer.write(answer.content)
    elif current.screen.is_json:
        current.screen.json(answer.json())
    elif current.screen.out.is_terminal:
        click.echo(json.dumps(answer.json(), indent=2))
    else:
        sys.stdout.buffer.write(answer.content + b"\n")
    sys.stdout.flush()


def _all(current: Session, where: str, options: dict[str, Any]) -> None:
    query = dict(options.get("params", []))
    while True:
        answer = current.client.call("GET", where, params=query)
        page = problem_of(answer)  # None for what is no JSON, such as the bytes of a file
        if not isinstance(page, dict) or "items" not in page:
            raise RequestError(f"{where} is no list with pages. Leave out --paginate.")
        for item in page["items"]:
            current.screen.json(item)
        if page.get("next_cursor") is None:
            return
        query["cursor"] = page["next_cursor"]
