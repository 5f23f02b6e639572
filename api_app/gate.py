"""What every request under /api and /ga4gh must bring before a byte of its body is read.

A credential, a method that is offered, and JSON.

A WebSocket brings a token too, or a ticket in its address, as a page can set no headers there. Cookies count for
nothing here, so no page of another site can act for a signed-in user (SEC-004).
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from api_app.errors import NotAuthenticated, answer, problem
from api_app.methods import allowed
from orchestration.services.token_format import PREFIX, TYPO, is_well_formed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send
    from starlette.websockets import WebSocket

TOKENS: Final = "/api/v1/tokens"
LEAKED: Final = "/api/v1/tokens:revoke-leaked"
UPLOADS: Final = "/api/v1/uploads"
BUNDLE: Final = "/api/v1/uploads:put"
FILES: Final = "/api/v1/files/"
RUNNER: Final = "/api/runner/v1/"
RUNNER_LOG: Final = "/api/runner/v1/log"
TUS: Final = "/api/v1/tus"
SIGNING_KEYS: Final = "/api/v1/signing-keys"
FOR_ANYBODY: Final = frozenset({SIGNING_KEYS, LEAKED})
OFFSETS: Final = b"application/offset+octet-stream"
RUNS: Final = "/ga4gh/wes/v1/runs"
TASKS: Final = "/ga4gh/tes/v1/tasks"
FORMS: Final = frozenset({b"multipart/form-data", b"application/x-www-form-urlencoded"})
RAW_BODIES: Final = frozenset({UPLOADS, RUNNER_LOG})
# The signature in such an address is the permission, for these bytes and no others.
PART: Final = re.compile(r"/api/v1/uploads/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/parts/([0-9]{1,5})")
LONGEST_TICKET: Final = 100
_KEY: Final = "esteira.credential"


class Credential(NamedTuple):
    """`scheme` is bearer, runner, basic or ticket (of an upload; of a WebSocket, in its address)."""

    scheme: str
    secret: str
    user: str = ""
    address: str = ""
    """Where it came from."""


class Gate:
    """In front of HTTP. The routes of WebSockets ask `socket_credential`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _refusal(scope)) is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def credential(request: Request) -> Credential:
    found: Credential = request.scope[_KEY]
    return found


def credential_of(scope: Scope) -> Credential | None:
    """None where the address alone is the permission."""
    found: Credential | None = scope.get(_KEY)
    return found


def has_json(scope: Scope) -> bool:
    """The body is JSON for a route to read, and not a file, whatever that holds."""
    headers = dict(scope["headers"])
    return _has_body(headers) and _media_type(headers) == b"application/json" and not _is_raw(scope, headers)


def socket_credential(socket: WebSocket) -> Credential | None:
    if (ticket := socket.query_params.get("ticket")) is not None:
        return Credential("ticket", ticket[:LONGEST_TICKET])
    found = _credential(socket.headers.get("authorization", ""), socket.scope["path"], "GET")
    return found._replace(address=_address(socket.scope)) if found else None


def _refusal(scope: Scope) -> Response | None:
    headers, path = dict(scope["headers"]), scope["path"]
    if _is_open(scope["method"], path):
        return None
    if path not in FOR_ANYBODY:
        given = headers.get(b"authorization", b"").decode("latin-1")
        found = _credential(given, path, scope["method"])
        if found is None:
            return answer(NotAuthenticated(TYPO if _is_mistyped(given) else ""))
        scope[_KEY] = found._replace(address=_address(scope))
    return _unoffered(scope) or _unfit(scope, headers)


def _unoffered(scope: Scope) -> Response | None:
    """Before a key is looked up, or a route beside the one that is meant takes its name for an id."""
    offered = allowed(scope["app"], scope["path"])
    if not offered or scope["method"] in offered.split(", "):
        return None
    return problem(405, headers={"allow": offered})


def _unfit(scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
    """A body of a type that nobody here reads."""
    said = ""
    if scope["path"] == RUNS and scope["method"] == "POST":
        said = "" if _media_type(headers) in FORMS else "Send the run as `multipart/form-data`."
    elif _has_body(headers) and not _is_raw(scope, headers) and _media_type(headers) != b"application/json":
        said = "Send the body as `Content-Type: application/json`."
    return problem(415, said) if said else None


def _is_open(method: str, path: str) -> bool:
    """To anybody, or to whoever has an address that was signed."""
    if method == "PUT" and PART.fullmatch(path):
        return True
    return (method == "OPTIONS" and path.startswith(TUS)) or (method, path) == ("GET", SIGNING_KEYS)


def _is_mistyped(header: str) -> bool:
    """Told apart from a token that has ended without asking the database."""
    scheme, _, secret = header.partition(" ")
    return scheme.lower() == "bearer" and secret.startswith(PREFIX) and not is_well_formed(secret)


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _is_raw(scope: Scope, headers: dict[bytes, bytes]) -> bool:
    """The body is a file, or a piece of one, of whatever type."""
    path, method = scope["path"], scope["method"]
    if path.startswith(TUS):
        # By the IETF's draft the type is the file's own.
        return headers.get(b"content-type") == OFFSETS or b"upload-complete" in headers
    return path in RAW_BODIES or (method == "PUT" and path.startswith(FILES))


def _credential(header: str, path: str, method: str) -> Credential | None:
    """Only by its form. Whether it is good, the database says."""
    scheme, _, secret = header.partition(" ")
    match scheme.lower():
        case "bearer" if path.startswith(RUNNER) and secret:
            return Credential("runner", secret)
        case "bearer" if not path.startswith(RUNNER) and is_well_formed(secret):
            return Credential("bearer", secret)
        case "basic" if (method, path) == ("POST", TOKENS):
            return _basic(secret)
        case "ticket" if secret and (path.startswith((UPLOADS, TUS)) or (method == "PUT" and path.startswith(FILES))):
            return Credential("ticket", secret)
    return None


def _basic(encoded: str) -> Credential | None:
    try:
        user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Credential("basic", password, user) if colon and user and "\0" not in user + password else None


def _has_body(headers: dict[bytes, bytes]) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _media_type(headers: dict[bytes, bytes]) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
