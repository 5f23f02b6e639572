"""Does the fast way in work with the uvicorn that is here? Asked of itself at each start, over a real connection."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import uvicorn
import uvloop
from uvicorn.server import ServerState

from project.receive.heads import BoundedHttp
from project.receive.protocol import EXTENSION, UVICORN, ReceivingHttp

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

log = logging.getLogger(__name__)
PATIENCE_S: Final = 5.0
SIZE: Final = 400_001
BODY: Final = bytes(range(251)) * (SIZE // 251 + 1)
FAST: Final = f"PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: {SIZE}\r\n".encode()
ASKING: Final = b"expect: 100-continue\r\n"
CHUNKED: Final = b"PUT / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"


class Differs(Exception):
    """What came out is not what went in."""


def chosen(wish: str) -> type[BoundedHttp]:
    """The protocol to serve with: the fast one where it is wanted and works."""
    if wish == "stock":
        return BoundedHttp
    reason = uvloop.run(_Trial().run())
    if not uvicorn.__version__.startswith(UVICORN):
        reason = f"made for uvicorn {UVICORN}x, this is {uvicorn.__version__}"
    if reason:
        log.warning("receiving the stock way", extra={"reason": reason})
    return BoundedHttp if reason else ReceivingHttp


class _Trial:
    """A server with one connection, and an application that notes what it was given."""

    def __init__(self) -> None:
        self._begun = asyncio.Event()
        self._got = b""
        self._noticed: list[str] = []

    async def run(self) -> str:
        """Why the fast way cannot be used; "" when it can."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._noticed.append(repr(context.get("exception"))))
        config = uvicorn.Config(self, lifespan="off", log_config=None, access_log=False, ws="none")
        config.load()
        state = ServerState()
        try:
            server = await loop.create_server(lambda: ReceivingHttp(config, state, {}), "127.0.0.1", 0)
            async with asyncio.timeout(PATIENCE_S), server:
                await self._talk(*server.sockets[0].getsockname())
        except (OSError, EOFError, asyncio.LimitOverrunError, Differs) as exc:
            return "; ".join([*self._noticed, repr(exc)])
        return ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._got = b""
        self._begun.set()
        offered = scope.get("extensions", {}).get(EXTENSION)
        try:
            if offered:
                await offered["pour"](self._write, asyncio.to_thread)
            else:
                self._got = (await receive()).get("body", b"")
        except (AttributeError, TypeError) as exc:  # what a change inside uvicorn looks like
            self._noticed.append(repr(exc))
        way = b"fast" if offered else b"slow"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": way})

    def _write(self, piece: memoryview) -> None:
        self._got += piece

    async def _talk(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        body = BODY[:SIZE]
        # One in two pieces with another right behind it; one that waits to be asked for; one that has no length.
        writer.write(FAST + b"\r\n" + body[:1_000])
        await self._begun.wait()
        writer.write(body[1_000:] + FAST + b"\r\n" + body[:-1])
        await self._expect(reader, b"fast", body)
        writer.write(body[-1:])
        await self._expect(reader, b"fast", body)
        writer.write(FAST + ASKING + b"\r\n")
        await reader.readuntil(b" 100 Continue\r\n\r\n")
        writer.write(body)
        await self._expect(reader, b"fast", body)
        writer.write(CHUNKED)
        await self._expect(reader, b"slow", b"abc")
        writer.close()

    async def _expect(self, reader: asyncio.StreamReader, way: bytes, body: bytes) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = await reader.readexactly(len(way))
        if (answer, self._got) != (way, body):
            raise Differs(f"{answer!r}: {len(self._got)} bytes for {len(body)}")
