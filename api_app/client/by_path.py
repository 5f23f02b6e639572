"""Operations of the API for which the client has no method: by their path, answers as they come."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from api_app.client.calls import PAGE, segment
from api_app.client.client import Client
from api_app.client.problems import json_body
from api_app.client.trying import Repeat

type Json = dict[str, Any]


def path(*parts: str) -> str:
    """Each part is one segment. Not quoted: the platform takes `%2F` for the slash that it stands for."""
    return "/".join(map(segment, parts))


def get(client: Client, where: str, **query: str | None) -> Any:
    return json_body(client.call("GET", where, repeat=Repeat.ALWAYS, params=_said(query)), client.login)


def pages(client: Client, where: str, *, limit: int | None = None, **query: str | None) -> Iterator[Json]:
    wanted, left = _said(query), limit
    while left is None or left > 0:
        page = get(client, where, **wanted, limit=str(min(PAGE, left or PAGE)))
        yield from page["items"][:left]
        if page.get("next_cursor") is None:
            return
        wanted["cursor"] = page["next_cursor"]
        left = None if left is None else left - len(page["items"])


def send(client: Client, method: str, where: str, body: Mapping[str, Any] | None = None) -> Any:
    """A change. What nobody chose is left out of the body, so that the platform's own default holds."""
    return _content(client, client.call(method, where, json=_said(body or {})))


def delete(client: Client, where: str) -> Any:
    return _content(client, client.call("DELETE", where, repeat=Repeat.ALWAYS))


def _content(client: Client, answer: httpx.Response) -> Any:
    return json_body(answer, client.login) if answer.content else None


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
