"""Connections for signed addresses, of the platform or of its object storage: without a token, they need none."""

import threading
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import httpx

from api_app.client.sockets import Sockets
from api_app.client.trying import for_httpx


class Lines:
    def __init__(self, platform: str) -> None:
        self._platform = platform
        self._clients: dict[str, httpx.Client] = {}
        self._sockets = Sockets()
        self._lock = threading.Lock()

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Iterable[bytes]) -> httpx.Response:
        """One try. Raises httpx.TransportError."""
        url = f"{self._platform}{url}" if url.startswith("/") else url
        return self._client(url).request(
            method, url, headers=dict(headers), content=iter(body), extensions=self._sockets.traced
        )

    def cut(self) -> None:
        self._sockets.cut()

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _client(self, url: str) -> httpx.Client:
        place = urlsplit(url).netloc
        with self._lock:
            if place not in self._clients:
                self._clients[place] = httpx.Client(**for_httpx(url))
            return self._clients[place]
