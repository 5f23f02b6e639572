"""What one page holds: its text, its numbers, its picture."""

import math
from itertools import islice
from typing import TYPE_CHECKING, Any

import pypdfium2.raw as pdfium_c  # type: ignore[import-untyped]
from esteira_kit.wording import TIMES

if TYPE_CHECKING:
    from PIL.Image import Image
    from pypdfium2 import PdfPage

_POINTS_AN_INCH = 72
_MM_A_POINT = 25.4 / _POINTS_AN_INCH
# A page may claim to be as large as a house; its picture is drawn smaller then.
_MOST_PIXELS, _MOST_SIDE = 25_000_000, 8000
_MOST_OBJECTS = 20_000
_PAPERS = (("A3", 297, 420), ("A4", 210, 297), ("A5", 148, 210), ("Letter", 216, 279), ("Legal", 216, 356))
_PAPER_TOLERANCE_MM = 2


def text_of(page: "PdfPage") -> str:
    textpage = page.get_textpage()
    try:
        text = str(textpage.get_text_range())
    finally:
        textpage.close()
    # PDFium marks a hyphen at the end of a line with a letter of its own.
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\ufffe", "-").replace("\x02", "-").replace("\0", "")


def numbers_of(page: "PdfPage", text: str) -> dict[str, Any]:
    width, height = (round(side * _MM_A_POINT, 1) for side in page.get_size())
    return {
        "width_mm": width,
        "height_mm": height,
        "paper": _paper(width, height),
        "rotation": page.get_rotation(),
        "chars": sum(not letter.isspace() for letter in text),
        "words": len(text.split()),
        "images": sum(1 for _ in islice(page.get_objects([pdfium_c.FPDF_PAGEOBJ_IMAGE], max_depth=4), _MOST_OBJECTS)),
    }


def picture_of(page: "PdfPage", dpi: float) -> "Image":
    width, height = (max(side, 1e-3) for side in page.get_size())
    scale = dpi / _POINTS_AN_INCH
    scale = min(scale, math.sqrt(_MOST_PIXELS / (width * height)), _MOST_SIDE / width, _MOST_SIDE / height)
    # The long side of a hair-thin page must not leave the short one without a pixel.
    bitmap = page.render(scale=scale)
    try:
        picture: Image = bitmap.to_pil().convert("RGB")
    finally:
        bitmap.close()
    return picture


def _paper(width: float, height: float) -> str:
    short, long = sorted((width, height))
    if short < 1:
        return "no size"
    for name, paper_short, paper_long in _PAPERS:
        if abs(short - paper_short) <= _PAPER_TOLERANCE_MM and abs(long - paper_long) <= _PAPER_TOLERANCE_MM:
            return f"{name} {'portrait' if width <= height else 'landscape'}"
    return f"{width:.0f} {TIMES} {height:.0f} mm"
