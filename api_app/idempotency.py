"""`Idempotency-Key` on every call that changes something: repeated, it is answered as it was the first time.

Calls that make a job, an upload or a bulk operation bind the key to what they made, and see to it themselves. Answers
with a secret in them (a new token, ticket or link, a webhook's secret) are not kept: it is nowhere to be read.
"""

from __future__ import annotations

import hashlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api_app.database import in_db
from api_app.errors import STATUS, answer, problem
from api_app.gate import TOKENS, TUS, credential
from api_app.nesting import given
from orchestration.services.idempotency import Kept, begin_call, forget_call, keep_call

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CHANGING: Final = frozenset({"POST", "PATCH", "DELETE"})
KEY: Final = re.compile(r"[\x21-\x7e]{1,64}")
OF_THEIR_OWN: Final = re.compile(r"/api/v1/(?:jobs|jobs:batch|jobs/[^/]+/resubmit|bulk|uploads)")
LEFT_OUT: Final = re.compile(
    rf"/api/v1/bulk:preview|/api/v1/events:ticket|/api/v1/files:zip|{re.escape(TOKENS)}|/api/v1/jobs/[^/]+/shares"
    r"|/api/v1/webhooks|/api/v1/webhooks/[^/]+/rotate-secret"
    r"|/api/v1/tokens/[^/]+/rotate|/api/v1/tokens:revoke-leaked|/api/v1/service-accounts/[^/]+/tokens|/api/v1/workspaces/[^/]+/invitations"
)
MOST: Final = 1 << 20
"""Bytes of an answer that are kept. A longer one is of a call that is harmless to repeat."""
REPLAYED: Final = "idempotency-replayed"
_TELLING: Final = ("content-type", "location", "preference-applied")


class Idempotency:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = _key(scope) if scope["type"] == "http" else None
        if key is None:
            await self._app(scope, receive, send)
        elif not KEY.fullmatch(key):
            await problem(422, "Idempotency-Key has 1 to 64 visible ASCII characters.")(scope, receive, send)
        else:
            await self._once(key, scope, receive, send)

    async def _once(self, key: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # nobody is there to be answered, and nothing was done
        # Without its address: whoever repeats a call may have another one by then.
        owner = _hash("|".join(credential(request)[:3]))
        # With another wish it would be another answer.
        wish = request.headers.get("prefer", "")
        asked = f"{scope['method']} {scope['path']}?{scope['query_string'].decode('latin-1')}\n{wish}\n".encode()
        try:
            kept = await in_db(begin_call, owner, key, hashlib.sha256(asked + body).hexdigest())
        except tuple(STATUS) as exc:
            await answer(exc)(scope, receive, send)
            return
        if kept is not None:
            headers = {**kept.headers, REPLAYED: "true"}
            await Response(kept.body, kept.status, headers)(scope, receive, send)
            return
        heard = _Heard(send)
        try:
            await self._app(scope, given(body, receive), heard)
        finally:
            if (said := heard.kept()) is not None:
                await in_db(keep_call, owner, key, said)
            else:
                await in_db(forget_call, owner, key)


def _key(scope: Scope) -> str | None:
    """None where there is none, or the route sees to it."""
    path = scope["path"]
    if scope["method"] not in CHANGING or not path.startswith("/api/v1/") or path.startswith(TUS):
        return None
    if LEFT_OUT.fullmatch(path):
        return None
    if OF_THEIR_OWN.fullmatch(path) and scope["method"] == "POST":
        return None
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"idempotency-key"), None)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class _Heard:
    """Passes an answer on and remembers it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: dict[str, Any] | None = None
        self._body = bytearray()
        self._is_whole = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = dict(message)
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            self._is_whole = not message.get("more_body", False)
        await self._send(message)

    def kept(self) -> Kept | None:
        """None for what changed nothing, or is too long, or was not said to its end."""
        if (
            self._start is None
            or not self._is_whole
            or self._start["status"] >= HTTPStatus.MULTIPLE_CHOICES
            or len(self._body) > MOST
        ):
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._start["headers"]}
        telling = {name: headers[name] for name in _TELLING if name in headers}
        return Kept(self._start["status"], telling, bytes(self._body))
