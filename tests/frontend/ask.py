"""A browser for tests: signed in, and able to read what is streamed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.models import User


def browser(user: User | None = None, **options: Any) -> Client:
    client = Client(**options)
    if user is not None:
        client.force_login(user)
    return client


@dataclass(frozen=True, slots=True)
class Fetched:
    status: int
    headers: Mapping[str, str]
    body: bytes


def fetch(user: User | None, path: str, **headers: str) -> Fetched:
    """As a browser under ASGI would: what is streamed there is asynchronous."""

    async def go() -> Fetched:
        client = AsyncClient()
        if user is not None:
            await client.aforce_login(user)
        response: Any = await client.get(path, headers=headers or None)
        body = b"".join([part async for part in response.streaming_content]) if response.streaming else response.content
        return Fetched(response.status_code, response.headers, body)

    return async_to_sync(go)()
