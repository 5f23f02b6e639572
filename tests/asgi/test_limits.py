"""Bodies, heads and time are bounded before any framework sees them (SEC-009, SEC-010)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from project.stack import limits, sockets
from project.stack.limits import KIB, MIB, Limits
from tests.api.door import Answer, Client, Door, scope_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

pytestmark = pytest.mark.django_db(transaction=True)
HOST = (b"host", b"localhost")
CHUNKED = [HOST, (b"transfer-encoding", b"chunked")]
RUNNER = "/api/runner/v1"


async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
    """An app that reads everything and answers with how much it got."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            await answer(send, 500, b"the app thinks that the client left")
            return
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    await answer(send, 200, str(size).encode())


async def serve(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def answer(send: Send, status: int, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": body})


def through(app: Any, path: str, headers: list[tuple[bytes, bytes]], *chunks: bytes, upload: int = 1 << 40) -> Answer:
    client = Client(*chunks)
    scope = scope_for("POST", path, headers)
    asyncio.run(Limits(app, upload)(scope, client.receive, client.send))
    return client.answer


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/api/v1/jobs", 1 * MIB),
        ("/api/nowhere", 1 * MIB),
        (f"{RUNNER}/heartbeat", 1 * MIB),
        (f"{RUNNER}/log", 260 * KIB),
        (f"{RUNNER}/finish", 8 * MIB),
        (f"{RUNNER}/outputs", 8 * MIB),
        ("/login/", 10 * MIB),
        ("/nowhere", 10 * MIB),
        ("/api/v1/uploads", 20 * MIB),
    ],
)
def test_body_is_counted_as_it_comes(path: str, limit: int) -> None:
    whole, rest = divmod(limit, 64 * KIB)
    chunks = [b"x" * (64 * KIB)] * whole + [b"x" * rest]
    fits = through(swallow, path, CHUNKED, *chunks, upload=20 * MIB)
    assert (fits.status, fits.body) == (200, str(limit).encode())
    over = through(swallow, path, CHUNKED, *chunks, b"x", upload=20 * MIB)
    assert over.status == 413
    liar = through(swallow, path, [HOST, (b"content-length", b"3")], *chunks, b"x", upload=20 * MIB)
    assert liar.status == 413, "Content-Length is not believed"
    honest = through(swallow, path, [HOST, (b"content-length", str(limit + 1).encode())], upload=20 * MIB)
    assert honest.status == 413, "but it is taken at its word"


def test_refusal_of_the_api_is_a_problem_and_of_a_page_is_a_page() -> None:
    api = through(swallow, "/api/v1/jobs", [HOST, (b"content-length", b"99999999")])
    assert (api.header("content-type"), b'"code": "too_large"' in api.body) == ("application/problem+json", True)
    page = through(swallow, "/login/", [HOST, (b"content-length", b"99999999")])
    assert (page.header("content-type"), b"<h1>" in page.body) == ("text/html; charset=utf-8", True)


