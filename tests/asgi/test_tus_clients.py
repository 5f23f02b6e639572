"""Clients that other people wrote, unmodified, against the real process."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

from orchestration import crc64
from orchestration.models import File
from tests.api.door import token_of
from tests.asgi.server import Server, serving
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
SIZE = 5_000_000
CHUNK = 1_000_000


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: pytest.FixtureRequest) -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "photo.bin"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


@pytest.fixture
def client(server: Server) -> Any:
    user = make_user()
    join(user, make_workspace())
    return TusClient(f"{server.url}/api/v1/tus", headers={"Authorization": f"Bearer {token_of(user)}"})


@pytest.fixture
def opened(path: Path) -> Iterator[BinaryIO]:
    """Of itself tuspy never closes what it opens by itself."""
    with path.open("rb") as stream:
        yield stream


def is_stored(path: Path) -> bool:
    """The checksum was made of what arrived, byte by byte."""
    file = File.objects.get()
    return (file.size, file.crc64nvme) == (SIZE, crc64.to_text(crc64.update(path.read_bytes())))


@pytest.mark.parametrize("checksum", [False, True], ids=["plain", "checksum"])
def test_tuspy_sends_a_file_in_chunks(client: Any, path: Path, opened: BinaryIO, *, checksum: bool) -> None:
    metadata = {"filename": "photo.bin"}
    uploader = client.uploader(file_stream=opened, chunk_size=CHUNK, metadata=metadata, upload_checksum=checksum)
    uploader.upload()
    assert is_stored(path)
    assert File.objects.get().name == "photo.bin"


def test_tuspy_goes_on_where_it_was_cut(client: Any, path: Path, opened: BinaryIO) -> None:
    first = client.uploader(file_stream=opened, chunk_size=CHUNK, metadata={"filename": "photo.bin"})
    first.upload(stop_at=2 * CHUNK)
    second = client.uploader(file_stream=opened, chunk_size=CHUNK, url=first.url)
    assert second.offset == 2 * CHUNK
    second.upload()
    assert is_stored(path)


def test_tuspy_is_told_when_its_token_is_no_good(client: Any, opened: BinaryIO) -> None:
    client.set_headers({"Authorization": "Bearer nothing"})
    with pytest.raises(TusCommunicationError):
        client.uploader(file_stream=opened, chunk_size=CHUNK, metadata={"filename": "photo.bin"}).upload()
