"""The client of every server that is measured: blocking sockets and sendfile, in a process of its own.

One JSON object on stdin: `port`, `file`, `lanes`: for each connection its requests, one after the other. A request is
`{head, offset, length}`, the head without its end; a `then` is sent after the answer, with {location} filled in. One
with `pieces` has a body of several: for each `[line, offset, length]` the line and the bytes of the file.
Says `ready` on stdout, and in the end `{seconds, failed}`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BAD = 400


class Lane(threading.Thread):
    def __init__(self, port: int, fd: int, requests: list[dict[str, Any]]) -> None:
        super().__init__()
        self._fd, self._requests = fd, requests
        self._line = socket.create_connection(("127.0.0.1", port))
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self.failed = 0

    def run(self) -> None:
        for request in self._requests:
            head = self._exchange(request, "")
            if "then" in request:
                self._exchange(request["then"], urlsplit(_field(head, "location")).path)
        self._line.close()

    def _exchange(self, request: dict[str, Any], location: str) -> str:
        head = request["head"].replace("{location}", location) + "\r\n"
        if "pieces" in request:
            self._send(head, 0, 0)
            for piece in request["pieces"]:
                self._send(*piece)
        else:
            self._send(head, request["offset"], request["length"])
        answer = self._answer()
        self.failed += int(answer.split(" ", 2)[1]) >= BAD
        return answer

    def _send(self, text: str, offset: int, left: int) -> None:
        self._line.sendall(text.encode(), socket.MSG_MORE if left else 0)
        while left:
            sent = os.sendfile(self._line.fileno(), self._fd, offset, left)
            offset, left = offset + sent, left - sent

    def _answer(self) -> str:
        head = self._until(b"\r\n\r\n").decode("latin-1")
        if "chunked" in _field(head, "transfer-encoding"):
            self._until(b"0\r\n\r\n")
        length = int(_field(head, "content-length") or 0)
        while len(self._rest) < length:
            self._read()
        self._rest = self._rest[length:]
        return head

    def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            self._read()
        found, _, self._rest = self._rest.partition(end)
        return found

    def _read(self) -> None:
        more = self._line.recv(65_536)
        if not more:
            raise ConnectionError("the server closed the connection")
        self._rest += more


def _field(head: str, name: str) -> str:
    for line in head.split("\r\n")[1:]:
        field, _, value = line.partition(":")
        if field.lower() == name:
            return value.strip()
    return ""


def main() -> None:
    print("ready", flush=True)
    job = json.load(sys.stdin)
    fd = os.open(Path(job["file"]), os.O_RDONLY)
    lanes = [Lane(job["port"], fd, requests) for requests in job["lanes"]]
    begin = time.perf_counter()
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    json.dump({"seconds": time.perf_counter() - begin, "failed": sum(lane.failed for lane in lanes)}, sys.stdout)


if __name__ == "__main__":
    main()
