"""A page's end of a live socket; channels' own helper for tests wants daphne."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from asgiref.testing import ApplicationCommunicator
from channels.db import database_sync_to_async
from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack

from frontend_app.routing import websocket_urlpatterns
from tests.frontend.ask import browser

if TYPE_CHECKING:
    from django.test import Client

    from orchestration.models import User

ROUTER = SessionMiddlewareStack(URLRouter(websocket_urlpatterns))


class Page:
    def __init__(self, path: str, user: User | None, client: Client | None = None) -> None:
        self.client = client or browser(user)
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in self.client.cookies.items())
        headers = [(b"cookie", cookie.encode())]
        at, _, asked = path.partition("?")
        scope = {
            "type": "websocket",
            "path": at,
            "headers": headers,
            "query_string": asked.encode(),
            "subprotocols": [],
        }
        self._wire: Any = ApplicationCommunicator(ROUTER, scope)  # type: ignore[no-untyped-call]

    async def open(self) -> bool:
        await self._wire.send_input({"type": "websocket.connect"})
        return bool((await self.heard())["type"] == "websocket.accept")

    async def heard(self) -> dict[str, Any]:
        message: dict[str, Any] = await self._wire.receive_output(timeout=30)
        return message

    async def hears_nothing(self) -> bool:
        return bool(await self._wire.receive_nothing(timeout=0.1, interval=0.01))

    async def say(self, text: str) -> None:
        await self._wire.send_input({"type": "websocket.receive", "text": text})

    async def close(self) -> None:
        await self._wire.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._wire.wait(timeout=30)

    async def shown(self) -> dict[str, str]:
        """The parts that it is sent next, by their ids."""
        html = json.loads((await self.heard())["text"])["html"]
        return dict(
            re.findall(r'<section id="([a-z-]+)" data-live(.*?)(?=<section id="[a-z-]+" data-live|$)', html, re.DOTALL)
        )


async def connect(path: str, user: User | None, client: Client | None = None) -> tuple[Page, bool]:
    """`client` is a browser that somebody is signed in with already."""
    page = await database_sync_to_async(Page)(path, user, client)
    return page, await page.open()
