"""Parts of uploads over a raw connection: a client that decides about every byte and when it is sent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from orchestration import crc64

if TYPE_CHECKING:
    import socket

    from tests.asgi.server import Server

HINT = 5 << 20
PATIENCE_S = 60


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


@dataclass
class Sender:
    """Somebody with a token, who uploads to a real server."""

    server: Server
    token: str

    def call(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        url = f"{self.server.url}/api/v1{path}"
        answer = httpx.request(method, url, headers=headers, timeout=PATIENCE_S, trust_env=False, **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def begin(self, data: bytes, **fields: Any) -> Any:
        asked = {"name": "a.bin", "size": len(data), "part_size_hint": HINT} | fields
        return self.call("POST", "/uploads", 201, json=asked)

    def sign(self, upload: Any, number: int, data: bytes) -> str:
        """The head of the PUT, without the empty line that ends it."""
        asked = {"parts": [{"number": number, "crc64nvme": crc(data)}]}
        return head_of(self.call("POST", f"/uploads/{upload['id']}/parts", json=asked)["parts"][0])

    def small(self, count: int, data: bytes) -> list[str]:
        """Heads that send `data` as the whole of a file each."""
        wanted = [{"name": f"{n}.bin", "size": len(data), "crc64nvme": crc(data)} for n in range(count)]
        made = self.call("POST", "/uploads:batch", json={"uploads": wanted})["results"]
        return [head_of(result["upload"]["put"]) for result in made]

    def part(self, data: bytes) -> tuple[Any, str]:
        """An upload whose first part is `data`, of two; and the head that sends it."""
        assert len(data) == HINT
        upload = self.begin(data + b"!")
        return upload, self.sign(upload, 1, data)

    def received(self, upload: Any) -> str:
        found: str = self.call("GET", f"/uploads/{upload['id']}")["received"]
        return found

    def complete(self, upload: Any) -> Any:
        """With the one byte that `part` left."""
        assert put(self.server, self.sign(upload, 2, b"!"), b"!")[0] == 200
        return self.call("POST", f"/uploads/{upload['id']}/complete")["file"]


def head_of(signed: Any) -> str:
    fields = "".join(f"{name}: {value}\r\n" for name, value in signed["headers"].items())
    return f"PUT {signed['url']} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}"


def put(server: Server, head: str, body: bytes) -> tuple[int, Any]:
    with server.connect() as line:
        line.sendall(head.encode() + b"\r\n" + body)
        return heard(line)


def heard(line: socket.socket) -> tuple[int, Any]:
    """The next answer: its status and what its JSON says. Not a byte of the one after it, which may be there too."""
    line.settimeout(PATIENCE_S)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += _exactly(line, 1)
    if head.startswith(b"HTTP/1.1 100 "):
        return heard(line)
    length = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
    body = _exactly(line, int(length[1]) if length else 0)
    return int(head.split(maxsplit=2)[1]), json.loads(body) if body else None


def _exactly(line: socket.socket, size: int) -> bytes:
    read = b""
    while len(read) < size:
        if not (piece := line.recv(size - len(read))):
            raise ConnectionError("the server has gone")
        read += piece
    return read
