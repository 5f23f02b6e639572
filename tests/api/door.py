"""Comes to the whole application as a client does, in this process: no socket, but every layer of the stack."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from orchestration.services.tokens import issue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from starlette.types import ASGIApp, Message, Scope

    from orchestration.models import User

HOST = "localhost"
ALL_SCOPES = ("read", "upload", "run", "admin")


def token_of(user: User, scopes: tuple[str, ...] = ALL_SCOPES, workspace: str = "") -> str:
    return issue(user=user, name="test", scopes=scopes, workspace=workspace)[1]


class Door:
    """Synchronous on the outside, so that a test may use the ORM between two requests."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("127.0.0.1", 5))
        self.client = httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")

    def close(self) -> None:
        self._runner.run(self.client.aclose())
        self._runner.close()

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def send(self, method: str, path: str, token: str = "", **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if "json" in options:  # in ASCII, so that a test can send half a surrogate pair
            options["content"] = json.dumps(options.pop("json"))
            headers["Content-Type"] = "application/json"
        options["headers"] = headers | dict(options.get("headers") or {})
        return self.run(self.client.request(method, path, **options))

    def raw(self, method: str, path: str, **options: Any) -> Answer:
        """A request made by hand: any header twice, any cut in the body, a client that leaves."""
        return self.run(raw(self.app, method, path, **options))

    def as_(self, user: User, scopes: tuple[str, ...] = ALL_SCOPES, workspace: str = "") -> Visitor:
        return Visitor(self, token_of(user, scopes, workspace))


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody with a token, at /api/v1."""

    door: Door
    token: str

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.door.send(method, f"/api/v1{path}", self.token, **options)

    def json(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self(method, path, **options)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
        return answer.json()


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    is_complete: bool = False

    def header(self, name: str) -> str | None:
        found = [v for k, v in self.headers if k.lower() == name.encode()]
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0].decode() if found else None


def scope_for(method: str, path: str, headers: list[tuple[bytes, bytes]] | None = None, **more: Any) -> Scope:
    target, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", HOST.encode())] if headers is None else headers,
        "client": ("127.0.0.1", 5),
        "server": (HOST, 80),
        "state": {},
    } | more


class Client:
    """The other end of one exchange: sends its chunks, then ends the body (or leaves), then listens."""

    def __init__(self, *chunks: bytes, leaves: bool = False) -> None:
        self._chunks = iter(chunks)
        self._body_is_open = True
        self.answer = Answer()
        self.news = asyncio.Event()
        self.gone = asyncio.Event()
        if leaves:
            self._body_is_open = False
            self.gone.set()

    async def receive(self) -> Message:
        for chunk in self._chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        if self._body_is_open:
            self._body_is_open = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not self.answer.status, "an answer was started twice"
            self.answer.status, self.answer.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.answer.body += message.get("body", b"")
            self.answer.is_complete = not message.get("more_body", False)
        self.news.set()

    async def until(self, text: bytes) -> None:
        """Wait until the answer holds `text`."""
        await self.wait_for(lambda answer: text in answer.body)

    async def ended(self) -> None:
        await self.wait_for(lambda answer: answer.is_complete)

    async def wait_for(self, seen: Callable[[Answer], bool], seconds: float = 5) -> None:
        async with asyncio.timeout(seconds):
            while not seen(self.answer):
                self.news.clear()
                await self.news.wait()


class Stalled(Client):
    """Sends the beginning of its body, then nothing."""

    def __init__(self, first: bytes) -> None:
        super().__init__(first)
        self.is_waited_for = asyncio.Event()
        """What it sent was taken, and somebody waits for the rest."""

    async def receive(self) -> Message:
        for chunk in self._chunks:
            return {"type": "http.request", "body": chunk, "more_body": True}
        self.is_waited_for.set()
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def raw(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    chunks: tuple[bytes, ...] = (),
    leaves: bool = False,
    **more: Any,
) -> Answer:
    client = Client(*chunks, leaves=leaves)
    await app(scope_for(method, path, headers, **more), client.receive, client.send)
    return client.answer
