"""SIGTERM loses no request: those under way, those on kept connections, those that nobody has taken yet."""

from __future__ import annotations

import http.client
import json
import signal
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.api.door import token_of
from tests.asgi.server import cookie_of, serving

if TYPE_CHECKING:
    import socket

    from websockets.sync.client import ClientConnection

    from orchestration.models import Job, User
    from tests.asgi.server import Server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
ASK = b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"


def ask(line: http.client.HTTPConnection, path: str) -> http.client.HTTPResponse:
    line.request("GET", path)
    answer = line.getresponse()
    answer.read()
    return answer


def line_to(server: Server) -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    assert ask(line, "/health/live").status == 200
    return line


def until_draining(server: Server) -> None:
    deadline = time.monotonic() + 10
    while server.get("/health/ready").status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_while_draining_it_is_not_ready_and_answers_all_the_same() -> None:
    with serving(ESTEIRA_DRAIN_S="2") as server, ExitStack() as stack:
        kept = stack.enter_context(closing(line_to(server)))
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        until_draining(server)
        ready, live = server.get("/health/ready"), ask(kept, "/health/live")
        assert (ready.status_code, ready.json()) == (503, {"status": "draining"})
        assert (live.status, live.getheader("connection")) == (200, "close")
        assert server.get("/health/live").headers["connection"] == "close"
        server.process.wait(timeout=20)
        assert 2 <= time.monotonic() - began < 10


def test_connections_that_nobody_has_taken_are_answered() -> None:
    with serving() as server:
        server.process.send_signal(signal.SIGSTOP)
        lines = [server.connect() for _ in range(30)]
        for line in lines:
            line.sendall(ASK)
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        answers = [read_all(line) for line in lines]
        server.process.wait(timeout=20)
    assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 30
    assert all(b"connection: close" in answer for answer in answers)


def read_all(line: socket.socket) -> bytes:
    heard = b""
    with line:
        while more := line.recv(65_536):
            heard += more
    return heard


def test_head_that_has_begun_to_arrive_is_awaited() -> None:
    with serving() as server, server.connect() as line:
        line.sendall(ASK[:20])
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        line.sendall(ASK[20:])
        assert read_all(line).startswith(b"HTTP/1.1 200 OK")


def test_body_that_is_under_way_arrives(user: User) -> None:
    with serving() as server, server.connect() as line:
        head = (
            f"POST /api/v1/uploads?name=a.txt HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token_of(user)}\r\n"
        )
        line.sendall(f"{head}content-length: 10\r\n\r\n12345".encode())
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(1)
        line.sendall(b"67890")
        answer = read_all(line)
        assert answer.startswith(b"HTTP/1.1 201"), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["file"]["size"] == 10
        server.process.wait(timeout=20)


def test_idle_connections_do_not_hold_it_up_and_watchers_are_sent_elsewhere(user: User, job: Job) -> None:
    with serving(ESTEIRA_GRACE_S="45") as server:
        base, origin = f"ws://127.0.0.1:{server.port}", Origin(f"http://127.0.0.1:{server.port}")
        cookie, token = {"Cookie": cookie_of(user, server)}, {"Authorization": f"Bearer {token_of(user)}"}
        with (
            server.connect(),
            connect(f"{base}/ws/jobs/{job.pk}", origin=origin, additional_headers=cookie) as page,
            connect(f"{base}/api/v1/jobs/{job.pk}/events", additional_headers=token) as program,
            closing(line_to(server)),
        ):
            assert server.stop() < 5
            assert [closed(page), closed(program)] == [1012, 1012]


def closed(socket: ClientConnection) -> int:
    """The code that it was closed with."""
    try:
        while True:
            socket.recv(timeout=10)
    except ConnectionClosed as exc:
        return exc.rcvd.code if exc.rcvd else 0
