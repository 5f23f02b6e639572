"""Bodies that go from the socket to the disk past the event loop: every way in which they may come, or stop coming."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from orchestration.models import UploadPart
from tests.api.door import token_of
from tests.asgi.server import Server, serving
from tests.asgi.wire import HINT, Sender, crc, heard, put
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PART = random.Random(1).randbytes(HINT)
HALF = HINT // 2
# The server tells what came past its event loop, and its disk is full after a MB while there is a file of that name.
PRELUDE = """
import errno, os
from pathlib import Path
from project.receive import pour

turn, pwrite = pour.Pour.turn, os.pwrite

def told(self):
    came = turn(self)
    os.write(1, f"took {came}\\n".encode())
    return came

def bounded(fd, data, at):
    if at > 1_000_000 and Path(os.environ["ESTEIRA_HOME"], "full").exists():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return pwrite(fd, data, at)

pour.Pour.turn, os.pwrite = told, bounded
"""


def took(server: Server) -> int:
    """Bytes that have come past the event loop."""
    return sum(int(line.split()[1]) for line in server.log.read_text().splitlines() if line.startswith("took "))


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(prelude=PRELUDE) as server:
        yield server


@pytest.fixture
def ana(server: Server) -> Sender:
    return sender(server)


def sender(server: Server) -> Sender:
    user = make_user()
    join(user, make_workspace())
    return Sender(server, token_of(user))


def is_whole(ana: Sender, upload: object) -> bool:
    return bool(ana.complete(upload)["crc64nvme"] == crc(PART + b"!"))


def pieces(seed: int, data: bytes) -> list[bytes]:
    """In pieces of 1 byte to 1 MiB, as this seed has it."""
    numbers, at, found = random.Random(seed), 0, []
    while at < len(data):
        size = min(1 << 20, int(2 ** numbers.uniform(0, 20)))
        found.append(data[at : at + size])
        at += size
    return found


@pytest.mark.parametrize("seed", range(6))
def test_exact_bytes_however_they_are_cut(server: Server, ana: Sender, seed: int) -> None:
    upload, head = ana.part(PART)
    before = took(server)
    with server.connect() as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces(seed, f"{head}\r\n".encode() + PART):
            line.sendall(piece)
        assert heard(line)[0] == 200
    assert took(server) - before > HINT // 2, "it did not come the fast way"
    assert is_whole(ana, upload)


def test_body_that_waits_to_be_asked_for_is_asked_for(server: Server, ana: Sender) -> None:
    upload, head = ana.part(PART)
    before = took(server)
    with server.connect() as line:
        line.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        line.settimeout(10)
        assert line.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(PART)
        assert heard(line)[0] == 200
    assert took(server) - before == HINT, "it did not come the fast way"
    assert is_whole(ana, upload)


def test_refusal_comes_before_a_body_is_asked_for(server: Server, ana: Sender) -> None:
    _, head = ana.part(PART)
    with server.connect() as line:
        line.sendall(f"{head.replace('&s=', '&s=0')}Expect: 100-continue\r\n\r\n".encode())
        assert heard(line)[0] == 403


def test_connection_is_kept_and_requests_may_follow_at_once(server: Server, ana: Sender) -> None:
    """The next request is in the socket before the first is answered, and cut where it hurts most."""
    upload, head = ana.part(PART)
    again, second = ana.part(PART)
    before = took(server)
    ping = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    whole = f"{head}\r\n".encode() + PART + f"{second}\r\n".encode() + PART + ping
    with server.connect() as line:
        writer = threading.Thread(target=line.sendall, args=(whole,))
        writer.start()
        assert [heard(line)[0], heard(line)[0]] == [200, 200]
        assert heard(line) == (200, {"status": "ok"})
        writer.join()
        assert took(server) - before > HINT, "they did not come the fast way"
        line.sendall(f"{ana.sign(again, 2, b'!')}\r\n!".encode())
        assert heard(line)[0] == 200
    assert is_whole(ana, upload)


def test_more_than_was_announced_is_no_part_of_the_body(server: Server, ana: Sender) -> None:
    upload, head = ana.part(PART)
    with server.connect() as line:
        line.sendall(f"{head}\r\n".encode() + PART + b"more\r\n\r\n")
        answers = b"".join(iter(lambda: line.recv(4096), b""))
    # Both may come in one piece.
    assert [piece[:3] for piece in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"], "what follows is no request"
    assert is_whole(ana, upload)


@pytest.mark.parametrize("sent", [0, 1, 1_000, 70_000, HINT // 2, HINT - 1])
@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_line_that_is_cut_leaves_nothing(server: Server, ana: Sender, sent: int, reset: bool) -> None:  # noqa: FBT001
    upload, head = ana.part(PART)
    with server.connect() as line:
        line.sendall(f"{head}\r\n".encode() + PART[:sent])
        if reset:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    until(lambda: any(event.get("status") == 499 and event["path"].find(upload["id"]) > 0 for event in server.events()))
    assert not UploadPart.objects.exists()
    assert put(server, head, PART)[0] == 200, "nobody holds the part any more"
    assert is_whole(ana, upload)


def until(seen: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline, "it has not come to be"
        time.sleep(0.02)


def test_two_hundred_who_stop_in_the_middle_hold_up_nobody(server: Server, ana: Sender) -> None:
    data = PART[:300_000]
    lines = []
    for head in ana.small(200, data):
        lines.append(server.connect())
        lines[-1].sendall(f"{head}\r\n".encode() + data[:150_000])
    try:
        upload, head = ana.part(PART)
        assert server.get("/health/live").status_code == 200
        assert put(server, head, PART)[0] == 200
        assert is_whole(ana, upload)
        for line in lines[::50]:
            line.sendall(data[150_000:])
            assert heard(line)[0] == 200, "nor were they dropped"
    finally:
        for line in lines:
            line.close()


def test_body_without_length_comes_the_old_way(server: Server, ana: Sender) -> None:
    before = took(server)
    file = ana.call("POST", "/uploads", 201, params={"name": "a.bin"}, content=iter([PART[:HALF], PART[HALF:]]))["file"]
    assert (file["size"], file["crc64nvme"]) == (HINT, crc(PART))
    assert took(server) == before


def test_file_in_one_request_comes_the_fast_way(server: Server, ana: Sender) -> None:
    before = took(server)
    file = ana.call("POST", "/uploads", 201, params={"name": "a.bin"}, content=PART)["file"]
    assert (file["size"], file["crc64nvme"]) == (HINT, crc(PART))
    assert took(server) - before > HALF


@pytest.mark.parametrize("at", [0, 100_000, HINT - 1])
def test_flipped_byte_is_refused(server: Server, ana: Sender, at: int) -> None:
    upload, head = ana.part(PART)
    wrong = PART[:at] + bytes([PART[at] ^ 1]) + PART[at + 1 :]
    status, said = put(server, head, wrong)
    assert (status, said["code"]) == (400, "checksum_mismatch")
    assert ana.received(upload) == ""
    assert put(server, head, PART)[0] == 200
    assert is_whole(ana, upload)


def test_full_disk_is_said_and_the_connection_goes_on(server: Server, ana: Sender) -> None:
    """The rest of the body, which nobody wants, is not taken for the next request."""
    upload, head = ana.part(PART)
    full = server.log.with_name("full")
    full.touch()
    try:
        with server.connect() as line:
            line.sendall(f"{head}\r\n".encode() + PART)
            status, said = heard(line)
            assert (status, said["code"]) == (507, "storage_full")
            assert not UploadPart.objects.exists()
            full.unlink()
            line.sendall(f"{head}\r\n".encode() + PART)
            assert heard(line)[0] == 200
    finally:
        full.unlink(missing_ok=True)
    assert is_whole(ana, upload)


def test_newer_request_ends_the_one_that_stalls(server: Server, ana: Sender) -> None:
    upload, head = ana.part(PART)
    before = took(server)
    with server.connect() as line:
        line.sendall(f"{head}\r\n".encode() + b"wrong" + PART[:HALF])
        until(lambda: took(server) - before > HALF // 2)
        assert put(server, head, PART)[0] == 200
        status, said = heard(line)
        assert (status, said["code"]) == (409, "part_busy")
    assert is_whole(ana, upload)


def test_answer_is_given_although_the_server_is_told_to_stop() -> None:
    with serving(prelude=PRELUDE) as server:
        ana = sender(server)
        upload, head = ana.part(PART)
        _, cut = ana.part(PART)
        with server.connect() as line, server.connect() as stalled:
            line.sendall(f"{head}\r\n".encode() + PART[:HALF])
            stalled.sendall(f"{cut}\r\n".encode() + PART[:HALF])
            until(lambda: took(server) > HALF)
            server.process.send_signal(signal.SIGTERM)
            until(lambda: is_deaf(server))
            line.sendall(PART[HALF:])
            assert heard(line)[0] == 200
            server.process.wait(timeout=20)
        kept = UploadPart.objects.get()
        assert str(kept.upload_id) == upload["id"], "and what was cut does not count"


def is_deaf(server: Server) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_who_stalls_or_drips_is_told_so() -> None:
    limits = "from project.stack import limits\nlimits.IDLE_S, limits.WHOLE_BODY_S, limits.LATE_S = 2.0, 4.0, 0.1\n"
    with serving(prelude=PRELUDE + limits) as server:
        ana = sender(server)
        _, idle = ana.part(PART)
        _, slow = ana.part(PART)
        with server.connect() as stalled, server.connect() as dripping:
            stalled.sendall(f"{idle}\r\n".encode() + PART[:1_000])
            dripping.sendall(f"{slow}\r\n".encode() + PART[:1_000])
            stop = threading.Event()
            drip = threading.Thread(target=dripped, args=(dripping, stop))
            drip.start()
            for line in (stalled, dripping):
                status, said = heard(line)
                assert (status, "too slowly" in said["detail"]) == (408, True)
            stop.set()
            drip.join()
        assert not UploadPart.objects.exists()


def dripped(line: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        try:
            line.sendall(b"x")
        except ConnectionError:
            return


BROKEN = {
    "its version is another": "selftest.UVICORN = '0.1.'",
    "a member is gone": "ReceivingHttp.flow = property(lambda self: None)",
    "a member means something else": "ReceivingHttp._came = property(lambda self: 0, lambda self, value: None)",
    "the bytes are others": "pour.Pour._read = lambda self: memoryview(b'x' * self.left)",
    "not wanted": "",
}
IMPORTS = "from project.receive import selftest\nfrom project.receive.protocol import ReceivingHttp\n"


@pytest.mark.parametrize("how", BROKEN)
def test_server_that_cannot_receive_the_fast_way_serves_the_old_way(how: str) -> None:
    with serving(prelude=PRELUDE + IMPORTS + BROKEN[how], ESTEIRA_RECEIVE="auto" if BROKEN[how] else "stock") as server:
        ana = sender(server)
        upload, head = ana.part(PART)
        before = took(server)
        assert put(server, head, PART)[0] == 200
        assert took(server) == before
        assert is_whole(ana, upload)
        told = [event for event in server.events() if event["event"] == "receiving the stock way"]
        assert len(told) == bool(BROKEN[how]), server.log.read_text()
