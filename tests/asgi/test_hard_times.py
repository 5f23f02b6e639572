"""Clients by hundreds that crawl, and a full folder for temporary files: everybody else is served (F14, F30)."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import resource
import select
import shutil
import socket
import subprocess
import time
from itertools import batched
from typing import TYPE_CHECKING, Final

import pytest

from orchestration.models import File, Upload
from orchestration.storage.local import LocalStorage
from orchestration.storage.registry import get_storage
from tests.api.door import token_of
from tests.asgi.multipart_corpus import B, ended, part
from tests.asgi.server import Server, serving
from tests.factories import make_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from orchestration.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SLOW: Final = 400
PATIENCE_S: Final = 4.0
GROWTH_MIB: Final = 100
MIB: Final = 1 << 20


def crawling(server: Server, token: str) -> socket.socket:
    """An upload of 1 MiB that sends ten bytes and then nothing more."""
    line = server.connect()
    line.sendall(
        b"POST /api/v1/uploads?name=slow HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer " + token.encode() + b"\r\nContent-Length: 1048576\r\n\r\n0123456789"
    )
    return line


def last_words(line: socket.socket) -> bytes:
    heard = b""
    line.settimeout(60)
    with contextlib.suppress(ConnectionError):
        while more := line.recv(4096):
            heard += more
    return heard


def test_hundreds_of_uploads_that_crawl_end_and_hold_up_nobody(user: User) -> None:
    token = token_of(user)
    with serving(prelude=f"from project.stack import limits; limits.IDLE_S = {PATIENCE_S}") as server:
        assert server.get("/api/v1/me", token).status_code == 200
        before = server.memory_mib()
        lines = [crawling(server, token) for _ in range(SLOW)]
        try:
            for _ in range(30):
                assert server.get("/api/v1/files", token).status_code == 200
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as quick:
                quick.request("POST", "/api/v1/uploads?name=quick", b"x" * MIB, {"Authorization": f"Bearer {token}"})
                assert quick.getresponse().status == 201
            assert server.memory_mib() - before < GROWTH_MIB
            ends = [last_words(line) for line in lines]
        finally:
            for line in lines:
                line.close()
        # Some may hear at once that too many came together; nobody is left hanging.
        assert {end[:12] for end in ends} <= {b"HTTP/1.1 408", b"HTTP/1.1 503"}
        assert [file.name for file in File.objects.all()] == ["quick"]
        assert Upload.objects.count() == 1
        incoming = server.log.parent / "storage" / "uploads" / "incoming"
        assert not list(incoming.iterdir())
        assert server.get("/api/v1/files", token).status_code == 200


def connected(server: Server, said: str) -> socket.socket:
    """One that keeps next to nothing of an answer that nobody reads."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    line.connect(("127.0.0.1", server.port))
    line.sendall(said.replace("\n", "\r\n").encode())
    return line


def is_closed(line: socket.socket) -> bool:
    """By the server, while we still have not read what it sent."""
    watch = select.poll()
    watch.register(line, select.POLLRDHUP | select.POLLHUP | select.POLLERR)
    return bool(watch.poll(0))


def has_answer(line: socket.socket) -> bool:
    watch = select.poll()
    watch.register(line, select.POLLIN)
    return bool(watch.poll(120_000))


SLOW_CLIENTS: Final = f"""
import resource
from project.receive import heads
from project.stack import limits
heads.HEAD_S = heads.TAKE_S = limits.IDLE_S = {PATIENCE_S}
resource.setrlimit(resource.RLIMIT_NOFILE, (512, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
"""


