"""What is inside a file, without downloading it: tables, archives, documents; hostile ones are text and pictures."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING, Final

import duckdb
import pytest
from PIL import Image

from orchestration.services import previews
from tests.factories import make_file
from tests.frontend.ask import fetch

if TYPE_CHECKING:
    from pathlib import Path

    from orchestration.models import User, Workspace

pytestmark = pytest.mark.django_db

MARKUP: Final = "<img src=x onerror=alert(1)>"


@pytest.fixture
def look(owner: User, lab: Workspace) -> Look:
    return Look(owner, lab)


class Look:
    """The preview of a file made of these bytes."""

    def __init__(self, owner: User, lab: Workspace) -> None:
        self.owner, self.lab = owner, lab

    def __call__(self, data: bytes, media_type: str) -> str:
        file = make_file(self.lab, self.owner, "any", data, media_type=media_type)
        got = fetch(self.owner, f"/files/{file.pk}/preview")
        assert got.status == 200
        assert got.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        return got.body.decode()


def test_csv_is_a_table_with_types_and_nothing_in_it_is_markup(look: Look) -> None:
    said = look(f"name;grams;born\nAda;3.5;2020-01-31\n{MARKUP};=1+1;\n".encode(), "text/csv; charset=utf-8")
    assert "2 rows." in said
    assert "<bdi>grams</bdi><small>text</small>" in said
    assert "<bdi>born</bdi><small>date</small>" in said
    assert MARKUP not in said
    assert "&lt;img src=x onerror" in said


def test_only_the_first_rows_and_columns_of_a_large_csv_are_shown(look: Look) -> None:
    line = ",".join(str(n) for n in range(200)) + "\n"
    said = look(line.encode() * 50_000, "text/csv")
    assert "The first 50 rows." in said
    assert "60 of 200 columns are shown." in said
    assert said.count("<tr>") == 51


def test_parquet_is_a_table_with_the_types_it_names(look: Look, tmp_path: Path) -> None:
    table = tmp_path / "t.parquet"
    duckdb.sql(
        f"COPY (SELECT i AS id, 'n' || i AS \"a name\", [i] AS l, NULL AS e FROM range(1234) t(i)) TO '{table}'"  # noqa: S608
    )
    said = look(table.read_bytes(), "application/vnd.apache.parquet")
    assert "The first 50 of 1,234 rows." in said
    assert "<bdi>a name</bdi><small>VARCHAR</small>" in said
    assert "<bdi>n49</bdi>" in said
    assert "<bdi>n50</bdi>" not in said


def test_names_in_an_archive_are_listed_and_never_unpacked(look: Look) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../etc/passwd", b"x" * 10)
        archive.writestr(f"d/{MARKUP}", b"")
        archive.writestr("d/", b"")
    said = look(packed.getvalue(), "application/zip")
    assert "3 entries." in said
    assert '<bdi>../../etc/passwd</bdi></td><td class="num">10 B' in said
    assert MARKUP not in said


def test_compressed_tar_is_an_archive_and_one_compressed_file_is_none(look: Look) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("one/two.txt")
        archive.addfile(info, io.BytesIO())
    assert "one/two.txt" in look(packed.getvalue(), "application/gzip")
    assert "This is one compressed file." in look(gzip.compress(b"alone"), "application/gzip")


def test_pages_of_a_document_are_pictures(look: Look) -> None:
    packed = io.BytesIO()
    page = Image.new("RGB", (200, 300), "white")
    page.save(packed, "PDF", save_all=True, append_images=[page] * 4)
    said = look(packed.getvalue() + b"<script>alert(1)</script>", "application/pdf")
    assert said.count("data:image/jpeg;base64,") == 3
    assert "The first 3 of 5 pages." in said
    assert "script" not in said


@pytest.mark.parametrize(
    "media_type",
    ["application/vnd.apache.parquet", "application/zip", "application/x-tar", "application/gzip", "application/pdf"],
)
def test_damaged_file_is_said_to_be_so(look: Look, media_type: str) -> None:
    assert "This file cannot be looked into." in look(b"PAR1PK\x03\x04 not what it says %PDF-", media_type)


def test_look_that_takes_too_long_is_given_up(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PATIENCE_S", 0.001)
    assert "This file cannot be looked into." in look(b"a,b\n", "text/csv")


def test_look_waits_for_its_turn_and_says_when_none_comes(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "PATIENCE_S", 0.01)
    for _ in range(previews.AT_ONCE):
        assert previews._turns.acquire(blocking=False)
    try:
        assert "Try again in a moment." in look(b"a,b\n", "text/csv")
    finally:
        for _ in range(previews.AT_ONCE):
            previews._turns.release()


def test_stranger_looks_into_nothing(stranger: User, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "a.csv", b"a,b\n", media_type="text/csv")
    assert fetch(stranger, f"/files/{file.pk}/preview").status == 404


def test_program_sees_no_file_but_the_one_it_was_given(
    owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch, settings: object, tmp_path: Path
) -> None:
    """Behind bubblewrap: a parser that was taken over could open no file and reach no network."""
    from orchestration import peek
    from orchestration.runner import sandbox

    if not (bwrap := sandbox.find()) or not sandbox.works(bwrap, None):
        pytest.skip("no bubblewrap here")
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import json, os, socket\n"
        f"seen = [os.path.exists({str(tmp_path / 'secret')!r}), os.path.exists({peek.__file__!r})]\n"
        "nets = [name for _, name in socket.if_nameindex()]\n"
        "print(json.dumps({'entries': [{'name': f'{seen} {nets} {sorted(os.environ)}', 'size': 1}], 'total': 1}))\n"
    )
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(peek, "__file__", str(spy))
    monkeypatch.setattr("django.conf.settings.STEP_ISOLATION", "auto")
    previews._program.cache_clear()
    try:
        found = previews.look_into(make_file(lab, owner, "a.zip", b"PK", media_type="application/zip"))
    finally:
        previews._program.cache_clear()
    assert found.entries[0]["name"].startswith("[False, False] ['lo'] ")
    assert "ESTEIRA" not in found.entries[0]["name"]
