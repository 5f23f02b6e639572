"""Connections for signed addresses, of the platform or of its object storage: without a token, they need none."""

import contextlib
import socket
import threading
import weakref
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from api_app.client.transport import http_client


class Lines:
    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._clients: dict[str, httpx.Client] = {}
        self._sockets = weakref.WeakSet[socket.socket]()
        self._lock = threading.Lock()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Iterable[bytes]) -> httpx.Response:
        """One try. Raises httpx.TransportError."""
        url = f"{self._platform}{url}" if url.startswith("/") else url
        traced = {"trace": self._remember}
        return self._client(url).request(method, url, headers=dict(headers), content=iter(body), extensions=traced)

    def cut(self) -> None:
        """Whoever hangs on a slow line wakes up with an error, so that Ctrl-C is answered at once."""
        for one in list(self._sockets):
            # Past TLS, whose farewell would wait for the other side; closed already is as good.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(one, socket.SHUT_RDWR)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, url: str) -> httpx.Client:
        place = urlsplit(url).netloc
        with self._lock:
            if place not in self._clients:
                self._clients[place] = http_client(url)
            return self._clients[place]

    def _remember(self, event: str, told: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._sockets.add(told["return_value"].get_extra_info("socket"))
