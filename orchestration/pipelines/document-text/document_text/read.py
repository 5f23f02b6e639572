"""Step `read`: one PDF becomes a text file, page images and numbers for every page."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from esteira_kit import step
from esteira_kit.index import read_index
from esteira_kit.step import Refusal

from document_text.opening import open_document

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument  # type: ignore[import-untyped]

_MOST_PAGES = 20_000
_THUMBNAILS, _THUMBNAIL = 60, 220
_METADATA = ("Title", "Author", "Subject", "Creator", "Producer", "CreationDate", "ModDate")
_PAGE_BREAK = "\f"


def main() -> None:
    file = read_index().own_input()
    params = step.params()
    document = open_document(file.path)
    if len(document) > _MOST_PAGES:
        raise Refusal(f"This document has {len(document):,} pages; the limit is {_MOST_PAGES:,}.")
    facts = _facts(document) | {"name": file.name, "size": file.size}
    facts["pages"] = _read_pages(document, step.stem(file.name), params)
    if all("fault" in page for page in facts["pages"]):
        raise Refusal("None of the pages of this document can be read.")
    facts["text_file"] = f"{step.stem(file.name)}.txt"
    step.write_json("_intermediate/document.json", facts)
    document.close()


def _facts(document: "PdfDocument") -> dict[str, Any]:
    metadata = document.get_metadata_dict(skip_empty=True)
    version = document.get_version()
    return {
        "metadata": {key: step.one_line(metadata[key], 300) for key in _METADATA if metadata.get(key)},
        "version": f"{version / 10:.1f}" if version else "",
        "is_tagged": document.is_tagged(),
        "has_form": bool(document.get_formtype()),
        "attachments": document.count_attachments(),
    }


def _read_pages(document: "PdfDocument", stem: str, params: dict[str, Any]) -> list[dict[str, Any]]:
    from pypdfium2 import PdfiumError  # noqa: PLC0415 - loaded once a document is open

    with suppress(PdfiumError):  # a broken form costs its fields in the pictures, nothing else
        document.init_forms()
    progress, pages, total = step.Progress(), [], len(document)
    with step.output(f"{stem}.txt").open("w", encoding="utf-8", errors="replace") as text_file:
        for place in range(total):
            progress(place / total, f"Page {place + 1} of {total}")
            try:
                text, numbers = _read_page(document, place, stem, params)
            except PdfiumError:
                text, numbers = "", {"fault": "This page cannot be read."}
            text_file.write(text if not place else _PAGE_BREAK + text)
            pages.append({"number": place + 1, **numbers})
    progress(1, "Done")
    return pages


def _read_page(document: "PdfDocument", place: int, stem: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    from document_text.pages import numbers_of, picture_of, text_of  # noqa: PLC0415 - they need the library

    page = document[place]
    try:
        text = text_of(page)
        numbers = numbers_of(page, text)
        if place < params["max_pages"]:
            picture = picture_of(page, params["dpi"])
            ending = "jpg" if params["image_format"] == "jpeg" else "png"
            numbers["image"] = f"{stem}-pages/page-{place + 1:04}.{ending}"
            target = step.output(numbers["image"])
            picture.save(target, **({"quality": 85, "optimize": True} if ending == "jpg" else {"optimize": True}))
        elif place < _THUMBNAILS:
            picture = picture_of(page, 40)
        if place < _THUMBNAILS:
            picture.thumbnail((_THUMBNAIL, _THUMBNAIL * 2))
            numbers["thumbnail"] = f"_intermediate/page-{place + 1:04}.jpg"
            picture.save(step.output(numbers["thumbnail"]), quality=72, optimize=True)
    finally:
        page.close()
    return text, numbers


if __name__ == "__main__":
    step.run(main)
