"""Any file is inspected; archives are counted within bounds and never unpacked."""

import gzip
import hashlib
import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest

from tests.pipelines.corpus_files import CORPUS, family
from tests.pipelines.step_contract import Ended, Job

ARCHIVES = CORPUS / "archives"
EVERYTHING = [
    path
    for name in ("tabular", "images", "documents", "archives", "broken/tabular", "broken/images", "broken/documents")
    for path in family(name)
]
KINDS = {
    "app.jar": "Java archive",
    "book.epub": "EPUB book",
    "hello.docx": "Word document",
    "workbook.xlsx": "Excel workbook",
    "sheet.ods": "OpenDocument sheet",
    "gnu.tar.gz": "tar archive, packed with gzip",
    "gnu.tar.zst": "Zstandard data",
    "v7.tar": "tar archive",
    "hopper.webp": "WebP image",
    "hopper_lzw.tif": "TIFF image",
    "simple1.pdf": "PDF document",
    "penguins.json": "JSON text",
    "web-page.csv": "HTML page",
    "nulls.snappy.parquet": "Parquet table",
    "empty.csv": "Empty file",
}
# What is found in hostile archives; each is still inspected to its end.
FINDINGS = {
    "bad-checksum.tar": "wrong checksum",
    "climbing.tar": "leads out of the folder",
    "climbing.zip": "has an absolute path",
    "cut.tar": "ends too early",
    "cut.tar.gz": "ends too early",
    "cut.tar.xz": "ends too early",
    "cut.zip": "directory is missing",
    "deeply-nested.zip": "nested more than 4 levels",
    "device.tar": "is a device",
    "empty.zip": "",
    "hard-link.tar": "is a hard link",
    "huge-pax-header.tar": "impossibly large",
    "lying-size.zip": "does not match its checksum and stated size",
    "overlapping.zip": "does not fit its entries",
    "page-in-gif.gif": "",
    "png-and-zip.png": "ZIP archive is attached",
    "program-named.txt": "the content is: ELF",
    "symlink-then-write.tar": "is a symbolic link",
    "symlink.zip": "is a symbolic link",
    "text-named.zip": "the content is: Plain text",
}


def inspect(folder: Path, file: Path, **params: object) -> dict[str, Any]:
    ended = Job(folder, "inspect", dict(params)).item("inspect", file)
    assert ended.code == 0, ended.log
    return dict(ended.json(f"{file.name}.inspect.json"))


def findings(result: dict[str, Any]) -> str:
    archive = result["archive"] or {"stopped": "", "warnings": []}
    return " ".join([*result["warnings"], archive["stopped"], *archive["warnings"]])


