"""How much of anything one request may take: heads, bodies, time, and how many at once (SEC-009, SEC-010, SEC-102).

Bytes are counted as they come; nobody's Content-Length is believed except when it admits to too much.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from api_app.gate import BUNDLE, RUNS, TASKS
from api_app.receiving import EXTENSION
from orchestration.services.uploads.limits import BUNDLE_MAX
from project.stack.answers import is_api, refusal
from project.stack.request_log import ClientStalled
from project.stack.sockets import BoundedSocket

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    type Pour = Callable[..., Awaitable[None]]

KIB: Final = 1 << 10
MIB: Final = 1 << 20
MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 64 * KIB
MAX_TARGET_BYTES: Final = 8 * KIB
MAX_REQUESTS: Final = 2_000
MAX_SOCKETS: Final = 2_000
API_BODY: Final = 1 * MIB
FORM_BODY: Final = 10 * MIB
# Django spools whole bodies before it looks at the URL, and so are runs of WES: all of them together.
ALL_FORM_BODIES: Final = 256 * MIB
BODIES: Final[Mapping[str, int]] = {
    "/api/runner/v1/log": 260 * KIB,
    "/api/runner/v1/outputs": 8 * MIB,
    "/api/runner/v1/finish": 8 * MIB,
    BUNDLE: BUNDLE_MAX,
    "/api/v1/jobs:batch": 8 * MIB,
    RUNS: 64 * MIB,  # with what comes along; larger files are uploaded first and named
    TASKS: 8 * MIB,
}
UPLOADS: Final = "/api/v1/uploads"
TUS: Final = "/api/v1/tus"
# One part of an upload, or one whole file by its name.
_BYTES: Final = re.compile(r"/api/v1/uploads/[^/]+/parts/[0-9]+|/api/v1/files/.+")
IDLE_S: Final = 30.0
WHOLE_BODY_S: Final = 120.0
# A file may take a second more for each of these: whoever is slower keeps a connection and sends nothing.
SLOWEST_BYTES: Final = 1 * KIB
STALL_S: Final = 120.0
LATE_BYTES: Final = 8 * MIB
LATE_S: Final = 1.0
# A page's function would take any method for a GET. The API's routes refuse these themselves, and say which they take.
REFUSED_METHODS: Final = frozenset({"TRACE", "TRACK", "CONNECT"})
PAGE_METHODS: Final = "GET, HEAD, POST"
HEALTH: Final = "/health/"


@dataclass(frozen=True, slots=True)
class Refused:
    status: int
    detail: str
    retry_after_s: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


TOO_SLOW: Final = Refused(408, "The body came too slowly.")


class Limits:
    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app, self._max_upload = app, max_upload_bytes
        self._requests = 0
        self._sockets = 0
        self.form_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = Body(self, scope, receive, send)
        refused = self._refused(scope, body)
        if refused is not None:
            await body.refuse(refused)
            return
        self._requests += 1
        try:
            await body.serve(self._app)
        finally:
            self._requests -= 1

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = _head_refused(scope)
        if refused is None and self._sockets >= MAX_SOCKETS:
            refused = Refused(503, "Too many live connections are open. Try again in a moment.", 5)
        if refused is not None:
            await refusal(scope, refused.status, refused.detail)(scope, receive, send)
            return
        self._sockets += 1
        try:
            socket = BoundedSocket(receive, send)
            await self._app(scope, socket.receive, send)
        finally:
            self._sockets -= 1

    def _refused(self, scope: Scope, body: Body) -> Refused | None:
        if scope["method"] in REFUSED_METHODS and not is_api(scope):
            return Refused(405, "This method is not offered.", headers={"allow": PAGE_METHODS})
        if (refused := _head_refused(scope)) is not None:
            return refused
        if body.declared > body.limit:
            return too_large(body.limit)
        if self._requests >= MAX_REQUESTS and not scope["path"].startswith(HEALTH):
            return Refused(503, "Too many requests are being served. Try again in a moment.", 1)
        return None

    def limit_of(self, scope: Scope) -> int:
        path = scope["path"]
        if not is_api(scope):
            return FORM_BODY
        return BODIES.get(path) or (self._max_upload if takes_files(scope) else API_BODY)


def takes_files(scope: Scope) -> bool:
    """Whether the body is a file, or many, which may be as large and take as long as it does."""
    path: str = scope["path"]
    if path.startswith(TUS) and scope["method"] in {"POST", "PATCH"}:
        return True
    return path in {UPLOADS, BUNDLE} or (scope["method"] == "PUT" and _BYTES.fullmatch(path) is not None)


def too_large(limit: int) -> Refused:
    return Refused(413, f"The body is larger than the {limit:,} bytes allowed here.")


def _head_refused(scope: Scope) -> Refused | None:
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(n) + len(v) + 4 for n, v in headers) > MAX_HEAD_BYTES:
        return Refused(431, "The request's headers are too many or too long.")
    if len(scope.get("raw_path") or b"") + len(scope.get("query_string", b"")) > MAX_TARGET_BYTES:
        return Refused(414, "The request's address is too long.")
    return None


class Body:
    """One request's body on its way in, and its answer on the way out.

    A body that goes too far ends for the app as if the client had left; what the app says then is dropped and
    the refusal is sent instead, whichever framework it was.
    """

    def __init__(self, limits: Limits, scope: Scope, receive: Receive, send: Send) -> None:
        self._limits, self._receive, self._send = limits, receive, send
        self._scope = self._bounded(scope)
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        self.declared = int(length) if length.isdigit() else 0
        self.limit = limits.limit_of(scope)
        self._waits = headers.get(b"expect", b"").lower() == b"100-continue"
        self._done = self.declared == 0 and b"transfer-encoding" not in headers
        self._is_form = not is_api(scope) or scope["path"] == RUNS
        self._until = time.monotonic() + WHOLE_BODY_S
        self._is_file = takes_files(scope)
        self._size = 0
        self._refused: Refused | None = None
        self._started = False

    def _bounded(self, scope: Scope) -> Scope:
        """What the server offers for taking a body past `receive` keeps to the same limits."""
        extensions = scope.get("extensions") or {}
        if EXTENSION not in extensions:
            return scope
        offered = extensions[EXTENSION]
        bounded = {**offered, "pour": partial(self._pour, offered["pour"])}
        return {**scope, "extensions": {**extensions, EXTENSION: bounded}}

    async def serve(self, app: ASGIApp) -> None:
        try:
            await app(self._scope, self.receive, self.send)
        except Exception:
            # What an app raises because its client has left is no news when we made it look so.
            if self._refused is None:
                raise
        finally:
            if self._is_form:
                self._limits.form_bytes -= self._size
        if self._refused is not None and not self._started:
            await self.refuse(self._refused)

    async def receive(self) -> Message:
        if self._done:
            return await self._receive()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            return self._stop(TOO_SLOW)
        if message["type"] != "http.request":
            self._done = True
            return message
        self._count(len(message.get("body", b"")))
        if self._refused is not None:
            return {"type": "http.disconnect"}
        self._done = not message.get("more_body", False)
        return message

    async def _pour(self, pour: Pour, write: Any, in_thread: Any) -> None:
        """As `receive`, for a body that does not pass it: as slow as may be, and it is known how much came."""
        try:
            await pour(write, in_thread, self._next)
        except ClientDisconnect:
            self._done = self._refused is None
            raise
        self._size, self._done = self.declared, True

    async def _next(self, came: int, readable: Callable[[], Awaitable[None]]) -> None:
        self._count(came)
        try:
            async with asyncio.timeout(self._patience()):
                await readable()
        except TimeoutError:
            self._stop(TOO_SLOW)
            raise ClientDisconnect from None

    def _patience(self) -> float:
        until = self._until + (self._size / SLOWEST_BYTES if self._is_file else 0)
        return max(0.0, min(IDLE_S, until - time.monotonic()))

    def _count(self, arrived: int) -> None:
        self._size += arrived
        if self._size > self.limit:
            self._stop(too_large(self.limit))
        elif self._is_form:
            self._limits.form_bytes += arrived
            if self._limits.form_bytes > ALL_FORM_BODIES:
                self._stop(Refused(503, "Too much is being sent at once. Try again in a moment.", 1))

    def _stop(self, refused: Refused) -> Message:
        self._refused = refused
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self._refused is not None:
            return
        if message["type"] == "http.response.start":
            self._started = True
            if not self._done and not await self._late_rest():
                message = _closing(message)
        await self._out(message)

    async def refuse(self, refused: Refused) -> None:
        headers = {**refused.headers}
        if refused.retry_after_s:
            headers["retry-after"] = str(refused.retry_after_s)
        closing = not self._done and not await self._late_rest()
        self._started = True

        async def send(message: Message) -> None:
            await self._out(_closing(message) if closing and message["type"] == "http.response.start" else message)

        answer = refusal(self._scope, refused.status, refused.detail, headers)
        await answer(self._scope, self._receive, send)

    async def _late_rest(self) -> bool:
        """Take in a little of what is still coming, so that the client reads an answer and not a reset.

        True: that was all of it, and the connection can be kept.
        """
        if self._waits and not self._size:
            return False
        taken = 0
        try:
            async with asyncio.timeout(LATE_S):
                while not self._done and taken < LATE_BYTES:
                    message = await self._receive()
                    taken += len(message.get("body", b""))
                    self._done = not message.get("more_body", False)
        except TimeoutError:
            return False
        return self._done

    async def _out(self, message: Message) -> None:
        try:
            async with asyncio.timeout(STALL_S):
                await self._send(message)
        except TimeoutError as exc:
            raise ClientStalled from exc


def _closing(message: Message) -> Message:
    return {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
