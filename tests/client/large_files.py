"""A file of five parts, and what arrived of it."""

from pathlib import Path

import pytest

from tests.client.fake_server import Platform

MIB = 1 << 20
BIG = bytes(range(251)) * (5 * MIB // 251) + b"the end"  # 5 parts of 1 MiB, the last one shorter


@pytest.fixture(autouse=True)
def small_parts(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.uploads.part_size = MIB
    monkeypatch.setattr("api_app.client.uploads.fleet.SMALL", MIB)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big ü.bin"
    path.write_bytes(BIG)
    return path


def stored(platform: Platform) -> bytes:
    upload = platform.uploads.one()
    assert upload.state == "complete"
    assert upload.file is not None
    return platform.contents[upload.file["id"]]


def numbers(platform: Platform) -> list[int]:
    return sorted(number for _, number, _ in platform.uploads.puts)
