"""A wire between two processes that a test can clog: frozen, so that nothing passes, or cut, so that nothing stands."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

BLOCK: Final = 1 << 16


class Link:
    """Listens on a port of its own and hands on to `target`: a port of this machine, or the path of a socket."""

    def __init__(self, target: int | str) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._knocks: list[socket.socket] = []
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._is_cut = False
        self.withheld = 0
        """Blocks that had to wait and connections that were broken or refused: 0 means that nobody felt it."""

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()
        self._flows.set()
        self._break_all()

    def freeze(self) -> None:
        """As a network that loses every packet: nobody is told anything."""
        self._flows.clear()

    def cut(self) -> None:
        """Every connection ends, and so does each new one."""
        self._is_cut = True
        self._flows.set()
        self._break_all()

    def restore(self, *, broken: bool = False) -> None:
        """What was held goes on; `broken`: what was open before ends instead, as by a firewall that forgot it."""
        if broken:
            self._break_all()
        self._is_cut = False
        self._flows.set()

    def block(self) -> None:
        """As a firewall that drops packets: what is open stands still, and who knocks hears nothing."""
        self.freeze()
        self._listen_anew(backlog=0)
        # Its queue is full: the kernel drops what else comes.
        for _ in range(3):
            knock = socket.socket()
            knock.setblocking(False)
            knock.connect_ex(self._listener.getsockname())
            self._knocks.append(knock)

    def unblock(self) -> None:
        for knock in self._knocks:
            knock.close()
        self._knocks.clear()
        self._listen_anew()
        self.start()
        self.restore(broken=True)

    def _listen_anew(self, *, backlog: int | None = None) -> None:
        here = self._listener.getsockname()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # closed alone, it would go on for whoever waits in it
        self._listener.close()
        self._listener = socket.create_server(here, backlog=backlog)

    def passing(self, block: bytes, *, inwards: bool) -> None:
        """Told of all that passes."""

    def _break_all(self) -> None:
        with self._lock:
            self.withheld += len(self._open)
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self._is_cut:
                    self.withheld += 1
                    client.close()
                    continue
                try:
                    server = self._reach()
                except OSError:
                    client.close()
                    continue
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        both = {client, server}
        with self._lock:
            self._open |= both
        back = threading.Thread(target=self._pour, args=(server, client, False), daemon=True)
        back.start()
        self._pour(client, server, True)
        back.join()
        with self._lock:
            self._open -= both
        for one in both:
            one.close()

    def _reach(self) -> socket.socket:
        if isinstance(self._target, int):
            return socket.create_connection(("127.0.0.1", self._target))
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        return server

    def _pour(self, source: socket.socket, target: socket.socket, inwards: bool) -> None:  # noqa: FBT001  of this class
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                self._hold()
                self.passing(block, inwards=inwards)
                target.sendall(block)
        self._hold()
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def _hold(self) -> None:
        if not self._flows.is_set():
            self.withheld += 1
            self._flows.wait()
