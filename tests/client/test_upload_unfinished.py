"""`esteira uploads`: what was begun and never ended."""

import json

import pytest

from tests.client.conftest import Command
from tests.client.fake_server import Platform
from tests.client.fake_upload_rows import FakeUpload

MIB = 1 << 20


def unfinished(platform: Platform, **changes: object) -> FakeUpload:
    one = FakeUpload("big.bin", 3 * MIB, "lab", "x", "f", "", MIB)
    one.parts[1] = b"x" * MIB
    for name, value in changes.items():
        setattr(one, name, value)
    platform.uploads.all[one.id] = one
    return one


def test_unfinished_uploads_are_listed(command: Command, platform: Platform, transport: str) -> None:
    one = unfinished(platform)
    unfinished(platform, state="complete")

    done = command("uploads", "list")

    assert done.code == 0, done.err
    header, row, *_ = done.out.splitlines()
    assert header.split() == ["UPLOAD", "SIZE", "RECEIVED", "BEGUN", "EXPIRES", "NAME"]
    assert row.split()[:5] == [one.id, "3.0", "MiB", "1.0", "MiB"]
    assert "x/big.bin" in row
    assert [one["id"] for one in json.loads(command("uploads", "list", "--json").out)] == [one.id]


def test_none_unfinished_is_told(command: Command) -> None:
    assert "no unfinished uploads" in command("uploads", "list").out


def test_an_upload_is_aborted_by_a_part_of_its_id(command: Command, platform: Platform) -> None:
    one, other = unfinished(platform), unfinished(platform)

    done = command("uploads", "abort", one.id.replace("-", "")[-8:])

    assert done.code == 0, done.err
    assert (one.state, other.state) == ("aborted", "open")
    assert "Aborted the upload of big.bin." in done.out
    assert command("uploads", "abort", one.id).code == 6
    assert command("uploads", "abort", "--all").code == 0
    assert other.state == "aborted"


@pytest.mark.parametrize("args", [[], ["--all", "x"]])
def test_what_to_abort_has_to_be_said(command: Command, platform: Platform, args: list[str]) -> None:
    one = unfinished(platform)

    assert command("uploads", "abort", *args).code == 2
    assert one.state == "open"
