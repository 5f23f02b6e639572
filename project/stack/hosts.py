"""Which names we answer to, and whom to believe about the client (SEC-002, SEC-011)."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

from orchestration.asking import current_address
from project.stack.answers import is_api, refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from starlette.types import ASGIApp, Receive, Scope, Send

_FORWARDED: Final = frozenset(
    {
        b"forwarded",
        b"x-forwarded-for",
        b"x-forwarded-host",
        b"x-forwarded-port",
        b"x-forwarded-prefix",
        b"x-forwarded-proto",
        b"x-forwarded-server",
        b"x-real-ip",
        b"x-request-id",
        b"x-script-name",
    }
)
_HEALTH: Final = "/health/"
_SCHEMES: Final = {b"http": ("http", "ws"), b"https": ("https", "wss")}


class AllowedHosts:
    """One Host header, and one that is on the list. No link or redirect can then be built from another."""

    def __init__(self, app: ASGIApp, allowed: Sequence[str], trusted_origins: Sequence[str]) -> None:
        self._app, self._origins = app, frozenset(trusted_origins)

        @lru_cache(maxsize=256)
        def is_allowed(host: bytes) -> bool:
            domain, _ = split_domain_port(host.decode("latin-1").lower())
            return bool(domain) and validate_host(domain, list(allowed))

        self._is_allowed = is_allowed
        self._own = allowed[0].lstrip(".").encode() if allowed else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if _is_probe(scope, hosts):
            hosts = [self._own]
            scope["headers"] = [(name, self._own if name == b"host" else value) for name, value in scope["headers"]]
        if len(hosts) != 1 or not self._is_allowed(hosts[0]):
            detail = "This server does not answer to that name. Its names are in ESTEIRA_ALLOWED_HOSTS."
            await refusal(scope, 400, detail)(scope, receive, send)
        elif scope["type"] == "websocket" and not self._same_origin(scope, hosts[0]):
            await refusal(scope, 403, "A page of another origin may not open this connection.")(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _same_origin(self, scope: Scope, host: bytes) -> bool:
        """Cookies know no ports, so the port counts here: another program on this machine is another origin."""
        origins = [value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"]
        if not origins and is_api(scope):
            return True  # a program; there no cookie counts, so no page can act for somebody who is signed in
        if len(origins) != 1:
            return False
        return urlsplit(origins[0]).netloc.lower() == host.decode("latin-1").lower() or origins[0] in self._origins


def _is_probe(scope: Scope, hosts: Sequence[bytes]) -> bool:
    """A balancer and Kubernetes ask a pod how it is by its address, and cannot be told to use a name."""
    if scope["type"] != "http" or not scope["path"].startswith(_HEALTH) or len(hosts) != 1:
        return False
    return _is_address(split_domain_port(hosts[0].decode("latin-1"))[0].strip("[]"))


class TrustedProxies:
    """X-Forwarded-For and -Proto count only from a proxy on the list; nobody downstream sees any of them."""

    def __init__(self, app: ASGIApp, trusted: Sequence[str]) -> None:
        self._app = app
        self._networks = [ip_network(entry, strict=False) for entry in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        self._settle(scope)
        bound = current_address.set((scope.get("client") or ("",))[0])
        try:
            await self._app(scope, receive, send)
        finally:
            current_address.reset(bound)

    def _settle(self, scope: Scope) -> None:
        headers = scope["headers"]
        if not any(name in _FORWARDED or b"_" in name for name, _ in headers):
            return
        if self._networks and self._is_trusted((scope.get("client") or ("",))[0]):
            self._believe(scope, headers)
        # Some code reads X_Forwarded_For as if it were X-Forwarded-For (CVE-2026-3902).
        scope["headers"] = [(n, v) for n, v in headers if n not in _FORWARDED and b"_" not in n]

    def _believe(self, scope: Scope, headers: Sequence[tuple[bytes, bytes]]) -> None:
        said = _last_values(headers, b"x-forwarded-proto")
        if said and said[-1] in _SCHEMES:
            plain, socket = _SCHEMES[said[-1]]
            scope["scheme"] = socket if scope["type"] == "websocket" else plain
        # From the right: the first address that no proxy of ours wrote is the client.
        for address in reversed(_last_values(headers, b"x-forwarded-for")):
            text = address.decode("latin-1")
            if not self._is_trusted(text):
                if _is_address(text):
                    scope["client"] = (text, 0)
                return

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and _is_in(address, self._networks)


def _last_values(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [part.strip().lower() for name, value in headers if name == wanted for part in value.split(b",")]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    return any(ip_address(address) in network for network in networks)
