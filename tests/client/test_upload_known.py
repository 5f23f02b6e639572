"""The same command again: what it completed before is not sent twice, and nothing is taken for it that is not."""

import os
from pathlib import Path

import pytest

from api_app.client import Client
from tests.client.conftest import Command
from tests.client.fake_faults import answer
from tests.client.fake_server import Platform

MIB = 1 << 20


@pytest.fixture(params=[3, 30], ids=["few", "many"])
def folder(request: pytest.FixtureRequest) -> Path:
    Path("data").mkdir()
    for number in range(request.param):
        (Path("data") / f"{number}.txt").write_text(f"content {number}")
    return Path("data")


def test_what_is_there_is_not_sent_again(command: Command, platform: Platform, folder: Path) -> None:
    count = len(list(folder.iterdir()))
    first = command("upload", "data")
    again = command("upload", "data")

    assert (first.code, again.code) == (0, 0), again.err
    assert len(platform.uploads.puts) == len(platform.files) == count
    assert again.err.strip() == f"{count} files were there already and not sent again."
    assert "already" not in first.err

    command("upload", "data", "--again")
    assert len(platform.files) == 2 * count


def test_what_was_cut_off_in_the_middle_goes_on(command: Command, platform: Platform, folder: Path) -> None:
    count = len(list(folder.iterdir()))
    (folder / "big.bin").write_bytes(b"x" * 17 * MIB)
    platform.fail("PUT /uploads/*/parts/2", answer(507, "storage_full", "Full."))
    assert command("upload", "data").code == 1

    done = command("upload", "data")

    assert done.code == 0, done.err
    assert len(platform.files) == len(platform.uploads.all) == count + 1
    assert sum(size for *_, size in platform.uploads.puts) == sum(path.stat().st_size for path in folder.iterdir())


def test_other_bytes_of_the_same_date_are_sent(command: Command, platform: Platform, folder: Path) -> None:
    path = folder / "1.txt"
    os.utime(path, (1, 1))
    command("upload", "data")
    path.write_text("CONTENT 1")
    os.utime(path, (1, 1))

    command("upload", "data")

    assert [content for content in platform.contents.values() if content.upper() == b"CONTENT 1"] == [
        b"content 1",
        b"CONTENT 1",
    ]
    assert len(platform.files) == len(list(folder.iterdir())) + 1


def test_what_went_to_another_workspace_is_sent(command: Command, platform: Platform, folder: Path) -> None:
    """Also where none is named: then it is the first of one's own, whatever else one may see."""
    count = len(list(folder.iterdir()))
    command("upload", "data", "--workspace", "elsewhere")
    command("upload", "data")
    assert sorted(one.workspace for one in platform.uploads.all.values()) == ["elsewhere"] * count + ["lab"] * count
    assert f"{count} files were there already" in command("upload", "data").err


def test_token_that_may_only_send_sends_again(command: Command, platform: Platform, folder: Path) -> None:
    count = len(list(folder.iterdir()))
    command("upload", "data")
    platform.fail("GET /me", answer(403, "forbidden", "This token does not have the scope `read`."))
    assert command("upload", "data").code == 0
    assert len(platform.files) == 2 * count


def test_what_was_deleted_there_is_sent(command: Command, platform: Platform, folder: Path) -> None:
    command("upload", "data")
    for one in list(platform.uploads.all.values())[:2]:
        one.file = None

    command("upload", "data")

    assert len(platform.files) == len(list(folder.iterdir())) + 2


def test_what_is_older_than_a_day_is_sent(command: Command, platform: Platform, folder: Path) -> None:
    command("upload", "data")
    for one in platform.uploads.all.values():
        assert one.file
        one.file["created_at"] = "2026-01-01T00:00:00Z"

    command("upload", "data")

    assert len(platform.files) == 2 * len(list(folder.iterdir()))


def test_a_large_file_is_compared_and_not_sent(command: Command, platform: Platform) -> None:
    Path("big.bin").write_bytes(b"x" * 17 * MIB)
    os.utime("big.bin", (1, 1))
    command("upload", "big.bin")

    command("upload", "big.bin")
    assert len(platform.uploads.puts) == 2

    Path("big.bin").write_bytes(b"y" * 17 * MIB)
    os.utime("big.bin", (1, 1))
    command("upload", "big.bin")
    assert len(platform.uploads.puts) == 4


def test_a_long_list_is_read_to_its_end(command: Command, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api_app.client.uploads.known.PAGE", 4)
    Path("data").mkdir()
    for number in range(20):
        (Path("data") / f"{number}.txt").write_text(f"content {number}")
    command("upload", "data")

    command("upload", "data")

    assert len(platform.files) == 20


def test_a_program_gets_what_it_asks_for(client: Client, platform: Platform, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")

    first, second = (client.upload(tmp_path / "a.txt")["id"] for _ in range(2))
    (third,) = client.upload_many([tmp_path / "a.txt"], again=False)

    assert first != second
    assert third.was_there
    assert third.file
    assert third.file["id"] in {first, second}


def test_a_run_takes_what_is_there(command: Command, platform: Platform, folder: Path) -> None:
    assert command("run", "inspect", "data").code == 0
    assert command("run", "inspect", "data").code == 0

    one, other = platform.jobs.values()
    assert [file["id"] for file in one["inputs"]] == [file["id"] for file in other["inputs"]]
