"""PDF documents give their text, page images and numbers; locked and broken ones are refused."""

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.pipelines.corpus_files import CORPUS, family, is_sentence
from tests.pipelines.step_contract import Ended, Job

DOCUMENTS = CORPUS / "documents"
BROKEN = CORPUS / "broken" / "documents"
REFUSALS = {
    "aes-128.pdf": "protected by a password",
    "aes-256-r6.pdf": "protected by a password",
    "aes-256.pdf": "protected by a password",
    "empty.pdf": "This file is empty",
    "head-only.pdf": "damaged",
    "loop.pdf": "None of the pages",
    "mark-only.pdf": "damaged",
    "no-pages.pdf": "damaged",
    "noise.pdf": "damaged",
    "rc4-40.pdf": "protected by a password",
    "really-a-jpeg.pdf": "not a PDF document",
    "really-a-zip.pdf": "not a PDF document",
    "text.pdf": "not a PDF document",
}


def read(folder: Path, document: Path, **params: object) -> Ended:
    return Job(folder, "document-text", dict(params)).item("read", document)


@pytest.mark.parametrize("document", family("documents"), ids=lambda path: path.name)
def test_document_gives_text_and_pages(tmp_path: Path, document: Path) -> None:
    ended = read(tmp_path, document, dpi=50)

    assert ended.code == 0, ended.log
    facts = ended.json("_intermediate/document.json")
    pages = [page for page in facts["pages"] if "fault" not in page]
    expected = {page["image"] for page in pages} | {page["thumbnail"] for page in pages}
    assert ended.names() == expected | {facts["text_file"], "_intermediate/document.json"}
    text = ended.text(facts["text_file"])
    assert text.count("\f") == len(facts["pages"]) - 1
    assert len(text.split()) == sum(page["words"] for page in pages)


@pytest.mark.parametrize("document", family("broken/documents"), ids=lambda path: path.name)
def test_broken_document_is_refused_with_a_sentence(tmp_path: Path, document: Path) -> None:
    ended = read(tmp_path, document)

    assert ended.code == 65, ended.log
    assert is_sentence(ended.sentence)
    assert REFUSALS[document.name] in ended.sentence


def test_text_is_what_the_page_says(tmp_path: Path) -> None:
    ended = read(tmp_path, DOCUMENTS / "chromium-print.pdf")

    text = ended.text("chromium-print.txt")
    facts = ended.json("_intermediate/document.json")
    assert "Parágrafo 7: a esteira leva os pacotes até a doca" in " ".join(text.split())
    assert facts["metadata"]["Title"] == "Relatório de vendas"
    assert {page["paper"] for page in facts["pages"]} == {"A5 landscape"}


def test_page_images_follow_the_parameters(tmp_path: Path) -> None:
    ended = read(tmp_path, DOCUMENTS / "chromium-print.pdf", dpi=72, image_format="png", max_pages=1)

    images = [name for name in ended.names() if name.startswith("chromium-print-pages/")]
    assert images == ["chromium-print-pages/page-0001.png"]
    with Image.open(ended.outputs / images[0]) as image:
        assert image.size == pytest.approx((595, 420), abs=2)


def test_giant_page_is_drawn_small(tmp_path: Path) -> None:
    giant = tmp_path / "giant.pdf"
    giant.write_bytes(
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 900000 900000]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"
    )

    ended = read(tmp_path / "job", giant, dpi=300)
    with Image.open(ended.outputs / "giant-pages" / "page-0001.jpg") as image:
        assert image.width * image.height <= 25_000_000


def test_report_tells_scans_from_text(tmp_path: Path) -> None:
    job = Job(tmp_path, "document-text", {"dpi": 50})
    for number, document in enumerate(
        (
            DOCUMENTS / "chromium-print.pdf",
            DOCUMENTS / "scan.pdf",
            BROKEN / "aes-256.pdf",
            DOCUMENTS / "qpdf-rotated.pdf",
        )
    ):
        job.item("read", document, number)

    ended = job.gather("report")
    assert ended.code == 0, ended.log
    page = ended.text("report.html")
    for words in (
        "3 documents",
        "scan without text",
        "protected by a password",
        "1 page turned",
        "Relatório de vendas",
    ):
        assert words in page
    rows = list(csv.DictReader(io.StringIO(ended.text("pages.csv"))))
    assert {row["file"] for row in rows} == {"chromium-print.pdf", "scan.pdf", "qpdf-rotated.pdf"}
