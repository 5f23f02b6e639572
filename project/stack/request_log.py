"""An id for each request, one log line for each, and the last resort for what nobody caught."""

from __future__ import annotations

import logging
import re
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect

from api_app.readers import ReaderTooSlow
from orchestration.asking import current_request
from orchestration.ids import new_id
from project.stack.answers import refusal
from project.telemetry.http import IN_PROGRESS, SEEN, UNANSWERED, answered

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opentelemetry.trace import Span
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from project.telemetry.traces import Otel

log = logging.getLogger("project.request")
HEADER: Final = b"x-request-id"
_DENIAL: Final = "websocket.http.response"
LONGEST_PATH: Final = 500
# What follows opens an account: the links that are mailed.
_SECRET: Final = re.compile(r"^(/password/reset/|/invitation/)\S{20,}")
CLIENT_LEFT: Final = 499


class ClientStalled(OSError):
    """The client takes nothing of its answer any more."""


def bind_log_records() -> None:
    """Every record made while a request is served carries its id, also in the threads that work for it."""
    make = logging.getLogRecordFactory()
    if getattr(make, "binds_request_id", False):
        return

    def made(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        if request_id := current_request.get():
            record.request_id = request_id
        return record

    made.binds_request_id = True  # type: ignore[attr-defined]  # so that a second call does nothing
    logging.setLogRecordFactory(made)
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_query)


def shown(path: str) -> str:
    """What may be written down of an address."""
    return _SECRET.sub(r"\1…", path)[:LONGEST_PATH]


def _without_query(record: logging.LogRecord) -> bool:
    """Django hands requests and paths to its loggers; in words they show the query string, and mailed links."""
    request = record.__dict__.get("request")
    if request is not None and hasattr(request, "path"):
        record.request = f"{request.method} {shown(request.path)}"
    if record.name.startswith("django.") and isinstance(record.args, tuple):
        record.args = tuple(_SECRET.sub(r"\1…", one) if isinstance(one, str) else one for one in record.args)
    return True


class RequestLog:
    def __init__(self, app: ASGIApp, traces: Otel | None = None) -> None:
        self._app = app
        self._traced = traces.request if traces else _untraced

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        bound = current_request.set(exchange.request_id.decode())
        try:
            with self._traced(scope, exchange.request_id.decode()) as span:
                try:
                    await self._serve(scope, receive, exchange)
                finally:
                    exchange.note(span)
        finally:
            current_request.reset(bound)

    async def _serve(self, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        try:
            await self._app(scope, receive, exchange.send)
        except (ClientDisconnect, ClientStalled, ReaderTooSlow):
            # There is nobody left to tell. The server closes what it finds unfinished.
            exchange.status = exchange.status or CLIENT_LEFT
        except Exception:
            # The last resort of both frameworks: logged once, with the request's id, and nothing of it sent.
            log.exception("unhandled", extra={"method": scope.get("method", ""), "path": shown(scope["path"])})
            if not exchange.status and scope["type"] == "http":
                detail = "Something went wrong on our side. It has been noted with the id in X-Request-Id."
                await refusal(scope, 500, detail)(scope, receive, exchange.send)


def _untraced(_scope: Scope, _request_id: str) -> AbstractContextManager[None]:
    return nullcontext()


class _Exchange:
    """What is known of one request by the end of it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self._began = time.perf_counter()
        self.request_id = str(new_id()).encode()
        self.status = 0
        self._bytes = 0
        self._answered: float | None = None
        scope[SEEN] = {}
        IN_PROGRESS.inc()
        self._is_counted = scope["type"] == "http"
        if self._is_counted:
            UNANSWERED.inc()

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.body", "websocket.send"}:
            self._bytes += len(message.get("body") or message.get("bytes") or message.get("text") or b"")
        elif kind in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            self._answered = time.perf_counter() - self._began
            self._begins()
            message = _with_id(message, self.request_id)
        elif kind == "websocket.accept":
            self.status = 101
            message = _with_id(message, self.request_id)
        elif kind == "websocket.close" and not self.status and _DENIAL in (self._scope.get("extensions") or {}):
            # A handshake that is refused is an answer like any other, and carries what all of them carry.
            await self.send({"type": f"{_DENIAL}.start", "status": 403, "headers": []})
            message = {"type": f"{_DENIAL}.body", "body": b""}
        await self._send(message)

    def _begins(self) -> None:
        if self._is_counted:
            UNANSWERED.dec()
        self._is_counted = False

    def note(self, span: Span | None) -> None:
        """No query string: it may hold what nobody should read in a log."""
        IN_PROGRESS.dec()
        self._begins()
        answered(self._scope, status=self.status, seconds=self._answered, span=span)
        client = self._scope.get("client")
        said = {
            "method": self._scope.get("method", "WEBSOCKET"),
            "path": shown(self._scope["path"]),
            "status": self.status,
            "ms": round((time.perf_counter() - self._began) * 1_000, 1),
            "bytes": self._bytes,
            "client": client[0] if client else "",
        }
        log.info("request", extra=said)


def _with_id(message: Message, request_id: bytes) -> Message:
    """An id that an app set itself gives way: there is one for each request."""
    kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() != HEADER]
    return {**message, "headers": [*kept, (HEADER, request_id)]}
