"""The sockets under httpx's connections, so that whoever waits for one can be woken up from another thread."""

import contextlib
import socket
import threading
import weakref
from collections.abc import Mapping
from typing import Any


class Sockets:
    def __init__(self) -> None:
        self._known = weakref.WeakSet[socket.socket]()
        self._lock = threading.Lock()
        self._is_cut = False

    @property
    def traced(self) -> dict[str, Any]:
        """A request's `extensions`."""
        return {"trace": self._remember}

    def cut(self) -> None:
        """Whoever hangs on a slow line wakes up with an error, so that a stop is answered at once."""
        with self._lock:
            self._is_cut = True
            known = list(self._known)
        for one in known:
            _shut(one)

    def _remember(self, event: str, told: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            one = told["return_value"].get_extra_info("socket")
            with self._lock:
                self._known.add(one)
                is_late = self._is_cut
            if is_late:
                _shut(one)


def _shut(one: socket.socket) -> None:
    # Past TLS, whose farewell would wait for the other side; closed already is as good.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)
