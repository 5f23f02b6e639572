"""The client of wire.py over TLS. Slow to import; only for object storage and a platform elsewhere."""

from __future__ import annotations

import http.client
import ssl

from .quick import socket
from .wire import ANSWER_S, BLOCK, MAX_BODY, OK, Answer, Broken, FileBody

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .wire import Sink


class Secure:
    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self._connection = http.client.HTTPSConnection(
            host, port, timeout=ANSWER_S, context=ssl.create_default_context()
        )

    def exchange(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | FileBody,
        sink: Sink | None = None,
    ) -> Answer:
        size = body.size if isinstance(body, FileBody) else len(body)
        blocks = body.blocks() if isinstance(body, FileBody) else body
        try:
            self._connection.request(method, target, blocks, {"Content-Length": str(size), **headers})
            response = self._connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, names)
            answer.body = _drain(response, sink if response.status == OK else None)
        except (OSError, http.client.HTTPException, ValueError) as wrong:
            self.close()
            raise Broken(f"{self.host}: {str(wrong) or type(wrong).__name__}") from wrong
        return answer

    def abort(self) -> None:
        open_socket = self._connection.sock
        if open_socket is not None:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return

    def close(self) -> None:
        self._connection.close()


def _drain(response: http.client.HTTPResponse, sink: Sink | None) -> bytes:
    if sink is None:
        body = response.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise ValueError("the answer is too long")
        return body
    while block := response.read(BLOCK):
        sink(block)
    return b""
