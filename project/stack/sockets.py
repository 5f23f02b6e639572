"""What a page may send over a live connection: little, and rarely. Ours send nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

MAX_MESSAGE_BYTES: Final = 64 << 10
MAX_MESSAGES: Final = 100
WINDOW_S: Final = 60.0
TOO_BIG: Final = 1009
TOO_MANY: Final = 1008


class BoundedSocket:
    """Counts again what the server counts already: a server's setting is easily lost."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._since = 0.0
        self._count = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        if (code := self._refused(message)) is None:
            return message
        await self._send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}

    def _refused(self, message: Message) -> int | None:
        text, data = message.get("text"), message.get("bytes")
        if len(data or b"") > MAX_MESSAGE_BYTES or len((text or "").encode()) > MAX_MESSAGE_BYTES:
            return TOO_BIG
        now = time.monotonic()
        if now - self._since > WINDOW_S:
            self._since, self._count = now, 0
        self._count += 1
        return TOO_MANY if self._count > MAX_MESSAGES else None
