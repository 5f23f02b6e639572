"""The fast way in for bodies: an application may take one straight from the socket instead of by `receive()`.

`scope["extensions"]["esteira.receive"]` is there for plain HTTP/1.1 with Content-Length, and nowhere else. uvicorn
reads into a new object each time, copies it four times and wakes a task for each piece; here a thread reads into one
buffer.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httptools
from starlette.requests import ClientDisconnect

from project.receive.heads import BoundedHttp
from project.receive.pour import Pour

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable

EXTENSION: Final = "esteira.receive"
UVICORN: Final = "0.54."
"""The version whose insides are used here, and tried out at each start (selftest.py): of the protocol `cycle`, `flow`,
`loop`, `parser`, `scheme`, `scope`, `transport`, `_should_upgrade`; of the cycle `body`, `disconnected`, `more_body`,
`waiting_for_100_continue`; of the flow `pause_reading`."""

type Write = Callable[[memoryview], None]
type InThread = Callable[[Callable[[], int]], Awaitable[int]]
type Wait = Callable[[int, Callable[[], Awaitable[None]]], Awaitable[None]]


class ReceivingHttp(BoundedHttp):
    _came = 0
    """Bytes of the body that the parser has seen."""
    _left = 0
    """Bytes of the body that the parser will never see."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._came = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        length = self._plain_length()
        if length:
            pour = partial(self._pour, self.cycle, length)
            self.scope.setdefault("extensions", {})[EXTENSION] = {"length": length, "pour": pour}

    def on_body(self, body: bytes) -> None:
        self._came += len(body)
        super().on_body(body)

    def data_received(self, data: bytes) -> None:
        if self._left:
            data = self._rest_of_body(data)
        if data:
            super().data_received(data)

    def _plain_length(self) -> int:
        """Of a body that can be read off the socket as it is; else 0."""
        if self.scheme != "http" or self.scope["http_version"] != "1.1" or self._should_upgrade():
            return 0
        headers = dict(self.scope["headers"])
        length = headers.get(b"content-length", b"")
        return int(length) if length.isdigit() and b"transfer-encoding" not in headers else 0

    async def _pour(self, cycle: Any, length: int, write: Write, in_thread: InThread, wait: Wait | None = None) -> None:
        """All of the body to `write`, piece by piece; a piece is gone when `write` returns. Raises ClientDisconnect.

        `wait` is told how many bytes came, and waits for more by what it is given, as long as it likes. However this
        ends, what is left of the body can be had by `receive()` as ever.
        """
        wait = wait or _wait
        body, cycle.body = memoryview(bytes(cycle.body)), bytearray()
        if not cycle.more_body:
            await in_thread(partial(_written, write, body))
            return
        self._take_over(cycle, length)
        pour = Pour(self.transport.get_extra_info("socket").fileno(), self._left, write)
        try:
            came = await in_thread(partial(_written, write, body)) if body else 0
            while pour.left:
                await wait(came, partial(self._until_readable, pour))
                came = await in_thread(pour.turn)
                if pour.ended:
                    self.transport.close()
                    raise ClientDisconnect
        finally:
            pour.close()
            self._give_back(pour.left)

    def _take_over(self, cycle: Any, length: int) -> None:
        if cycle.disconnected or self.transport.is_closing():
            raise ClientDisconnect
        self.flow.pause_reading()
        if cycle.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        self._left = length - self._came
        # The old one waits for bytes that it will never see.
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _give_back(self, left: int) -> None:
        self._left = left
        if not left and self.parser is not None:
            self.on_message_complete()

    async def _until_readable(self, pour: Pour) -> None:
        readable = self.loop.create_future()
        self.loop.add_reader(pour.fileno(), _wake, readable)
        try:
            await readable
        finally:
            self.loop.remove_reader(pour.fileno())

    def _rest_of_body(self, data: bytes) -> bytes:
        """After a hand-off that ended early: what is no body any more."""
        body, rest = data[: self._left], data[self._left :]
        self._left -= len(body)
        self.on_body(body)
        if not self._left:
            self.on_message_complete()
        return rest


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _written(write: Write, body: memoryview) -> int:
    write(body)
    return len(body)


async def _wait(_came: int, readable: Callable[[], Awaitable[None]]) -> None:
    await readable()
