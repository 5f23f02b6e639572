"""Security headers on every answer of either framework, errors and static files among them (SEC-003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.conf import settings

from orchestration.storage.registry import get_direct
from project.object_storage import IN_BUCKETS
from project.stack.answers import is_api

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


def _app_csp(*origins: str, content: str = "", forms: Iterable[str] = ()) -> bytes:
    """Pages send files to object storage, where there is one, and show images from there.

    `content`: the origin of what is shown of files, where they have one of their own.
    `forms`: where a form may lead to, also by a redirect: people sign in there.
    """
    own = " ".join(["'self'", *origins])
    to = " ".join(["'self'", *forms])
    shown = f" {content}" if content else ""
    return (
        f"default-src 'self'; style-src 'self'; script-src 'self'; "
        f"img-src {own}{shown} data: blob:; connect-src {own}; "
        f"frame-src 'self'{shown}; object-src 'none'; base-uri 'none'; form-action {to}; frame-ancestors 'none'"
    ).encode()


APP_CSP: Final = _app_csp()
API_CSP: Final = b"default-src 'none'; frame-ancestors 'none'"
CSP: Final = b"content-security-policy"
CACHE: Final = b"cache-control"
FRAMES: Final = b"x-frame-options"
RESOURCES: Final = b"cross-origin-resource-policy"
HSTS: Final = (b"strict-transport-security", b"max-age=%d; includeSubDomains" % settings.SECURE_HSTS_SECONDS)
ALWAYS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (RESOURCES, b"same-origin"),
    (b"permissions-policy", b"accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
ELSEWHERE: Final = tuple((name, b"cross-origin" if name == RESOURCES else value) for name, value in ALWAYS)
_SET_HERE: Final = frozenset({name for name, _ in ALWAYS} | {FRAMES, HSTS[0]})
_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})


class SecurityHeaders:
    """An answer that brings a Content-Security-Policy of its own keeps it; the rest is the same for all."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        buckets = sorted({at.origin for alias in IN_BUCKETS if (at := get_direct(alias))})
        self._csp = _app_csp(*buckets, content=settings.CONTENT_ORIGIN, forms=settings.OIDC_ORIGINS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] in _STARTS:
                message = {**message, "headers": _secured(scope, message.get("headers", ()), self._csp)}
            await send(message)

        await self._app(scope, receive, secured)


def _secured(scope: Scope, given: list[tuple[bytes, bytes]], page_csp: bytes) -> list[tuple[bytes, bytes]]:
    headers = [(name.lower(), value) for name, value in given]
    headers = [(name, value) for name, value in headers if name not in _SET_HERE]
    own = dict(headers)
    api = is_api(scope)
    if CSP not in own:
        headers.append((CSP, API_CSP if api else page_csp))
    if api and CACHE not in own:
        headers.append((CACHE, b"no-store"))
    policy = own.get(CSP, b"")
    # What is shown on an origin of its own is for pages of another, which the policy names and this header cannot.
    is_for_elsewhere = b"frame-ancestors http" in policy
    if not is_for_elsewhere:
        headers.append((FRAMES, b"SAMEORIGIN" if b"frame-ancestors 'self'" in policy else b"DENY"))
    # The proxies' layer has told the scheme by now, in this same scope.
    if scope.get("scheme") in {"https", "wss"}:
        headers.append(HSTS)
    return [*headers, *(ELSEWHERE if is_for_elsewhere else ALWAYS)]
