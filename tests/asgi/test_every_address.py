"""What holds for every address of Django, FastAPI and Channels (SEC-001, SEC-002, SEC-003)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from api_app.main import app as api_app
from project.asgi import application
from project.stack.headers import API_CSP, APP_CSP
from tests.api.door import scope_for
from tests.asgi.addresses import api, http, pages, sockets

if TYPE_CHECKING:
    from tests.api.door import Answer, Door

pytestmark = pytest.mark.django_db(transaction=True)
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def checked(answer: Answer, path: str) -> None:
    UUID(answer.header("x-request-id") or "missing")
    assert {name: answer.header(name) for name in FIXED} == FIXED, path
    csp = answer.header("content-security-policy") or ""
    assert csp in {API_CSP.decode(), APP_CSP.decode()}, path
    assert csp == (API_CSP if path.startswith(("/api", "/ga4gh")) else APP_CSP).decode(), path
    assert answer.header("x-frame-options") == "DENY", path
    assert answer.header("strict-transport-security") is None
    assert answer.header("server") is None


def test_the_tables_are_not_empty() -> None:
    assert len(pages()) > 20
    assert len(api()) > 40
    assert sockets()


def test_every_answer_carries_the_id_and_the_headers(stack: Door) -> None:
    seen = set()
    for method, path in http():
        answer = stack.raw(method, path)
        checked(answer, path)
        seen.add(answer.header("x-request-id"))
    assert len(seen) == len(http()), "an id of its own for each"


def test_every_address_refuses_a_name_that_is_not_ours(stack: Door) -> None:
    lists = [
        [(b"host", b"evil.example")],
        [(b"host", b"localhost"), (b"host", b"evil.example")],
        [],
        [(b"host", b"localhost@evil.example")],
        [(b"host", b"")],
    ]
    for method, path in http():
        answer = stack.raw(method, path, headers=lists[0])
        assert answer.status == 400, path
        assert answer.header("location") is None
        checked(answer, path)
    for headers in lists[1:]:
        for path in ("/", "/api/v1/me", "/static/x"):
            assert stack.raw("GET", path, headers=headers).status == 400, headers


@pytest.mark.parametrize("host", [b"10.20.33.7:8000", b"10.20.33.7", b"[fd00::7]:8000"])
def test_balancer_asks_a_pod_how_it_is_by_its_address(stack: Door, host: bytes) -> None:
    assert stack.raw("GET", "/health/live", headers=[(b"host", host)]).status == 200
    assert stack.raw("GET", "/login/", headers=[(b"host", host)]).status == 400


def test_forwarded_host_builds_no_link(stack: Door) -> None:
    headers = [(b"host", b"localhost"), (b"x-forwarded-host", b"evil.example"), (b"forwarded", b"host=evil.example")]
    for _, path in http():
        answer = stack.raw("GET", path, headers=headers)
        assert b"evil.example" not in answer.body
        assert "evil.example" not in (answer.header("location") or "")


@pytest.mark.parametrize("path", ["/jobs", "/api/v1/jobs/", "/api/v1/me/"])
def test_slash_too_few_or_many_redirects_nowhere_else(stack: Door, path: str) -> None:
    location = stack.raw("GET", path).header("location") or "/"
    assert location.startswith("/")
    assert not location.startswith("//")


@pytest.mark.parametrize(
    "origin", [b"null", b"https://evil.example", b"https://localhost.evil.example", b"http://sub.localhost"]
)
def test_no_address_lets_another_origin_in(stack: Door, origin: bytes) -> None:
    """SEC-005: neither when a browser asks before it sends, nor in the answer itself."""
    asks = [(b"access-control-request-method", b"POST"), (b"access-control-request-headers", b"authorization")]
    for _, path in http():
        for method, more in (("OPTIONS", asks), ("GET", [])):
            answer = stack.raw(method, path, headers=[(b"host", b"localhost"), (b"origin", origin), *more])
            assert not [name for name, _ in answer.headers if name.lower().startswith(b"access-control-")], path


def test_request_id_from_outside_is_not_taken_over(stack: Door) -> None:
    answer = stack.raw("GET", "/", headers=[(b"host", b"localhost"), (b"x-request-id", b"mine")])
    assert answer.header("x-request-id") != "mine"


def test_docs_of_the_framework_are_off() -> None:
    assert api_app.openapi_url is None
    assert not {"/docs", "/redoc", "/openapi.json"} & {path for _, path in api()}


def socket_answer(path: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, dict[bytes, bytes]]:
    """What a websocket handshake gets: the status (101 when accepted) and its headers."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"} if not sent else {"type": "websocket.disconnect", "code": 1006}

    async def send(message: Any) -> None:
        sent.append(message)

    import asyncio

    extensions: dict[str, Any] = {"websocket.http.response": {}}
    scope = scope_for("GET", path, headers, type="websocket", scheme="ws", subprotocols=[], extensions=extensions)

    async def talk() -> None:
        await application(scope, receive, send)

    asyncio.run(talk())
    first = sent[0]
    if first["type"] == "websocket.accept":
        return 101, dict(first["headers"])
    return (first["status"], dict(first["headers"])) if "status" in first else (403, {})


@pytest.mark.parametrize(
    "origin",
    [None, b"https://evil.example", b"null", b"http://localhost.evil.example", b"http://localhost:9", b"http://127.0.0.1"],
)  # fmt: skip
def test_live_connection_of_another_origin_is_refused(origin: bytes | None) -> None:
    headers = [(b"host", b"localhost")] + ([(b"origin", origin)] if origin is not None else [])
    for path in [*sockets(), "/ws/nowhere", "/api/v1/ws"]:
        status, said = socket_answer(path, headers)
        assert status in {403, 404}, path
        UUID(said[b"x-request-id"].decode())
        assert said[b"x-content-type-options"] == b"nosniff"


def test_live_connection_needs_a_host_of_ours_and_a_signed_in_user() -> None:
    for path in sockets():
        evil = [(b"host", b"evil.example"), (b"origin", b"http://evil.example")]
        assert socket_answer(path, evil)[0] == 400
        anonymous = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
        status, said = socket_answer(path, anonymous)
        assert status == 403
        UUID(said[b"x-request-id"].decode())
