"""Large files of which some parts are there already, and files that change while they are sent."""

import os
from pathlib import Path

import pytest

from api_app.client import Client, EsteiraError
from api_app.client.uploads.outgoing import DiskFile, Outgoing
from tests.client.fake_faults import answer
from tests.client.fake_server import Handler, Platform
from tests.client.fake_upload_rows import FakeUpload
from tests.client.large_files import BIG, MIB, big, numbers, small_parts, stored

__all__ = ["big", "small_parts"]  # fixtures


def begin(platform: Platform, path: Path, *, folder: str = "", parts: dict[int, bytes]) -> str:
    """As an earlier run left it, here or on another machine."""
    file = DiskFile.look(Outgoing(path, path=folder))
    one = FakeUpload(path.name, file.size, "", folder, file.fingerprint, "", MIB)
    one.parts |= parts
    platform.uploads.all[one.id] = one
    return one.id


def slice_of(number: int) -> bytes:
    return BIG[(number - 1) * MIB : number * MIB]


def test_only_what_is_missing_is_sent(client: Client, platform: Platform, big: Path, transport: str) -> None:
    begin(platform, big, parts={number: slice_of(number) for number in (1, 2, 5)})
    seen: list[int] = []

    client.upload(big, progress=lambda _phase, done, _total: seen.append(done))

    assert stored(platform) == BIG
    assert numbers(platform) == [3, 4]
    assert max(seen) == len(BIG)


def test_all_arrived_and_only_the_end_was_missing(client: Client, platform: Platform, big: Path) -> None:
    begin(platform, big, parts={number: slice_of(number) for number in range(1, 6)})

    client.upload(big)

    assert stored(platform) == BIG
    assert numbers(platform) == []


def test_a_changed_file_does_not_go_on_with_the_old_upload(client: Client, platform: Platform, big: Path) -> None:
    old = begin(platform, big, parts={1: slice_of(1)})
    os.utime(big, (1, 1))

    file = client.upload(big)

    assert platform.contents[file["id"]] == BIG
    assert platform.uploads.all[old].state == "open"
    assert len(platform.uploads.all) == 2


def test_other_bytes_of_the_same_date_are_found_at_the_end(client: Client, platform: Platform, big: Path) -> None:
    begin(platform, big, parts={1: b"x" * MIB})

    with pytest.raises(EsteiraError, match="the file changed while it was sent"):
        client.upload(big)

    assert platform.uploads.one().state == "failed"
    client.upload(big)  # nothing of it stands in the way of a new one


def test_a_file_that_changes_in_between_is_refused(client: Client, platform: Platform, big: Path) -> None:
    def change(handler: Handler) -> bool:
        with big.open("r+b") as file:
            file.write(b"!")
        os.utime(big, (1, 1))
        return False

    platform.fail("PUT /uploads/*/parts/5", change)

    with pytest.raises(EsteiraError, match="the file changed while it was sent"):
        client.upload(big)

    assert platform.uploads.one().state == "aborted"


def test_a_part_that_reads_differently_is_signed_anew(client: Client, platform: Platform, big: Path) -> None:
    """One read went wrong, and not the file: its date says so."""
    status = big.stat()
    changed = b"!" + BIG[1:]

    def change(handler: Handler) -> bool:
        # At once, as other threads look at it meanwhile.
        other = big.with_name("other")
        other.write_bytes(changed)
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(big)
        return answer(400, "checksum_mismatch")(handler)

    platform.fail("PUT /uploads/*/parts/1", change)

    client.upload(big)

    assert stored(platform) == changed


def test_fingerprint_is_as_the_contract_says(big: Path) -> None:
    os.utime(big, ns=(0, 1_700_000_000_123_456_789))

    short = DiskFile.look(Outgoing(big, path="a/b")).fingerprint
    long = DiskFile.look(Outgoing(big, path="x" * 300)).fingerprint

    assert short == f"big ü.bin|{len(BIG)}|1700000000123|a/b"
    assert len(long) == 64
    assert int(long, 16)