@pytest.mark.parametrize("file", EVERYTHING, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_any_file_is_inspected(tmp_path: Path, file: Path) -> None:
    result = inspect(tmp_path, file)

    content = file.read_bytes()
    assert result["size"] == len(content)
    assert result["digests"]["md5"] == hashlib.md5(content, usedforsecurity=False).hexdigest()
    assert result["digests"]["sha1"] == hashlib.sha1(content, usedforsecurity=False).hexdigest()
    assert result["digests"]["sha256"] == hashlib.sha256(content).hexdigest()
    assert result["digests"]["crc32"] == f"{zlib.crc32(content):08x}"
    assert result["kind"]["name"] == KINDS.get(file.name, result["kind"]["name"])


@pytest.mark.parametrize("file", family("broken/archives"), ids=lambda path: path.name)
def test_hostile_archive_is_seen_through(tmp_path: Path, file: Path) -> None:
    assert FINDINGS[file.name] in findings(inspect(tmp_path, file))


@pytest.mark.parametrize("name", ["infozip.zip", "gnu.tar", "gnu.tar.gz", "gnu.tar.bz2", "gnu.tar.xz", "pax.tar"])
def test_archive_is_listed_with_actual_sizes(tmp_path: Path, name: str) -> None:
    entries = inspect(tmp_path, ARCHIVES / name)["archive"]["entries"]

    sizes = {Path(entry["name"]).name: entry["actual"] for entry in entries if entry["kind"] == "file"}
    assert sizes == {
        "hopper.jpg": (CORPUS / "images" / "hopper.jpg").stat().st_size,
        "iowa-electricity.csv": (CORPUS / "tabular" / "iowa-electricity.csv").stat().st_size,
        "leia-me.txt": len("Olá, mundo\n".encode()),
    }


def test_archives_in_archives_are_read_and_counted(tmp_path: Path) -> None:
    archive = inspect(tmp_path, ARCHIVES / "nested.zip")["archive"]

    names = {entry["name"] for entry in archive["entries"]}
    assert "infozip.zip → hopper.jpg" in names
    assert "gnu.tar.gz → ./leia-me.txt" in names
    assert archive["deepest"] == 1


def test_bomb_is_stopped_by_its_ratio(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.gz"
    with gzip.open(bomb, "wb") as sink:
        for _ in range(512):
            sink.write(bytes(1 << 20))

    result = inspect(tmp_path / "job", bomb)
    assert "as a decompression bomb does" in result["archive"]["stopped"]
    assert result["archive"]["expanded"] < 260 * bomb.stat().st_size


def test_bomb_in_many_layers_is_stopped_too(tmp_path: Path) -> None:
    layer = bytes(1 << 20)
    for depth in range(3):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for place in range(16):
                archive.writestr(f"{depth}-{place}.zip", layer)
        layer = packed.getvalue()
    bomb = tmp_path / "42.zip"
    bomb.write_bytes(layer)

    assert "bomb" in inspect(tmp_path / "job", bomb)["archive"]["stopped"]


def test_entries_and_expanded_size_are_bounded(tmp_path: Path) -> None:
    many = tmp_path / "many.zip"
    with zipfile.ZipFile(many, "w") as archive:
        for place in range(3000):
            archive.writestr(f"{place}.txt", "x" * 1000)

    entries = inspect(tmp_path / "a", many, max_entries=100)["archive"]
    size = inspect(tmp_path / "b", many, max_expanded_mib=1)["archive"]
    assert "more than 100 entries" in entries["stopped"]
    assert "more than 1.0 MiB" in size["stopped"]


@pytest.mark.parametrize(
    ("content", "encoding", "endings", "lines"),
    [
        (b"one\ntwo\n", "ASCII", "LF (Unix)", 2),
        ("olá\r\nmundo".encode(), "UTF-8", "CRLF (Windows)", 2),
        ("olá\r\n".encode("utf-16"), "UTF-16 LE", "CRLF (Windows)", 1),
        ("ação\n".encode("cp1252"), "Windows-1252 or another 8-bit encoding", "LF (Unix)", 1),
        (b"\xef\xbb\xbfx\ry", "UTF-8 with byte order mark", "CR (old Mac)", 2),
        (b"mixed\r\nends\n", "ASCII", "LF (Unix) and CRLF (Windows)", 2),
    ],
)
def test_text_is_described(tmp_path: Path, content: bytes, encoding: str, endings: str, lines: int) -> None:
    file = tmp_path / "words.txt"
    file.write_bytes(content)

    text = inspect(tmp_path / "job", file)["text"]
    assert (text["encoding"], text["line_endings"], text["lines"]) == (encoding, endings, lines)


def test_line_break_on_a_chunk_border_counts_once(tmp_path: Path) -> None:
    file = tmp_path / "border.txt"
    file.write_bytes(b"a" * ((1 << 20) - 1) + b"\r\nb\r\n")

    assert inspect(tmp_path / "job", file)["text"]["line_endings"] == "CRLF (Windows)"


def test_report_covers_all_files_and_hides_no_markup(tmp_path: Path) -> None:
    job = Job(tmp_path, "inspect")
    for number, file in enumerate([*family("archives"), *family("broken/archives"), ARCHIVES / "infozip.zip"]):
        job.item("inspect", file, number, known_as="<script>alert(1)<!--.zip" if number == 2 else "")

    ended = job.gather("report")
    assert ended.code == 0, ended.log
    assert ended.names() == {"report.html", "files.csv", "SHA256SUMS"}
    page = ended.text("report.html")
    for words in ("43 files inspected", "Identical files", "is a symbolic link", "&lt;script&gt;alert(1)"):
        assert words in page
    assert "<script" not in page
    assert _sums(ended)["infozip.zip"] == hashlib.sha256((ARCHIVES / "infozip.zip").read_bytes()).hexdigest()


def _sums(ended: Ended) -> dict[str, str]:
    lines = ended.text("SHA256SUMS").splitlines()
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
