"""What can be read only once: standard input, open files, iterators."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_app.client import Client, EsteiraError
from tests.client.fake_faults import answer, hang_up
from tests.client.fake_server import Platform

MIB = 1 << 20
PART = "PUT /uploads/*/parts/*"


@pytest.fixture(autouse=True)
def small_parts(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.uploads.part_size = MIB
    monkeypatch.setattr("api_app.client.uploads.streams.PART", MIB)


def chunks(size: int, at_once: int) -> Iterator[bytes]:
    data = bytes(range(256)) * (size // 256 + 1)
    for start in range(0, size, at_once):
        yield data[start : min(size, start + at_once)]


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB, 5 * MIB + 77])
def test_any_length_arrives_whole(client: Client, platform: Platform, size: int, transport: str) -> None:
    file = client.upload(chunks(size, 300_001), name="a.bin", path="x")

    assert platform.contents[file["id"]] == b"".join(chunks(size, 1000))
    assert (file["name"], file["path"]) == ("a.bin", "x")


def test_an_open_file_brings_its_name(client: Client, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"hello")

    with (tmp_path / "b.bin").open("rb") as opened:
        assert client.upload(opened)["name"] == "b.bin"
    assert client.upload(io.BytesIO(b"x"), name="c")["name"] == "c"


def test_what_has_no_name_is_refused(client: Client, platform: Platform) -> None:
    with pytest.raises(EsteiraError, match="needs a name"):
        client.upload(io.BytesIO(b"x"))

    assert not platform.uploads.all


def test_a_part_is_sent_again_from_memory(client: Client, platform: Platform) -> None:
    platform.fail(PART, hang_up(1000), answer(400, "checksum_mismatch"), answer(403, "signature_expired"))

    file = client.upload(chunks(4 * MIB, MIB), name="a.bin")

    assert platform.contents[file["id"]] == b"".join(chunks(4 * MIB, MIB))


def test_a_source_that_breaks_leaves_nothing_behind(client: Client, platform: Platform) -> None:
    def broken() -> Iterator[bytes]:
        yield from chunks(3 * MIB, MIB)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        client.upload(broken(), name="a.bin")

    assert platform.uploads.one().state == "aborted"


def test_a_stream_that_is_refused_leaves_nothing_behind(client: Client, platform: Platform) -> None:
    platform.fail(PART, *[answer(507, "storage_full", "The disk is full.")] * 9)

    with pytest.raises(EsteiraError, match="The disk is full"):
        client.upload(chunks(3 * MIB, MIB), name="a.bin")

    assert platform.uploads.one().state == "aborted"


def test_few_parts_are_held_at_a_time(client: Client, platform: Platform) -> None:
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks(12 * MIB, MIB):
            read += len(chunk)
            arrived = sum(size for *_, size in platform.uploads.puts)
            # Three in memory, and the chunk that is just handed over.
            assert read - arrived <= 4 * MIB
            yield chunk

    client.upload(counted(), name="a.bin")


def test_longer_than_an_upload_may_be_is_told(
    client: Client, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.client.fake_uploads.MAX_PARTS", 3)

    with pytest.raises(EsteiraError, match="longer than 3 parts"):
        client.upload(chunks(4 * MIB, MIB), name="a.bin")

    assert platform.uploads.one().state == "aborted"
