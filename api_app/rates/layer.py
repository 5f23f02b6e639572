"""Counts each request of a token or an upload ticket, refuses those beyond a limit, and says how much is left.

The fields are those of draft-ietf-httpapi-ratelimit-headers-11. Not counted: the runner's protocol, addresses whose
signature is the permission, and passwords, which have a brake of their own.
"""

from __future__ import annotations

import re
import time
from math import ceil
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from django.conf import settings

from api_app.errors import problem
from api_app.gate import credential_of
from api_app.rates.buckets import WINDOW_S, Buckets, Share
from api_app.rates.costs import cost_of
from api_app.rates.known import caller_key, known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api_app.rates.known import Caller

COUNTED: Final = frozenset({"bearer", "ticket"})
QUOTA_EXCEEDED: Final = "https://iana.org/assignments/http-problem-types#quota-exceeded"
WHOSE: Final = {"token": "with this token", "user": "by this user", "workspace": "in this workspace"}
_NAMED: Final = re.compile(r"/api/v1/workspaces/([^/]+)/.*")

buckets: Final = Buckets()
clock = time.monotonic


class Rates:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = credential_of(scope) if scope["type"] == "http" else None
        if given is None or given.scheme not in COUNTED:
            await self._app(scope, receive, send)
            return
        key, cost = caller_key(given), cost_of(scope["method"], scope["path"])
        caller = known.find(key)
        shares = _shares(key, caller, scope) if caller else ()
        if waits := buckets.take(shares, cost, clock()):
            await _refusal(shares, waits)(scope, receive, send)
            return

        async def telling(message: Message) -> None:
            await send(
                _told(message, key, shares, cost, scope) if message["type"] == "http.response.start" else message
            )

        await self._app(scope, receive, telling)


def _told(message: Message, key: bytes, shares: Sequence[Share], cost: int, scope: Scope) -> Message:
    if message["status"] == 401:  # noqa: PLR2004
        # A token that was revoked because it leaked must not use up what its user may ask.
        known.forget(key)
        return message
    if not shares and (caller := known.find(key)) is not None:
        shares = _shares(key, caller, scope)
        buckets.draw(shares, cost, clock())
    return {**message, "headers": [*message.get("headers", ()), *_fields(shares)]} if shares else message


def _shares(key: bytes, caller: Caller, scope: Scope) -> tuple[Share, ...]:
    """A limit of 0 is none."""
    place = _workspace(caller, scope)
    return tuple(
        Share(name, whose, quota)
        for name, whose, quota in (
            ("token", key, settings.RATE_TOKEN),
            ("user", caller.user, settings.RATE_USER),
            ("workspace", place, settings.RATE_WORKSPACE),
        )
        if quota and whose
    )


def _workspace(caller: Caller, scope: Scope) -> str:
    """The one that the address names, if it is the caller's: nobody may use up what others have. Else the usual one."""
    if found := _NAMED.fullmatch(scope["path"]):
        named = found[1]
    else:
        named = parse_qs(scope["query_string"].decode("latin-1")).get("workspace", [""])[0]
    if named in caller.workspaces:
        return named
    return caller.workspaces[0] if caller.workspaces else ""


def _refusal(shares: Sequence[Share], waits: dict[Share, int]) -> Response:
    retry_after = max(waits.values())
    last = max(waits, key=lambda share: waits[share])
    sentence = (
        f"Too many requests {WHOSE[last.name]}: {last.quota:,} a minute are allowed. Try again in {retry_after} s."
    )
    # Of the others nothing is said: Retry-After may not lie before the end of a window that the answer names.
    left = ", ".join(_limit(share, buckets.left(share, clock()), wait) for share, wait in waits.items())
    headers = {"retry-after": str(retry_after), "ratelimit-policy": _policy(shares), "ratelimit": left}
    more = {"type": QUOTA_EXCEEDED, "violated-policies": [share.name for share in waits]}
    return problem(429, sentence, code="rate_limited", headers=headers, **more)


def _fields(shares: Sequence[Share]) -> list[tuple[bytes, bytes]]:
    now = clock()
    left = [(share, buckets.left(share, now)) for share in shares]
    # Whoever spreads what is left over that window is never refused.
    limits = ", ".join(_limit(share, units, max(1, ceil(share.seconds_of(units)))) for share, units in left)
    return [(b"ratelimit-policy", _policy(shares).encode()), (b"ratelimit", limits.encode())]


def _policy(shares: Sequence[Share]) -> str:
    return ", ".join(f'"{share.name}";q={share.quota};w={WINDOW_S}' for share in shares)


def _limit(share: Share, units: int, seconds: int) -> str:
    return f'"{share.name}";r={units};t={seconds}'
