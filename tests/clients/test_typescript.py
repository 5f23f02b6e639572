"""The TypeScript client is made from the contract, compiles by the strictest rules and is pinned by hash."""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

from tests.clients.node import CONTRACT, NODE, PROGRAMS, SOURCE, Built, built, generated, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


@pytest.fixture(scope="module")
def package() -> Built:
    return built()


def test_types_are_what_the_contract_gives(package: Built, tmp_path: Path) -> None:
    assert generated(tmp_path / "contract.ts") == (SOURCE / CONTRACT).read_text(), "`make clients` writes it anew"


def test_call_that_is_not_in_the_contract_does_not_compile(package: Built, tmp_path: Path) -> None:
    program = package.user(tmp_path) / "typed.ts"
    head = 'import { Esteira } from "@esteira/client";\nconst { api } = new Esteira({ url: "http://127.0.0.1" });\n'
    program.write_text(f'{head}await api.GET("/api/v1/me");\n')
    package.require_clean(program)
    program.write_text(f'{head}await api.GET("/api/v1/you");\n')
    with pytest.raises(AssertionError, match=r"typed\.ts"):
        package.require_clean(program)


def test_faults_are_met_as_they_should_be(package: Built, tmp_path: Path) -> None:
    program = package.user(tmp_path) / "faults.test.ts"
    shutil.copyfile(PROGRAMS / "faults.ts", program)
    package.require_clean(program)
    done = run([str(NODE), "--test", str(program)], cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_packages_are_pinned_by_hash_and_without_an_address() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []
    own = json.loads((SOURCE / "package.json").read_text())
    ranges = [*own["dependencies"].values(), *own["devDependencies"].values()]
    assert [one for one in ranges if not one[0].isdecimal()] == []


def test_archives_are_held_to_the_manifest(package: Built, tmp_path: Path) -> None:
    """ZIPs in the forms that Esteira writes, and in those that somebody else would."""
    content = b"a,b\n" + b"1,2\n" * 5000
    write_archives(tmp_path, content)
    program = package.user(tmp_path) / "archives.ts"
    shutil.copyfile(PROGRAMS / "archives.ts", program)
    package.require_clean(program)
    told = [hashlib.sha256(content).hexdigest(), str(len(content))]
    done = run([str(NODE), str(program), *told], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    good, nothing = {"good": 1, "changed": 0, "missing": 0, "unsigned": 0}, {"good": 0, "changed": 0, "missing": 0}
    assert json.loads(done.stdout) == {
        "stored": good,
        "packed": good,
        "large": good,
        "renamed": good,
        "changed": {**nothing, "changed": 1, "unsigned": 0},
        "longer": {**nothing, "changed": 1, "unsigned": 0},
        "spoilt": {**nothing, "changed": 1, "unsigned": 0},
        "more": {**good, "unsigned": 1},
        "twice": "not_checkable",
        "torn": "not_checkable",
    }


def write_archives(folder: Path, content: bytes) -> None:
    of_one = {
        "stored": ("tables/table.csv", content, ZIP_STORED),
        "packed": ("tables/table.csv", content, ZIP_DEFLATED),
        "changed": ("tables/table.csv", content[:-1] + b"!", ZIP_STORED),
        "longer": ("tables/table.csv", content + b"\0" * (64 << 20), ZIP_DEFLATED),
        "renamed": ("table.csv", content, ZIP_STORED),
    }
    for name, (inside, data, method) in of_one.items():
        with ZipFile(folder / f"{name}.zip", "w", method) as archive:
            archive.writestr(inside, data)
    for name, other in (("more", "run-me.sh"), ("twice", "tables/TABLE.csv")):
        with ZipFile(folder / f"{name}.zip", "w") as archive:
            archive.writestr("tables/table.csv", content)
            archive.writestr(other, content)
    twice = folder / "twice.zip"
    twice.write_bytes(twice.read_bytes().replace(b"TABLE", b"table"))
    whole = (folder / "packed.zip").read_bytes()
    (folder / "torn.zip").write_bytes(whole[:-30])
    (folder / "spoilt.zip").write_bytes(whole[:60] + b"\xff" * 8 + whole[68:])
    in_64_bits(folder / "stored.zip", folder / "large.zip")


def in_64_bits(small: Path, large: Path) -> None:
    """The same archive with its numbers where those of an archive of more than 4 GiB stand."""
    whole = small.read_bytes()
    at = whole.index(b"PK\x01\x02")
    central, name_end = whole[at:], 46 + int.from_bytes(whole[at + 28 : at + 30], "little")
    size = int.from_bytes(central[24:28], "little")
    extra = struct.pack("<HHQQQ", 1, 24, size, size, 0)
    nowhere = b"\xff" * 4
    entry = central[:20] + nowhere + nowhere + central[28:30] + struct.pack("<H", len(extra)) + central[32:42] + nowhere
    entry += central[46:name_end] + extra
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, 1, 1, len(entry), at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + len(entry), 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    large.write_bytes(whole[:at] + entry + end + locator + last)
