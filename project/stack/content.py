"""On the origin of files nothing else is there: no page, no API, no socket, and nobody is signed in (SEC-080)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from project.stack.answers import refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

SHOWN: Final = "/content/"


class ContentOnly:
    """Without an origin for files every name is answered alike."""

    def __init__(self, app: ASGIApp, origin: str) -> None:
        self._app = app
        self._host = urlsplit(origin).netloc.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or not self._host or not self._is_content(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"].startswith(SHOWN) and scope["method"] in {"GET", "HEAD"}:
            # A cookie that somebody planted here means nothing.
            scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
            await self._app(scope, receive, send)
        else:
            await refusal(scope, 404, "Only files are shown at this address.")(scope, receive, send)

    def _is_content(self, scope: Scope) -> bool:
        return any(name == b"host" and value.lower() == self._host for name, value in scope["headers"])
