"""A sender that vanished without a word: its connection stays, and must not lock it out when it comes back."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from orchestration.models import File, Upload
from orchestration.states import UploadState
from tests.api.door import token_of
from tests.asgi.server import Server, serving
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = TUS | {"Content-Type": "application/offset+octet-stream"}
SIZE, CAME = 3_000_000, 1_200_000
DATA = bytes(range(256)) * (SIZE // 256) + b"the rest"
SOON_S = 10
"""Far below the half minute after which the server itself would let go of a silent sender."""


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[httpx.Client]:
    user = make_user()
    join(user, make_workspace())
    headers = TUS | {"Authorization": f"Bearer {token_of(user)}"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=SOON_S) as client:
        yield client


@pytest.fixture
def where(client: httpx.Client) -> str:
    return str(client.post("/api/v1/tus", headers={"Upload-Length": str(len(DATA))}).headers["location"])


@pytest.fixture
def dead(server: Server, client: httpx.Client, where: str) -> Iterator[socket.socket]:
    """A request that has sent less than it announced, and says nothing more."""
    said = {"Host": "localhost", "Content-Length": str(len(DATA)), "Upload-Offset": "0"}
    lines = [f"{name}: {value}" for name, value in (PATCH | said).items()]
    head = "\r\n".join([f"PATCH {where} HTTP/1.1", f"Authorization: {client.headers['authorization']}", *lines])
    with server.connect() as line:
        line.sendall(f"{head}\r\n\r\n".encode() + DATA[:CAME])
        yield line


def offset_when_it_came(client: httpx.Client, where: str, dead: socket.socket) -> int:
    """The first request that meets the dead one ends it, maybe before a byte of it counted; others came too early."""
    deadline = time.monotonic() + SOON_S
    while time.monotonic() < deadline:
        offset = int(client.head(where).headers["upload-offset"])
        if offset or select.select([dead], [], [], 0)[0]:
            return offset
    raise AssertionError("the dead request was never ended")


def test_sender_goes_on_at_once_where_its_dead_connection_stopped(
    client: httpx.Client, where: str, dead: socket.socket
) -> None:
    offset = offset_when_it_came(client, where, dead)
    rest = client.patch(where, content=DATA[offset:], headers=PATCH | {"Upload-Offset": str(offset)})
    assert (rest.status_code, rest.headers["upload-offset"]) == (204, str(len(DATA)))
    assert File.objects.get().size == len(DATA)


def test_sender_that_does_not_ask_first_ends_it_too(client: httpx.Client, where: str, dead: socket.socket) -> None:
    """He hears that his offset is wrong where some of it counted, and is not locked out in any case."""
    deadline = time.monotonic() + SOON_S
    # Until the server has seen the dead one, this is the only request.
    while not select.select([dead], [], [], 0)[0]:
        assert time.monotonic() < deadline, "the dead one was never told"
        answer = client.patch(where, content=b"", headers=PATCH | {"Upload-Offset": "0"})
        assert answer.is_success or answer.json()["code"] in {"wrong_offset", "part_busy"}
    assert b" 409 " in dead.recv(100)
    offset = int(client.head(where).headers["upload-offset"])
    rest = client.patch(where, content=DATA[offset:], headers=PATCH | {"Upload-Offset": str(offset)})
    assert rest.status_code == 204
    assert File.objects.get().size == len(DATA)


def test_upload_is_deleted_under_a_dead_connection(client: httpx.Client, where: str, dead: socket.socket) -> None:
    assert client.delete(where).status_code == 204
    assert client.head(where).status_code == 410
    assert Upload.objects.get().state == UploadState.ABORTED