@pytest.fixture
def many_files() -> Iterator[None]:
    """The usual 1,024 of a process are fewer than the lines that the test holds."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4_096, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("many_files")
def test_fifteen_hundred_slow_clients_of_three_kinds_are_let_go_and_hold_up_nobody(user: User) -> None:
    """Heads that never end, bodies that never come, downloads that nobody reads (F30)."""
    token = token_of(user)
    each = 500
    with serving(prelude=SLOW_CLIENTS) as server:
        file = make_file(user.memberships.get().workspace, user, "large", bytes(16 * MIB))
        stored(server, file)
        host = f"HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {token}\n"
        kinds = (
            f"GET /api/v1/me {host}X-A: ",
            f"POST /api/v1/uploads?name=slow {host}Content-Length: 1048576\n\n0123456789",
            f"GET /api/v1/files/{file.pk}/content {host}\n",
        )
        assert server.get("/api/v1/me", token).status_code == 200
        before = server.memory_mib()
        lines = [connected(server, kind) for kind in kinds for _ in range(each)]
        try:
            readers = lines[2 * each :]
            assert all(has_answer(line) for line in readers)
            for _ in range(30):
                assert server.get("/api/v1/files", token).status_code == 200
            assert server.memory_mib() - before < each
            until = time.monotonic() + 30
            while not all(map(is_closed, lines)) and time.monotonic() < until:
                time.sleep(0.2)
            left = [sum(not is_closed(line) for line in some) for some in batched(lines, each, strict=True)]
        finally:
            for line in lines:
                line.close()
        assert left == [0, 0, 0], "heads, bodies, readers"
        assert server.get("/api/v1/files", token).status_code == 200


def test_reader_that_takes_a_little_all_the_time_gets_all_of_it(user: User) -> None:
    token = token_of(user)
    with serving(prelude="from project.receive import heads\nheads.TAKE_S = 0.5") as server:
        file = make_file(user.memberships.get().workspace, user, "large", bytes(MIB))
        stored(server, file)
        host = f"HTTP/1.1\nHost: 127.0.0.1\nConnection: close\nAuthorization: Bearer {token}\n"
        line = connected(server, f"GET /api/v1/files/{file.pk}/content {host}\n")
        taken = 0
        with line:
            while more := line.recv(64 << 10):
                taken += len(more)
                time.sleep(0.005)
        assert taken > MIB


@pytest.mark.parametrize("what", ["file", "archive"])
def test_download_whose_client_has_left_is_not_read_to_its_end(user: User, what: str) -> None:
    token = token_of(user)
    with serving() as server:
        file = make_file(user.memberships.get().workspace, user, "large", bytes(MIB))
        size = 64 << 30
        os.truncate(stored(server, file), size)
        File.objects.filter(pk=file.pk).update(size=size)
        path = f"/api/v1/files/{file.pk}/content"
        body = json.dumps({"ids": [str(file.pk)]}) if what == "archive" else ""
        path = "/api/v1/files:zip" if body else path
        asked = f"{'POST' if body else 'GET'} {path} HTTP/1.1\nHost: 127.0.0.1\nAuthorization: Bearer {token}\n"
        asked += f"Content-Type: application/json\nContent-Length: {len(body)}\n\n{body}"
        with connected(server, asked) as line:
            assert line.recv(100).startswith(b"HTTP/1.1 200")
        until = time.monotonic() + 20
        while not (ends := [e for e in server.events() if e.get("path") == path]) and time.monotonic() < until:
            time.sleep(0.1)
        assert ends, "it is read for nobody"
        assert ends[0]["bytes"] < 64 * MIB


def stored(server: Server, file: File) -> Path:
    """The bytes where this server looks for them."""
    source = get_storage("uploads")
    assert isinstance(source, LocalStorage)
    place = server.log.parent / "storage" / "uploads" / file.key
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.path(file.key), place)
    place.chmod(0o600)
    return place


@pytest.fixture
def small_tmp(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "tmp"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system here")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_full_folder_for_temporary_files_is_said_and_hurts_nothing_else(user: User, small_tmp: Path) -> None:
    token = token_of(user)
    with serving(TMPDIR=str(small_tmp)) as server:
        form = ended(part("a", b"x" * (8 * MIB), file="a"))
        kind = {"Content-Type": f"multipart/form-data; boundary={B}"}
        for _ in range(3):
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as line:
                line.request("POST", "/login/", form, kind)
                answer = line.getresponse()
                assert answer.status == 507, answer.read()
                assert b"no room" in answer.read()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)) as line:
            line.request("POST", "/api/v1/uploads?name=a", b"x" * (8 * MIB), {"Authorization": f"Bearer {token}"})
            assert line.getresponse().status == 201, "an upload needs no such folder"
        assert server.get("/login/").status_code == 200
        assert not list(small_tmp.iterdir())
