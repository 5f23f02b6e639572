"""JSON in UTF-8, nested no deeper than anything here needs: looked at before a parser spends time and stack on it."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from starlette.requests import ClientDisconnect, Request

from api_app.errors import answer
from api_app.gate import has_json
from orchestration.errors import Invalid, TooDeep

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEEPEST: Final = 64
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP: Final = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class Nesting:
    """In front of whatever parses. Bodies that are a file, JSON or not, pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not has_json(scope):
            await self._app(scope, receive, send)
            return
        try:
            body = await Request(scope, receive).body()  # Limits bounds it
        except ClientDisconnect:
            return  # nobody is there to be answered, and nothing was done
        try:
            check(body)
        except Invalid as exc:
            await answer(exc)(scope, receive, send)
            return
        await self._app(scope, given(body, receive), send)


def check(body: bytes) -> None:
    """Raises Invalid, TooDeep."""
    # In UTF-16 the bytes of other characters would pass for quotes and hide brackets. RFC 8259 has UTF-8 only.
    if b"\0" in body[:4]:
        raise Invalid("Send the JSON in UTF-8.")
    if is_too_deep(body):
        raise TooDeep(f"The JSON is nested deeper than {DEEPEST} levels. Send it flatter.")


def is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    return any(map(DEEPEST.__lt__, accumulate(map(_STEP.__getitem__, brackets))))


def given(body: bytes, receive: Receive) -> Receive:
    """The body that has been read, and then whatever comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
