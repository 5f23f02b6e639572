"""The parts that the runner has instead of slow or lenient standard modules: HTTP, JSON, zip and URLs."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import uuid
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestration.runner import quick, usage, wire
from orchestration.runner.bundle import unpack
from orchestration.runner.order import PlatformFault
from orchestration.runner.protocol import Again, Backoff, Silent
from orchestration.runner.urls import local_path, split
from tests.runner.fake import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = b"HTTP/1.1 200 OK\r\n"
GOOD = {
    b"Content-Length: 2\r\n\r\nok": b"ok",
    b"content-length:2\r\nX: a:b\r\n\r\nok": b"ok",
    b"Transfer-Encoding: chunked\r\n\r\n1;x=y\r\no\r\n1\r\nk\r\n0\r\nTrailer: x\r\n\r\n": b"ok",
    b"Connection: close\r\n\r\nok": b"ok",
    b"Content-Length: 0\r\n\r\n": b"",
}
BAD = [
    b"Content-Length: 3\r\n\r\nok",
    b"Content-Length: -2\r\n\r\nok",
    b"Content-Length: +2\r\n\r\nok",
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n5\r\nok",
    b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 20 + b"\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"T: x\r\n" * 20000 + b"\r\n",
    b"No colon\r\n\r\n",
    b"Space : x\r\n\r\n",
    b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    b"X: y\r\n",
]


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        yield listening


def answers(server: socket.socket, *per_connection: list[bytes]) -> list[bytes]:
    """Each list is what one connection gets, one answer for each request; then it is closed."""
    seen: list[bytes] = []

    def serve() -> None:
        for replies in per_connection:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                for reply in replies:
                    seen.append(connection.recv(1 << 16))
                    connection.sendall(reply)

    threading.Thread(target=serve, daemon=True).start()
    return seen


def client(server: socket.socket) -> wire.Plain:
    return wire.Plain("127.0.0.1", server.getsockname()[1])


def ask(connection: wire.Plain, **headers: str) -> wire.Answer:
    return connection.exchange("POST", "/x", headers, b"body")


@pytest.mark.parametrize("rest", GOOD, ids=lambda rest: str(rest[:30]))
def test_answer_is_read(rest: bytes, server: socket.socket) -> None:
    answers(server, [HEAD + rest])
    connection = client(server)
    assert ask(connection).body == GOOD[rest]
    connection.close()


@pytest.mark.parametrize("rest", BAD, ids=lambda rest: str(rest[:50]))
def test_broken_answer_means_later(rest: bytes, server: socket.socket) -> None:
    answers(server, [HEAD + rest])
    connection = client(server)
    with pytest.raises(wire.Broken):
        ask(connection)


@pytest.mark.parametrize("first", [b"HTTP/2 200 OK", b"200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 abc", b""])
def test_broken_first_line_means_later(first: bytes, server: socket.socket) -> None:
    answers(server, [first + b"\r\nContent-Length: 0\r\n\r\n"])
    with pytest.raises(wire.Broken):
        ask(client(server))


def test_answer_longer_than_the_bound_is_refused(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_BODY", 10)
    answers(server, [HEAD + b"Content-Length: 11\r\n\r\n12345678901"])
    with pytest.raises(wire.Broken):
        ask(client(server))


def test_kept_connection_that_was_closed_is_opened_again(server: socket.socket) -> None:
    ok = HEAD + b"Content-Length: 2\r\n\r\nok"
    seen = answers(server, [ok, ok], [ok])
    connection = client(server)
    assert [ask(connection).body for _ in range(3)] == [b"ok"] * 3
    assert len(seen) == 3
    connection.close()


def test_server_that_refuses_in_the_middle_of_a_body_is_heard(server: socket.socket, tmp_path: Path) -> None:
    answers(server, [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"])
    with (tmp_path / "body").open("wb+") as file:
        file.truncate(20 << 20)
        body = wire.FileBody(file.fileno(), 20 << 20, lambda: None)
        assert client(server).exchange("PUT", "/x", {}, body).status == 403


def test_request_is_what_a_presigned_url_was_signed_for(server: socket.socket) -> None:
    seen = answers(server, [HEAD + b"Content-Length: 0\r\n\r\n"])
    connection = client(server)
    connection.exchange("GET", "/x?y", {"A": "b"}, b"")
    connection.close()
    host = f"127.0.0.1:{connection.port}".encode()
    assert seen == [b"GET /x?y HTTP/1.1\r\nHost: " + host + b"\r\nA: b\r\n\r\n"]


def test_interim_answers_are_passed_over(server: socket.socket) -> None:
    answers(server, [b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 2\r\n\r\nok"])
    connection = client(server)
    assert ask(connection).body == b"ok"
    connection.close()


def test_line_break_in_a_header_is_not_sent(server: socket.socket) -> None:
    with pytest.raises(wire.Broken, match="line break"):
        ask(client(server), X="a\r\nY: b")


def test_server_that_drips_is_given_up(server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "ANSWER_S", 0.3)
    answers(server, [HEAD])
    blocked = client(server)
    with pytest.raises(wire.Broken):
        ask(blocked)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://host", ("http", "host", 80, "/")),
        ("HTTP://host:8000/a?b=c", ("http", "host", 8000, "/a?b=c")),
        ("https://[::1]:1/x", ("https", "::1", 1, "/x")),
        ("http://host?x", ("http", "host", 80, "/?x")),
    ],
)
def test_url_is_split(url: str, expected: tuple[str, str, int, str]) -> None:
    assert split(url) == expected


@pytest.mark.parametrize(
    "url", ["ftp://h", "http://", "http://u@h", "http://h/a b", "http://h/\r\nX: y", "h", "http://h:x"]
)
def test_other_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        split(url)


def test_file_url_is_the_path_of_pathlib() -> None:
    for path in ("/a/b", "/with space/%41/ü", "/a?b#c"):
        assert local_path(Path(path).as_uri()) == path
    assert local_path("file://localhost/x") == "/x"
    for url in ("file://other/x", "file:///a%00b", "file:x", "file:///a%zz"):
        with pytest.raises(PlatformFault):
            local_path(url)


VALUES: list[Any] = [{}, [], {"a": [1, -2.5, True, None, "é\n\u2028\U0001f600"]}, "x", 0, 1e300, 2**70, {"": {"": ""}}]
BROKEN = [b"", b"{", b"{} {}", b"NaN", b"[1,]", b"{'a': 1}", b'"\x01"', b"\xff", b"[" * 100_000, b"nul"]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_json_is_that_of_the_standard_library(value: Any) -> None:
    assert quick.loads(json.dumps(value, ensure_ascii=False).encode()) == value
    assert json.loads(quick.dumps(value)) == value
    assert quick.loads(b" \n" + quick.dumps(value) + b"\n") == value


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: str(text[:10]))
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        quick.loads(text)


@pytest.mark.parametrize("value", [float("nan"), object(), {"x": {1}}], ids=["nan", "object", "set"])
def test_what_has_no_json_is_an_error(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        quick.dumps(value)


def test_json_works_without_the_c_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick, "_scan", None)
    monkeypatch.setattr(quick, "_encode", None)
    for value in VALUES:
        assert quick.loads(quick.dumps(value)) == value


@pytest.mark.parametrize("size", [1, 1 << 21])
def test_digest_is_sha256(size: int) -> None:
    digest = quick.sha256(size)
    digest.update(b"abc")
    assert digest.hexdigest().startswith("ba7816bf8f01cfea")


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return content.getvalue()


def info(name: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


def test_bundle_is_unpacked(tmp_path: Path) -> None:
    data = zipped(("a.py", b"x" * 100_000), ("sub/ü.txt", b""), ("folder/", b""), (info("run", 0o100755), b"#!"))
    unpack(data, str(tmp_path))
    assert (tmp_path / "a.py").read_bytes() == b"x" * 100_000
    assert (tmp_path / "sub" / "ü.txt").read_bytes() == b""
    assert (tmp_path / "folder").is_dir()
    assert os.access(tmp_path / "run", os.X_OK)


def bomb() -> bytes:
    """Says ten bytes and holds a million."""
    data = bytearray(zipped(("a", b"0" * 1_000_000)))
    at = data.rfind(b"PK\1\2")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def encrypted() -> bytes:
    data = bytearray(zipped(("a", b"x")))
    data[data.rfind(b"PK\1\2") + 8] |= 1
    return bytes(data)


BAD_BUNDLES = {
    "up": zipped(("../x", b"")),
    "absolute": zipped(("/x", b"")),
    "inner up": zipped(("a/../../x", b"")),
    "nothing": b"",
    "cut": zipped(("a", b"x" * 1000))[:-10],
    "link": zipped((info("a", 0o120777), b"/etc/passwd")),
    "bomb": bomb(),
    "encrypted": encrypted(),
    "damaged": zipped(("a", b"abcdefgh")).replace(b"\x4b\x4c", b"\x4b\x4d", 1),
}


@pytest.mark.parametrize("name", BAD_BUNDLES)
def test_bad_bundle_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PlatformFault):
        unpack(BAD_BUNDLES[name], str(tmp_path / "code"))


def test_bundle_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    data = zipped(("a", b"1"), ("b", b"2")).replace(b"b", b"a")
    with pytest.raises(PlatformFault):
        unpack(data, str(tmp_path))


def test_backoff_doubles_with_jitter_up_to_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("orchestration.runner.protocol.time.monotonic", lambda: now)
    backoff = Backoff(900)
    waits: list[float] = []
    while sum(waits) < 900 - 1e-6:
        waits.append(backoff.again(Again("away")))
        now += waits[-1]
    with pytest.raises(Silent):
        backoff.again(Again("away"))
    assert now == pytest.approx(900)
    assert all(wait <= min(0.2 * 2**number, 10) for number, wait in enumerate(waits))
    assert max(waits) > 5
    assert len({round(wait, 6) for wait in waits}) > len(waits) / 2
    assert backoff.patience_s == 900


def test_sizes_are_told_in_words() -> None:
    sizes = [0, 1023, 1024, 1536, 2 << 30, int(2.3 * (1 << 30)), 5 << 40]
    words = ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "2 GiB", "2.3 GiB", "5.0 TiB"]
    assert [usage.size_in_words(size) for size in sizes] == words


SCAN = """
import os, sys, time
from orchestration.runner import tree
tree.prctl = lambda option, value: False
{setup}
branch = tree.Tree(sys.argv[1])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve("/bin/sleep", ["sleep", "30"], {{"ESTEIRA_ATTEMPT_ID": sys.argv[1]}})
    os._exit(0)
found = []
while len(found) != 1 or found[0].state != "S":
    time.sleep(0.01)
    branch.reap()
    found = branch.alive()
pid = found[0].pid
assert branch.kill()
print(pid)
"""


@pytest.mark.parametrize("setup", ["", "tree.os.path.exists = lambda path: False"], ids=["children", "parents"])
def test_strays_are_found_where_the_kernel_refuses_to_hand_them_over(setup: str) -> None:
    mark = str(uuid.uuid4())
    command = [sys.executable, "-c", SCAN.format(setup=setup), mark]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 1
    assert marked(mark) == []
