"""Which of the frameworks answers."""

from __future__ import annotations

import gzip
from functools import lru_cache
from mimetypes import guess_type
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.contrib.staticfiles.finders import get_finders
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles

from project.stack.answers import is_api, refusal
from project.telemetry.http import keep_route

if TYPE_CHECKING:
    import os

    from starlette.staticfiles import PathLike
    from starlette.types import ASGIApp, Receive, Scope, Send

SOCKETS: Final = "/ws/"
TEXTS: Final = (".css", ".js", ".json", ".mjs", ".svg")
"""Worth being packed; fonts and pictures are already."""


class Router:
    def __init__(self, *, api: ASGIApp, sockets: ASGIApp, static: ASGIApp, pages: ASGIApp, static_url: str) -> None:
        self._api, self._sockets, self._static, self._pages = api, sockets, static, pages
        self._static_url = static_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._chosen(scope)(scope, receive, send)
        finally:
            keep_route(scope)

    def _chosen(self, scope: Scope) -> ASGIApp:
        path = scope["path"]
        if is_api(scope):
            return self._api
        if scope["type"] == "websocket":
            return self._sockets if path.startswith(SOCKETS) else _nothing_here
        return self._static if path.startswith(self._static_url) else self._pages


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    await refusal(scope, 404, "There is no live connection at this address.")(scope, receive, send)


class Static:
    """Django's static files straight from where the apps keep them: nothing to collect first."""

    def __init__(self, url: str, root: Path) -> None:
        self._root_path = url.rstrip("/")
        self._files = _Files(check_dir=False)
        self._files.all_directories = [*_finder_folders(), *([root] if root.is_dir() else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._files({**scope, "root_path": self._root_path}, receive, send)
        except HTTPException as exc:
            await refusal(scope, exc.status_code, "There is no such file.")(scope, receive, send)


class _Files(StaticFiles):
    def file_response(
        self, full_path: PathLike, stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        asked = Headers(scope=scope)
        path = str(full_path)
        if path.endswith(TEXTS) and "gzip" in asked.get("accept-encoding", ""):
            packed = _gzipped(path, stat_result.st_mtime_ns)
            response = Response(packed, status_code, media_type=guess_type(path)[0])
            response.headers["content-encoding"] = "gzip"
            response.headers["etag"] = f'"{stat_result.st_mtime_ns:x}-{stat_result.st_size:x}-gzip"'
            if self.is_not_modified(response.headers, asked):
                response = NotModifiedResponse(response.headers)
        else:
            response = super().file_response(full_path, stat_result, scope, status_code)
        # Names carry no digest, so a browser asks each time, and mostly hears 304.
        response.headers["cache-control"] = "no-cache"
        response.headers["vary"] = "accept-encoding"
        return response


@lru_cache(maxsize=512)
def _gzipped(path: str, mtime_ns: int) -> bytes:  # noqa: ARG001  another version of the file is another entry
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def _finder_folders() -> list[str]:
    storages = [getattr(finder, "storages", {}) for finder in get_finders()]
    return [storage.location for by_name in storages for storage in by_name.values()]
