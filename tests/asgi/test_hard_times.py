"""Uploads by hundreds that crawl, and a full folder for temporary files: everybody else is served (F14, F30)."""

from __future__ import annotations

import contextlib
import http.client
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from orchestration.models import File, Upload
from tests.api.door import token_of
from tests.asgi.multipart_corpus import B, ended, part
from tests.asgi.server import Server, serving
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path

    from orchestration.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SLOW: Final = 400
PATIENCE_S: Final = 4.0
GROWTH_MIB: Final = 100
MIB: Final = 1 << 20


@pytest.fixture
def user() -> User:
    user = make_user()
    join(user, make_workspace())
    return user


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