@pytest.mark.parametrize("path", ["/nowhere", "/login/", "/api/nowhere", "/api/v1/jobs"])
def test_large_body_for_any_address_is_refused_and_spools_little(
    stack: Door, path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sent = 0

    def chunks() -> Any:
        nonlocal sent
        while sent < 100 * MIB:
            sent += MIB
            yield b"x" * MIB

    client = Client()
    client._chunks = chunks()
    stack.run(serve(stack.app, scope_for("POST", path, CHUNKED), client.receive, client.send))
    assert client.answer.status == (401 if path.startswith("/api") else 413)
    assert sent <= 24 * MIB, "it was read to its end"


def test_all_form_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ALL_FORM_BODIES", 3 * MIB)
    layer = Limits(swallow, 1 << 40)

    async def crowd() -> list[int]:
        go = asyncio.Event()

        class Slow(Client):
            async def receive(self) -> Message:
                message = await super().receive()
                if not message.get("body"):
                    await go.wait()
                return message

        clients = [Slow(b"x" * MIB) for _ in range(4)]
        tasks = [asyncio.ensure_future(layer(scope_for("POST", "/x", CHUNKED), c.receive, c.send)) for c in clients]
        await asyncio.sleep(0.05)
        go.set()
        await asyncio.gather(*tasks)
        return sorted(c.answer.status for c in clients)

    assert asyncio.run(crowd()) == [200, 200, 200, 503]
    assert layer.form_bytes == 0, "given back"


class Stuck(Client):
    """Sends its chunks and then nothing more, without ending the body."""

    async def receive(self) -> Message:
        message = await super().receive()
        if not message.get("body"):
            await asyncio.Event().wait()
        return message


@pytest.mark.parametrize("path", ["/api/v1/uploads", "/api/v1/jobs", "/login/"])
def test_body_that_stops_coming_is_408(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_S", 0.05)
    monkeypatch.setattr(limits, "LATE_S", 0.05)
    client = Stuck(b"half")
    asyncio.run(Limits(swallow, 1 << 40)(scope_for("POST", path, CHUNKED), client.receive, client.send))
    assert client.answer.status == 408
    assert client.answer.header("connection") == "close"


def test_body_that_drips_is_given_so_long_and_a_file_1_kib_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WHOLE_BODY_S", 0.1)
    monkeypatch.setattr(limits, "LATE_S", 0.01)

    class Dripping(Client):
        async def receive(self) -> Message:
            await asyncio.sleep(0.02)
            return await super().receive()

    def status(path: str, drop: bytes = b"x") -> int:
        client = Dripping(*[drop] * 10)
        asyncio.run(Limits(swallow, 1 << 40)(scope_for("POST", path, CHUNKED), client.receive, client.send))
        return client.answer.status

    assert status("/api/v1/jobs") == 408
    assert status("/api/v1/uploads") == 408
    assert status("/api/v1/uploads", b"x" * KIB) == 200


def test_upload_that_stops_coming_leaves_nothing(stack: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestration.models import File
    from tests.api.door import token_of
    from tests.factories import join, make_user, make_workspace

    monkeypatch.setattr(limits, "IDLE_S", 0.1)
    monkeypatch.setattr(limits, "LATE_S", 0.05)
    user, lab = make_user(), make_workspace()
    join(user, lab)
    incoming = Path(settings.ESTEIRA_HOME) / "storage/uploads/incoming"
    before = set(incoming.glob("*.part"))
    client = Stuck(b"x" * (2 * MIB))
    headers = [*CHUNKED, (b"authorization", f"Bearer {token_of(user)}".encode())]
    stack.run(serve(stack.app, scope_for("POST", "/api/v1/uploads?name=a", headers), client.receive, client.send))
    assert client.answer.status == 408
    assert not File.objects.exists()
    assert set(incoming.glob("*.part")) == before


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("TRACE", "/", [HOST], 405),
        ("CONNECT", "/", [HOST], 405),
        ("TRACE", "/api/v1/me", [HOST], 401),
        ("GET", "/?" + "x" * 9000, [HOST], 414),
        ("GET", "/" + "x" * 9000, [HOST], 414),
        ("GET", "/api/v1/me", [HOST, (b"x", b"y" * 70_000)], 431),
        ("GET", "/", [HOST, *[(b"x", b"y")] * 120], 431),
    ],
)
def test_head_is_bounded(stack: Door, method: str, path: str, headers: list[tuple[bytes, bytes]], status: int) -> None:
    said = stack.raw(method, path, headers=headers)
    assert said.status == status
    assert said.header("x-request-id")


def test_requests_at_once_are_bounded_but_health_is_always_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_REQUESTS", 1)

    async def crowd() -> list[int]:
        go = asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/slow":
                await go.wait()
            await answer(send, 200, b"")

        layer = Limits(slow, 1)
        clients = [Client() for _ in range(3)]
        first = asyncio.ensure_future(layer(scope_for("GET", "/slow"), clients[0].receive, clients[0].send))
        await asyncio.sleep(0)
        await layer(scope_for("GET", "/other"), clients[1].receive, clients[1].send)
        await layer(scope_for("GET", "/health/live"), clients[2].receive, clients[2].send)
        go.set()
        await first
        assert clients[1].answer.header("retry-after") == "1"
        return [c.answer.status for c in clients]

    assert asyncio.run(crowd()) == [200, 503, 200]


def test_client_that_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    from project.stack.request_log import ClientStalled, RequestLog

    monkeypatch.setattr(limits, "STALL_S", 0.05)

    async def never(_message: Message) -> None:
        await asyncio.Event().wait()

    async def talk() -> None:
        with pytest.raises(ClientStalled):
            await Limits(swallow, 1)(scope_for("GET", "/"), Client().receive, never)
        await RequestLog(Limits(swallow, 1))(scope_for("GET", "/"), Client().receive, never)

    asyncio.run(talk())


def test_answer_before_the_end_of_a_body_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LATE_S", 0.05)

    async def early(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 401, b"who are you?")

    small = through(early, "/api/v1/uploads", [HOST, (b"content-length", b"5")], b"hello")
    assert small.header("connection") is None, "a little is taken in and the connection kept"
    client = Stuck(b"x" * MIB)
    asyncio.run(Limits(early, 1 << 40)(scope_for("POST", "/api/v1/uploads", CHUNKED), client.receive, client.send))
    assert (client.answer.status, client.answer.header("connection")) == (401, "close")


def socket_end(messages: list[dict[str, Any]], look: Callable[[], None] = lambda: None) -> list[Any]:
    """What the other side of a live connection hears after sending these."""
    heard: list[Any] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def talk() -> None:
        queue = iter(messages)

        async def receive() -> dict[str, Any]:
            return next(queue, {"type": "websocket.disconnect", "code": 1000})

        async def send(message: Any) -> None:
            heard.append(message)

        await Limits(listening, 1)(scope_for("GET", "/ws/x", type="websocket"), receive, send)

    asyncio.run(talk())
    look()
    return heard


def test_large_or_frequent_messages_end_a_live_connection() -> None:
    small = {"type": "websocket.receive", "text": "x"}
    assert socket_end([small] * sockets.MAX_MESSAGES) == []
    assert socket_end([small] * (sockets.MAX_MESSAGES + 1)) == [{"type": "websocket.close", "code": 1008}]
    large = {"type": "websocket.receive", "text": "é" * 33_000}
    assert socket_end([large]) == [{"type": "websocket.close", "code": 1009}]
    assert socket_end([{"type": "websocket.receive", "bytes": b"x" * 65_537}]) == [
        {"type": "websocket.close", "code": 1009}
    ]
