"""Step `report`: which documents hold text, how much, and what their pages look like."""

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from esteira_kit import charts, parts, sheets, step, wording
from esteira_kit.index import Index, Item, read_index
from esteira_kit.markup import Child, Html, tag
from esteira_kit.page import write_page

MOST_DETAILS = 150
# Thumbnails embedded per document, so that the page stays near 10 MB.
_MOST_THUMBNAILS = 600
_MOST_PER_DOCUMENT = 36
_OPEN_DETAILS = 3
_MOST_ROWS = 2000
_FEW_WORDS = 5
_EXCERPT = 1200
_MOST_BARS = 120


def main() -> None:
    index = read_index()
    items = list(index.items("read"))
    documents = [dict(item.json("_intermediate/document.json")) for item in items]
    _write_pages(documents)
    pages = [page for document in documents for page in document["pages"]]
    write_page(
        "report.html",
        pipeline="Text and pages of PDF documents",
        title=_title(documents),
        lead="What the pages hold. The full text of each document is in the text file beside this report.",
        facts=[
            *([("Documents", wording.number(len(documents)))] if len(documents) != 1 else []),
            ("Pages", wording.number(len(pages))),
            ("Words", wording.number(sum(page.get("words", 0) for page in pages))),
            ("Images in pages", wording.number(sum(page.get("images", 0) for page in pages))),
            ("Without text", wording.plural(sum(_is_scan(page) for page in pages), "page")),
        ],
        sections=_sections(items, documents, index),
    )


def _title(documents: Sequence[dict[str, Any]]) -> str:
    if len(documents) == 1:
        return str(documents[0]["metadata"].get("Title") or documents[0]["name"])
    return wording.plural(len(documents), "document")


def _is_scan(page: dict[str, Any]) -> bool:
    """A picture of text is no text: it cannot be searched or copied."""
    return bool(page.get("words", 0) < _FEW_WORDS and page.get("images", 0))


def _write_pages(documents: Sequence[dict[str, Any]]) -> None:
    keys = ("width_mm", "height_mm", "paper", "rotation", "chars", "words", "images", "fault")
    rows = (
        [document["name"], page["number"], *[page.get(key) for key in keys]]
        for document in documents
        for page in document["pages"]
    )
    sheets.write_csv("pages.csv", ["file", "page", *keys], rows)


