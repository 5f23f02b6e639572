"""What a connection must do in time: say the head of a request, and take the answer (SEC-010)."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from project.stack.draining import is_draining

if TYPE_CHECKING:
    from asyncio import TimerHandle, Transport

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

HEAD_S: Final = 15.0
HEAD_BYTES: Final = 128 << 10
NO_LINGER: Final = struct.pack("ii", 1, 0)
TAKE_S: Final = 30.0
TAKE_BYTES: Final = 30 << 10
"""Of an answer that waits: who takes less than this in TAKE_S, 1 KiB a second, keeps a connection and reads nothing."""


class BoundedHttp(HttpToolsProtocol):
    """uvicorn waits for a head without end and for ever, and for a reader that never reads; this one does not."""

    _head_bytes = 0
    _head_timer: TimerHandle | None = None
    _in_head = True
    _was_only_head = True
    _take_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        self._taken()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        self._taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        if self._in_head and self._head_timer is None:
            self._await_head()
        self._was_only_head = self._in_head
        super().data_received(data)
        # One read may bring the end of a head and much of its body: only bytes that were nothing but head count.
        if self._in_head and self._was_only_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._refuse_head()

    def on_headers_complete(self) -> None:
        self._was_only_head = False
        self._head_done()
        super().on_headers_complete()
        if is_draining():
            self.last_answer()

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes, self._was_only_head = True, 0, False
        super().on_message_complete()

    def last_answer(self) -> None:
        """What is under way says `Connection: close`: the caller's next request goes to another process."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Uvicorn would close a connection on which the next request has begun to arrive, and lose it."""
        if not self._is_asked():
            super().shutdown()

    def _is_asked(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        is_idle = cycle is None or cycle.response_complete
        return is_idle and not self.transport.is_closing() and (self._head_bytes > 0 or self._has_more())

    def _has_more(self) -> bool:
        # The transport's own stand-in for the socket cannot look.
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as line:
            try:
                return bool(line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
            except OSError:
                return False

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_S, self._head_is_late)

    def _head_done(self) -> None:
        self._in_head = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _await_reader(self) -> None:
        self._take_timer = self.loop.call_later(TAKE_S, self._look_at_reader, self.transport.get_write_buffer_size())

    def _taken(self) -> None:
        if self._take_timer is not None:
            self._take_timer.cancel()
            self._take_timer = None

    def _look_at_reader(self, waited: int) -> None:
        # Nothing is added while the app waits to write, so what is missing was taken.
        if waited - self.transport.get_write_buffer_size() >= TAKE_BYTES:
            self._await_reader()
        else:
            self._take_timer = None
            # Else the kernel would keep what it has of the answer, and go on offering it.
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            self.transport.abort()

    def _refuse_head(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
            self.transport.close()
