"""Something that listens where PostgreSQL should, and says the bytes that it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

SSL_REQUEST: Final = 8
"""Bytes of the first message of a client that asks for TLS."""

type Manner = Callable[[socket.socket], None]


@contextmanager
def listening(manner: Manner) -> Iterator[int]:
    """Its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line, suppress(OSError):
                        manner(line)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def says_nothing(line: socket.socket) -> None:
    while line.recv(4096):
        pass


def is_a_web_server(line: socket.socket) -> None:
    line.recv(4096)
    line.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def has_no_tls(line: socket.socket) -> None:
    line.recv(SSL_REQUEST)
    line.sendall(b"N")
    says_nothing(line)


def tls(context: ssl.SSLContext) -> Manner:
    def manner(line: socket.socket) -> None:
        line.recv(SSL_REQUEST)
        line.sendall(b"S")
        with context.wrap_socket(line, server_side=True) as safe:
            safe.recv(4096)

    return manner


def refuses(code: str, said: str) -> Manner:
    """As the server does before anybody has signed in (protocol 3.0, ErrorResponse)."""

    def manner(line: socket.socket) -> None:
        line.recv(4096)
        fields = f"SFATAL\0VFATAL\0C{code}\0M{said}\0\0".encode()
        line.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)

    return manner
