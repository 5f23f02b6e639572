"""A relay in front of the web process that keeps every byte each way: what is not in here, it did not see."""

from __future__ import annotations

import contextlib
import socket
import threading

BLOCK = 1 << 16


class Relay:
    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.seen_in, self.seen_out = bytearray(), bytearray()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()
        with self._lock:
            for open_socket in self._open:
                with contextlib.suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    client.close()
                    continue
                with self._lock:
                    self._open |= {client, server}
                threading.Thread(target=self._pour, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pour, args=(server, client, False), daemon=True).start()

    def _pour(self, source: socket.socket, target: socket.socket, inwards: bool) -> None:  # noqa: FBT001  of this class
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                with self._lock:
                    (self.seen_in if inwards else self.seen_out).extend(block)
                target.sendall(block)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
