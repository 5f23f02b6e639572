"""Archives as they are sent: their length is known before, any tool reads them, and memory does not grow with them."""

from __future__ import annotations

import io
import itertools
import random
import shutil
import subprocess
import tracemalloc
import zipfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, cast

import pytest

from orchestration.archive_names import distinct, harmless
from orchestration.zip_stream import BLOCK, Entry, length_of, zip_blocks

if TYPE_CHECKING:
    from pathlib import Path

WHEN = datetime(2026, 11, 29, 9, 30, 2, tzinfo=UTC)
GIB = 1 << 30


def entry(name: str, data: bytes, **fields: object) -> Entry:
    values: dict[str, object] = {"size": len(data), "made_at": WHEN, "open": lambda: io.BytesIO(data)}
    return Entry(name=name, **(values | fields))  # type: ignore[arg-type]


def some(seed: int) -> list[Entry]:
    dice = random.Random(seed)
    names = ["a.txt", "Relatório “1”.txt", "folder/b.bin", "ж" * 200, "c" * 900]
    return [entry(f"{n}-{name}", dice.randbytes(dice.randrange(3_000))) for n, name in enumerate(names)]


def whole(entries: list[Entry], skip: int = 0) -> bytes:
    return b"".join(zip_blocks(entries, skip=skip))


def test_length_is_known_before_and_the_bytes_come_back() -> None:
    entries = [*some(1), entry("empty", b"")]
    data = whole(entries)
    assert len(data) == length_of(entries)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [e.name for e in entries]
        for one in entries:
            assert archive.read(one.name) == one.open().read()
            assert archive.getinfo(one.name).date_time == (2026, 11, 29, 9, 30, 2)


@pytest.mark.parametrize("seed", range(20))
def test_length_is_right_where_numbers_need_64_bits(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """As above 2 GiB and 65,535 files, with limits that are met by small ones: the library writes by the same."""
    dice = random.Random(seed)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", dice.randrange(100, 4_000))
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", dice.randrange(2, 8))
    entries = some(seed)
    data = whole(entries)
    assert len(data) == length_of(entries)
    monkeypatch.undo()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert [archive.read(e.name) for e in entries] == [e.open().read() for e in entries]


def test_same_files_make_the_same_bytes_and_any_part_of_them() -> None:
    entries = some(3)
    data = whole(entries)
    assert whole(entries) == data
    for skip in (0, 1, 29, 30, 31, len(data) // 2, len(data) - 1, len(data)):
        assert whole(entries, skip) == data[skip:], skip


def test_whoever_skips_much_is_asked_again_after_each_block() -> None:
    blocks = list(zip_blocks([zeros("a", 8 * BLOCK)], skip=6 * BLOCK))
    assert [len(block) for block in blocks[:5]] == [0] * 5
    assert sum(map(len, blocks)) == length_of([zeros("a", 8 * BLOCK)]) - 6 * BLOCK


@pytest.mark.parametrize("size", [9, 11])
def test_file_that_is_not_as_long_as_its_row_says_breaks_the_archive_off(size: int) -> None:
    with pytest.raises(OSError, match="than its row says"):
        whole([entry("a", b"0123456789", size=size)])


def test_years_that_a_zip_cannot_say_are_the_nearest_it_can() -> None:
    data = whole(
        [entry("old", b"", made_at=WHEN.replace(year=1970)), entry("new", b"", made_at=WHEN.replace(year=2200))]
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [info.date_time[0] for info in archive.infolist()] == [1980, 2107]


def test_source_is_closed_when_the_reader_leaves() -> None:
    source = io.BytesIO(bytes(3 * BLOCK))
    blocks = zip_blocks([entry("a", bytes(3 * BLOCK), open=lambda: source)])
    next(blocks)
    blocks.close()
    assert source.closed


class Zeros(io.RawIOBase):
    """`size` bytes that nobody stores."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        length = self._left if size < 0 else min(size, self._left)
        self._left -= length
        return _BLOCK if length == BLOCK else bytes(length)


_BLOCK = bytes(BLOCK)


def zeros(name: str, size: int) -> Entry:
    return entry(name, b"", size=size, open=lambda: cast("BinaryIO", Zeros(size)))


def test_memory_does_not_grow_with_the_archive() -> None:
    tracemalloc.start()
    try:
        for _ in zip_blocks([zeros("a", 64 * BLOCK), zeros("b", 64 * BLOCK)]):
            pass
        assert tracemalloc.get_traced_memory()[1] < 6 * BLOCK
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_archive_beyond_4_gib_is_read_by_any_tool(tmp_path: Path) -> None:
    entries = [zeros("big.bin", 4 * GIB + 3), entry("after.txt", b"beyond the 32nd bit")]
    path = tmp_path / "big.zip"
    with path.open("wb") as target:
        for block in zip_blocks(entries):
            if block == _BLOCK:
                target.seek(BLOCK, io.SEEK_CUR)  # a hole, which costs no disk
            else:
                target.write(block)
    assert path.stat().st_size == length_of(entries)
    with zipfile.ZipFile(path) as archive:
        assert [info.file_size for info in archive.infolist()] == [e.size for e in entries]
        assert archive.read("after.txt") == b"beyond the 32nd bit"
    if tool := shutil.which("unzip"):
        # Of the large one the length alone: its four GiB take minutes on a busy machine.
        tested = subprocess.run([tool, "-tq", path, "after.txt"], capture_output=True, check=False, text=True)
        assert tested.returncode == 0, tested.stdout
        listed = subprocess.run([tool, "-l", path], capture_output=True, check=True, text=True)
        assert str(4 * GIB + 3) in listed.stdout


HOSTILE = [
    "../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "C:\\Windows\\x", "a/../../b", "./a", "a//b", "CON",
    "a\x00b", "nul.txt", "tail. ", "tail.", "\u202egpj.exe", "x" * 3_000, "", "/", "..", "a:stream", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder_where_it_is_unpacked(tmp_path: Path, name: str) -> None:
    own = harmless(name)
    own.encode()
    assert not own.startswith(("/", "\\"))
    assert not {"", ".", ".."} & set(own.split("/"))
    assert not set(own) & set('\\<>:"|?*\0\u202e')
    assert (tmp_path / own).resolve().is_relative_to(tmp_path)
    assert all(len(part.encode()) <= 255 for part in own.split("/"))


def test_names_are_distinct_on_every_disk() -> None:
    names = ["a.txt", "A.TXT", "a.txt", "a.txt/b", "x/y", "x", "X-2", "ro-crate-metadata.json", "a-2.txt"]
    given = distinct(names, taken=["ro-crate-metadata.json"])
    assert given[0] == "a.txt"
    assert given[1:3] == ["A-2.TXT", "a-3.txt"]
    folded = [name.casefold() for name in given]
    assert len(set(folded)) == len(names)
    assert "ro-crate-metadata.json" not in folded
    for one, other in itertools.permutations(folded, 2):
        assert not other.startswith(f"{one}/"), (one, other)


def test_ten_thousand_files_of_one_name_take_no_time() -> None:
    assert distinct(["thumb.png"] * 10_000)[-1] == "thumb-10000.png"
