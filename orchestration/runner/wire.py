"""A small, strict HTTP/1.1 client with a kept connection over a bare socket. For https see secure.py."""

from __future__ import annotations

import os
import time

from .quick import socket
from .urls import DEFAULT_PORT, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from .secure import Secure

    Sink = Callable[[bytes], None]

MAX_HEAD = 64 << 10
MAX_BODY = 64 << 20
MAX_LINE = 8 << 10
BLOCK = 256 << 10
CONNECT_S = 10.0
ANSWER_S = 30.0
NO_BODY = frozenset({204, 304})
OK = 200


class Broken(Exception):
    """No complete answer came. Every call of ours may be repeated, so this means: later."""


class Stale(Broken):
    """The server had closed the kept connection before it saw the request."""


class Answer:
    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body


class FileBody:
    """A file as a request body; it can be read again when the request is repeated."""

    def __init__(self, fd: int, size: int, alive: Callable[[], None]) -> None:
        self.fd = fd
        self.size = size
        self._alive = alive

    def blocks(self) -> Iterator[bytes]:
        offset = 0
        while offset < self.size:
            block = os.pread(self.fd, min(BLOCK, self.size - offset), offset)
            if not block:
                raise Broken("the file became shorter while it was sent")
            offset += len(block)
            self._alive()
            yield block


def connect(url: str) -> Plain | Secure:
    scheme, host, port, _ = split(url)
    if scheme == "https":
        from .secure import Secure  # noqa: PLC0415

        return Secure(host, port)
    return Plain(host, port)


class Plain:
    """One kept connection. `abort` may be called from another thread."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._socket: Any = None
        self._ahead = b""
        self._deadline = 0.0

    def exchange(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | FileBody,
        sink: Sink | None = None,
    ) -> Answer:
        """The answer; the body of a 200 goes to `sink` when there is one."""
        kept = self._socket is not None
        try:
            return self._once(method, target, headers, body, sink)
        except Stale:
            if not kept:
                raise
            return self._once(method, target, headers, body, sink)

    def abort(self) -> None:
        open_socket = self._socket
        if open_socket is not None:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it is gone, which is what was wanted

    def close(self) -> None:
        open_socket, self._socket, self._ahead = self._socket, None, b""
        if open_socket is not None:
            open_socket.close()

    def _once(
        self, method: str, target: str, headers: dict[str, str], body: bytes | FileBody, sink: Sink | None
    ) -> Answer:
        try:
            self._deadline = time.monotonic() + ANSWER_S
            if self._socket is None:
                self._socket = self._connect()
            self._send(method, target, headers, body)
            answer = self._read(method, sink)
        except (OSError, ValueError) as wrong:
            self.close()
            raise Broken(f"{self.host}:{self.port}: {str(wrong) or type(wrong).__name__}") from wrong
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def _connect(self) -> Any:
        wrong: OSError | None = None
        # As bytes: a str would be encoded by the idna codec, which takes 6 ms to import.
        host = self.host.encode("ascii")
        for family, kind, protocol, _, address in socket.getaddrinfo(host, self.port, 0, socket.SOCK_STREAM):
            attempt = socket.socket(family, kind, protocol)
            try:
                attempt.settimeout(CONNECT_S)
                attempt.connect(address)
                attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as failed:
                attempt.close()
                wrong = failed
            else:
                return attempt
        raise wrong or OSError("no address")

    def _send(self, method: str, target: str, headers: dict[str, str], body: bytes | FileBody) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        size = body.size if isinstance(body, FileBody) else len(body)
        # A presigned URL is signed for the host as a browser would send it: without the usual port.
        host += "" if self.port == DEFAULT_PORT["http"] else f":{self.port}"
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
        lines += [f"Content-Length: {size}"] if size or method != "GET" else []
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if head.count(b"\n") != len(lines) + 1:
            raise ValueError("a line break inside a request header")
        try:
            if not isinstance(body, FileBody):
                self._sendall(head + body)
                return
            self._sendall(head)
            for block in body.blocks():
                self._sendall(block)
                self._deadline = time.monotonic() + ANSWER_S
        except (BrokenPipeError, ConnectionResetError):
            return  # the server has stopped listening; perhaps it has said why

    def _sendall(self, data: bytes) -> None:
        self._socket.settimeout(max(0.1, self._deadline - time.monotonic()))
        self._socket.sendall(data)

    def _more(self) -> bytes:
        self._socket.settimeout(max(0.1, self._deadline - time.monotonic()))
        data: bytes = self._socket.recv(BLOCK)
        return data

    def _read(self, method: str, sink: Sink | None) -> Answer:
        status, headers = self._head()
        while status // 100 == 1:
            status, headers = self._head()
        answer = Answer(status, headers)
        kept: list[bytes] = []
        total = 0
        for block in [] if method == "HEAD" or status in NO_BODY else self._body(headers):
            if sink is not None and status == OK:
                sink(block)
                self._deadline = time.monotonic() + ANSWER_S
                continue
            total += len(block)
            if total > MAX_BODY:
                raise ValueError("the answer is too long")
            kept.append(block)
        answer.body = b"".join(kept)
        return answer

    def _head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._ahead:
            try:
                data = self._more()
            except ConnectionResetError as gone:
                self.close()
                raise Stale(str(gone)) from gone
            if not data and not self._ahead:
                self.close()
                raise Stale("the connection was closed before the answer")
            self._ahead += data
            if not data or len(self._ahead) > MAX_HEAD:
                raise ValueError("the head of the answer is broken off or too long")
        head, _, self._ahead = self._ahead.partition(b"\r\n\r\n")
        return parse_head(head.decode("latin-1"))

    def _body(self, headers: dict[str, str]) -> Iterator[bytes]:
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise ValueError("an answer of unclear length")
            return self._chunks()
        if length is None:
            headers["connection"] = "close"
            return self._rest()
        if not (length.isascii() and length.isdigit()):
            raise ValueError("a broken Content-Length")
        return self._exactly(int(length))

    def _rest(self) -> Iterator[bytes]:
        block, self._ahead = self._ahead, b""
        while block:
            yield block
            block = self._more()

    def _exactly(self, left: int) -> Iterator[bytes]:
        while left:
            block = self._ahead or self._more()
            if not block:
                raise ValueError("the answer is broken off")
            self._ahead = block[left:]
            block = block[:left]
            left -= len(block)
            yield block

    def _line(self) -> bytes:
        while b"\r\n" not in self._ahead:
            data = self._more()
            self._ahead += data
            if not data or len(self._ahead) > MAX_LINE + BLOCK:
                raise ValueError("a broken chunk")
        line, _, self._ahead = self._ahead.partition(b"\r\n")
        return line

    def _chunks(self) -> Iterator[bytes]:
        while True:
            digits = self._line().partition(b";")[0].strip()
            if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(digits) > len("ffffffffffff"):
                raise ValueError("a broken chunk size")
            size = int(digits, 16)
            yield from self._exactly(size)
            if not size:
                break
            if self._line():
                raise ValueError("a chunk longer than it said")
        trailers = 0
        while line := self._line():
            trailers += len(line)
            if trailers > MAX_HEAD:
                raise ValueError("trailers without end")


def parse_head(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not (code.isascii() and code.isdigit() and len(code) == len("200")):
        raise ValueError("not an HTTP answer")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        value = value.strip(" \t")
        if not colon or not name or name.strip() != name:
            raise ValueError("a broken header")
        if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
            raise ValueError("two lengths for one answer")
        headers[name] = value
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return int(code), headers