def _sections(items: Sequence[Item], documents: Sequence[dict[str, Any]], index: Index) -> Iterator[Child]:
    yield parts.failures(index.failed_items)
    if len(documents) > 1:
        yield _overview(documents)
        yield _table(documents)
    most = max(4, min(_MOST_PER_DOCUMENT, _MOST_THUMBNAILS // max(len(documents), 1)))
    shown = list(zip(items, documents, strict=True))[:MOST_DETAILS]
    for place, (item, document) in enumerate(shown):
        yield _document(item, document, most, is_alone=len(items) == 1, is_open=place < _OPEN_DETAILS)
    if len(items) > MOST_DETAILS:
        yield parts.note(f"The first {MOST_DETAILS} documents are shown in detail; pages.csv has all {len(items):,}.")


def _overview(documents: Sequence[dict[str, Any]]) -> Html:
    by_words = sorted(documents, key=_words, reverse=True)[:8]
    papers = Counter(page.get("paper", "unreadable") for document in documents for page in document["pages"])
    producers = Counter(_program(document) or "not told" for document in documents)
    total = sum(papers.values())
    cards = (
        (
            "Most words",
            [(document["name"], _words(document), wording.number(_words(document))) for document in by_words],
        ),
        ("Paper", [(name, count, wording.percent(count, total)) for name, count in papers.most_common(8)]),
        ("Made with", [(name, count, wording.number(count)) for name, count in producers.most_common(8)]),
    )
    drawn = [tag("div", tag("h3", title), charts.bars(rows, label=title), class_="card") for title, rows in cards]
    return parts.section("At a glance", tag("div", drawn, class_="cards even"))


def _program(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    return str(metadata.get("Producer") or metadata.get("Creator") or "").split(" (")[0][:60]


def _words(document: dict[str, Any]) -> int:
    return sum(page.get("words", 0) for page in document["pages"])


def _table(documents: Sequence[dict[str, Any]]) -> Html:
    rows = [
        (
            document["name"],
            document["metadata"].get("Title") or wording.NOTHING,
            wording.number(len(document["pages"])),
            wording.number(_words(document)),
            wording.number(sum(page.get("images", 0) for page in document["pages"])),
            wording.size(document["size"]),
            parts.tags(_remarks(document)) or wording.NOTHING,
        )
        for document in documents[:_MOST_ROWS]
    ]
    header = ["File", "Title", "Pages", "Words", "Images", "Size", "Remarks"]
    return parts.section("All documents", parts.table("All documents", header, rows, ["", "", *["num"] * 4]))


def _remarks(document: dict[str, Any]) -> list[tuple[str, str]]:
    pages = document["pages"]
    scans = sum(_is_scan(page) for page in pages)
    faults = sum("fault" in page for page in pages)
    turned = sum(bool(page.get("rotation")) for page in pages)
    found = [
        (
            "scan without text" if scans == len(pages) else f"{wording.plural(scans, 'page')} without text",
            "warn",
            scans,
        ),
        (f"{wording.plural(faults, 'page')} unreadable", "bad", faults),
        ("no words", "", not scans and not _words(document)),
        (f"{wording.plural(turned, 'page')} turned", "", turned),
        ("form", "", document["has_form"]),
        ("tagged", "", document["is_tagged"]),
        (wording.plural(document["attachments"], "attachment"), "", document["attachments"]),
    ]
    return [(label, kind) for label, kind, is_so in found if is_so]


def _document(item: Item, document: dict[str, Any], most: int, *, is_alone: bool, is_open: bool) -> Html:
    metadata, pages = document["metadata"], document["pages"]
    body = [
        parts.tags(_remarks(document)),
        parts.pairs(
            [
                ("File", document["name"]),
                *[(key, metadata.get(key, "")) for key in ("Title", "Author", "Subject", "Creator", "Producer")],
                ("Created", _moment(metadata.get("CreationDate", ""))),
                ("PDF version", document["version"]),
                ("Text file", tag("code", document["text_file"])),
            ]
        ),
        _words_chart(pages),
        _thumbnails(item, pages, most),
        _excerpt(item, document["text_file"]),
    ]
    if is_alone:
        return parts.section("The document", *body)
    count = f"{wording.plural(len(pages), 'page')}, {wording.plural(_words(document), 'word')}"
    return parts.section(document["name"], parts.details(count, *body, is_open=is_open))


def _moment(text: str) -> str:
    """PDF writes D:20240531180211-03'00'."""
    digits = text.removeprefix("D:")
    if len(digits) < 8 or not digits[:8].isdigit():  # noqa: PLR2004
        return text
    time = f" {digits[8:10]}:{digits[10:12]}" if digits[8:12].isdigit() and len(digits) >= 12 else ""  # noqa: PLR2004
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}{time}"


def _words_chart(pages: Sequence[dict[str, Any]]) -> Html | None:
    if len(pages) < 2:  # noqa: PLR2004
        return None
    each = -(-len(pages) // _MOST_BARS)
    groups = [pages[first : first + each] for first in range(0, len(pages), each)]
    names = [
        f"Page {group[0]['number']}" if len(group) == 1 else f"Pages {group[0]['number']} to {group[-1]['number']}"
        for group in groups
    ]
    counts = [sum(page.get("words", 0) for page in group) for group in groups]
    caption = "Words on each page" if each == 1 else f"Words on every {each} pages"
    return charts.histogram(
        counts, label=caption, caption=caption, axis=("page 1", f"page {len(pages)}"), names=names, is_low=True
    )


def _thumbnails(item: Item, pages: Sequence[dict[str, Any]], most: int) -> Child:
    drawn = [page for page in pages if "thumbnail" in page][:most]
    if not drawn:
        return None
    rest = len(pages) - len(drawn)
    return [
        tag("ul", [_thumbnail(item, page) for page in drawn], class_="gallery pages"),
        tag("p", f"{wording.plural(rest, 'more page')} not shown here.", class_="sub") if rest else None,
    ]


def _thumbnail(item: Item, page: dict[str, Any]) -> Html:
    data = base64.b64encode(item.files[page["thumbnail"]].path.read_bytes()).decode()
    words = "scan, no text" if _is_scan(page) else wording.plural(page["words"], "word")
    picture = tag("img", src=f"data:image/jpeg;base64,{data}", alt=f"Page {page['number']}")
    return tag("li", tag("span", picture, class_="frame"), tag("b", f"Page {page['number']}"), words)


def _excerpt(item: Item, name: str) -> Child:
    with item.files[name].path.open(encoding="utf-8") as source:
        text = source.read(_EXCERPT).replace("\f", "\n").strip()
    return parts.details("How the text begins", tag("pre", text, class_="prose")) if text else None


if __name__ == "__main__":
    step.run(main)
