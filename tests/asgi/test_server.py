"""The real process: what only sockets show."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from orchestration.models import File
from orchestration.services.jobs import cancel
from tests.api.door import token_of
from tests.asgi.server import Server, cookie_of, serving

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from orchestration.models import Job, User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
HEAD_S = 1.5


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(prelude=f"from project.receive import heads\nheads.HEAD_S = {HEAD_S}") as server:
        yield server


def closed_after(line: socket.socket) -> float:
    begin = time.monotonic()
    line.settimeout(20)
    with contextlib.suppress(ConnectionError):
        while line.recv(65_536):
            pass
    return time.monotonic() - begin


# Heads


def test_connection_that_never_ends_its_head_is_closed(server: Server) -> None:
    lines = [server.connect() for _ in range(30)]
    for line in lines[10:]:
        line.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
    assert closed_after(lines[0]) < HEAD_S + 2, "said nothing"
    assert closed_after(lines[-1]) < HEAD_S + 2, "said half"
    for line in lines:
        line.close()


def test_connection_is_kept_between_requests_and_a_later_head_has_its_time_too(server: Server) -> None:
    with server.connect() as line:
        for _ in range(2):
            line.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            heard = b""
            while not heard.endswith(b'{"status": "ok"}'):
                heard += line.recv(65_536)
            assert heard.startswith(b"HTTP/1.1 200")
            time.sleep(HEAD_S + 0.3)
        line.sendall(b"GET /health/live HTTP/1.1\r\n")
        assert closed_after(line) < HEAD_S + 2


def test_head_without_end_is_refused(server: Server) -> None:
    heard = server.say(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: " + b"a" * 400_000)
    assert heard.startswith(b"HTTP/1.1 431")
    assert heard.count(b"HTTP/1.1") == 1


def test_body_that_comes_with_its_head_in_one_piece_is_no_head(server: Server) -> None:
    """As runners report many outputs: one connection, one write, far more body than a head may have."""
    head = (
        b"POST /api/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: 200000\r\n\r\n"
    )
    with server.connect() as line:
        for _ in range(2):
            line.sendall(head + b"x" * 200_000)
            answer = http.client.HTTPResponse(line, method="POST")
            answer.begin()
            assert answer.status == HTTPStatus.UNAUTHORIZED
            assert json.loads(answer.read())["code"] == "not_authenticated"
            if answer.will_close:
                break


SMUGGLED = [
    (
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    ),
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\r\n folded\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\nX-A: b\n\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0x5\r\n\r\nabcde",
]


@pytest.mark.parametrize("data", SMUGGLED, ids=range(len(SMUGGLED)))
def test_request_that_two_servers_could_read_differently_is_refused(server: Server, data: bytes) -> None:
    heard = server.say(data)
    assert heard.startswith(b"HTTP/1.1 400"), heard[:200]
    assert heard.count(b"HTTP/1.1 ") == 1


def test_absolute_address_builds_no_link_elsewhere(server: Server) -> None:
    heard = server.say(b"GET http://evil.example/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 30"), heard[:200]
    assert b"evil.example" not in heard


# Bodies


def test_refusal_is_read_by_a_client_that_is_still_sending(server: Server) -> None:
    heard = server.say(
        b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12000000\r\n\r\n" + b"x" * 4_000_000
    )
    assert heard.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in heard


def test_upload_and_download_hold_little_memory(server: Server, user: User) -> None:
    token, size = token_of(user), 300 << 20
    headers = {"Authorization": f"Bearer {token}", "Content-Length": str(size)}
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], server.memory_mib())

    def body() -> Iterator[bytes]:
        for _ in range(size >> 20):
            yield b"x" * (1 << 20)

    server.get("/api/v1/me", token)
    before = server.memory_mib()
    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.monotonic()
    sent = httpx.post(
        f"{server.url}/api/v1/uploads?name=big", headers=headers, content=body(), timeout=60, trust_env=False
    )
    took = time.monotonic() - begin
    received = 0
    path = f"{server.url}/api/v1/files/{sent.json()['file']['id']}/content"
    with httpx.stream("GET", path, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
    done.set()
    watcher.join()
    assert sent.status_code == 201, sent.text
    assert received == size
    print(f"rest {before:.0f} MiB, peak {peak[0]:.0f} MiB, upload {300 / took:.0f} MiB/s")
    assert peak[0] - before < 50
    assert before < 200


def test_client_that_vanishes_leaves_nothing(server: Server, user: User) -> None:
    token = token_of(user)
    head = f"POST /api/v1/uploads?name=a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
    for sent in (0, 1, 1 << 20, 3 << 20):
        with server.connect() as line:
            line.sendall(head.encode() + b"Content-Length: 9000000\r\n\r\n" + b"x" * sent)
            time.sleep(0.1)
    deadline = time.monotonic() + 5
    parts = server.log.parent / "storage/uploads/incoming"
    while list(parts.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not list(parts.glob("*.part"))
    assert not File.objects.exists()


# Live


def test_event_reaches_a_watcher_soon_and_the_stream_ends_with_the_job(server: Server, user: User, job: Job) -> None:
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {token_of(user)}"}
    path = f"{server.url}/api/v1/jobs/{job.pk}/events"
    heard: list[tuple[float, str]] = []
    with httpx.stream("GET", path, headers=headers, timeout=20, trust_env=False) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        for line in lines:
            if line.startswith(": connected"):
                break
        cancel(user=user, job=job)
        begin = time.monotonic()
        heard = [(time.monotonic() - begin, line) for line in lines if line]
    kinds = [line for _, line in heard if line.startswith("event: ")]
    assert kinds[-1] == "event: end", heard
    assert any('"new":"CANCELED"' in line for _, line in heard)
    assert heard[-1][0] < 3
    print(f"first event {heard[0][0] * 1000:.0f} ms, end {heard[-1][0] * 1000:.0f} ms after the commit")


def test_program_hears_of_a_change_over_a_socket_of_the_api(server: Server, user: User, job: Job) -> None:
    address = f"ws://127.0.0.1:{server.port}/api/v1/jobs/{job.pk}/events"
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(address, additional_headers={"Cookie": cookie_of(user, server)}),
    ):
        pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"")["code"] == "not_authenticated"
    with connect(address, additional_headers={"Authorization": f"Bearer {token_of(user)}"}) as socket:
        cancel(user=user, job=job)
        heard = [json.loads(text) for text in socket]
    assert heard[-1] == {"id": None, "event": "end", "data": {"state": "CANCELED"}}
    assert "CANCELED" in [message["data"]["new"] for message in heard if message["event"] == "job"]
    assert socket.close_code == 1000


def test_page_hears_of_a_change_over_its_socket(server: Server, user: User, job: Job) -> None:
    address = f"ws://127.0.0.1:{server.port}/ws/jobs/{job.pk}"
    headers = {"Cookie": cookie_of(user, server)}
    with connect(address, origin=Origin(f"http://127.0.0.1:{server.port}"), additional_headers=headers) as page:
        assert page.response is not None
        assert page.response.headers["X-Request-Id"]
        assert "Sec-WebSocket-Extensions" not in page.response.headers, "permessage-deflate is off"
        cancel(user=user, job=job)
        while "Canceled" not in json.loads(page.recv(timeout=30))["html"]:
            pass
        page.send("x" * 70_000)
        with pytest.raises(ConnectionClosed):  # noqa: PT012  what was on its way before is read first
            while page.recv(timeout=5):
                pass
        assert page.close_code == 1009


def test_stranger_and_other_origin_get_no_socket(server: Server, user: User, job: Job) -> None:
    address, mine = f"ws://127.0.0.1:{server.port}/ws/jobs/{job.pk}", f"http://127.0.0.1:{server.port}"
    for origin, cookie in (
        (mine, ""),
        ("http://evil.example", cookie_of(user, server)),
        (None, cookie_of(user, server)),
    ):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(address, origin=Origin(origin) if origin else None, additional_headers={"Cookie": cookie}),
        ):
            pass
        assert refused.value.response.status_code == 403
        assert refused.value.response.headers["X-Request-Id"]


def test_no_token_is_in_the_log(server: Server, user: User) -> None:
    token = token_of(user)
    server.get(f"/api/v1/me?token={token}", token)
    server.get(f"/nowhere?token={token}")
    with contextlib.suppress(InvalidStatus), connect(f"ws://127.0.0.1:{server.port}/ws/jobs/x?token={token}"):
        pass
    cookie = {"Cookie": cookie_of(user, server)}
    address = f"ws://127.0.0.1:{server.port}/ws/workspaces/{user.memberships.get().workspace.slug}?token={token}"
    with connect(address, origin=Origin(server.url), additional_headers=cookie):
        pass
    time.sleep(0.2)
    assert token not in server.log.read_text()
    assert [e for e in server.events() if e["event"] == "request"]
