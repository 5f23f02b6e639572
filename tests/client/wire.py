"""A wire between a client and a platform: counts what goes up, holds it, damages it, and is plugged in elsewhere."""

import contextlib
import socket
import threading
from typing import Self

PIECE = 1 << 16


class Wire:
    def __init__(self, port: int) -> None:
        self.port_behind = port
        self.sent = 0
        """Bytes from the client, in all."""
        self.hold_at: int | None = None
        self.flip_at: int | None = None
        self.was_flipped = False
        self.is_held = threading.Event()
        self._goes_on = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        for one in self._sockets:
            self._end(one)
        for thread in self._threads:
            thread.join(10)
        for one in self._sockets:
            one.close()

    def let_go(self) -> None:
        """What was held goes on, now and later."""
        self.hold_at = None
        self._goes_on.set()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                try:
                    platform = socket.create_connection(("127.0.0.1", self.port_behind), timeout=10)
                except OSError:
                    self._end(client)
                    continue
                platform.settimeout(None)
                self._sockets.append(platform)
                self._start(self._up, client, platform)
                self._start(self._down, platform, client)

    def _up(self, client: socket.socket, platform: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(PIECE):
                platform.sendall(self._passed(piece))
        self._end(platform)

    def _down(self, platform: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := platform.recv(PIECE):
                client.sendall(piece)
        self._end(client)

    def _passed(self, piece: bytes) -> bytes:
        with self._lock:
            self.sent += len(piece)
            sent, is_held = self.sent, self.hold_at is not None and self.sent >= self.hold_at
            if self.flip_at is not None and sent > self.flip_at:
                self.flip_at, self.was_flipped = None, True
                piece = piece[:-1] + bytes([piece[-1] ^ 1])
        if is_held:
            self.is_held.set()
            self._goes_on.wait(60)
        return piece

    @staticmethod
    def _end(one: socket.socket) -> None:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
