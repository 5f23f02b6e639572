"""Contact sheet: pages of numbered thumbnails, as a printer takes them (A4 at 150 dots an inch)."""

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from esteira_kit import step
from PIL import Image, ImageDraw, ImageFont

_PAGE = (1240, 1754)
_MARGIN, _GAP, _CAPTION = 60, 20, 34
_COLUMNS, _ROWS = 5, 6
PER_PAGE = _COLUMNS * _ROWS
_INK, _SOFT = (27, 33, 38), (92, 103, 112)
_TEXT, _TITLE = 17, 24


class Picture(NamedTuple):
    name: str
    thumbnail: Path


def write_pages(pictures: Sequence[Picture], progress: step.Progress) -> list[str]:
    """One page stands in memory at a time."""
    pages = -(-len(pictures) // PER_PAGE)
    digits = max(2, len(str(pages)))
    names = []
    for number, first in enumerate(range(0, len(pictures), PER_PAGE), 1):
        page = _page(pictures[first : first + PER_PAGE], f"Page {number} of {pages}")
        name = f"contact-sheet-{number:0{digits}}.jpg"
        page.save(step.output(name), "JPEG", quality=85, optimize=True, dpi=(150, 150))
        names.append(name)
        progress(0.5 * number / pages, f"Contact sheet {number} of {pages}")
    return names


def _page(pictures: Sequence[Picture], footer: str) -> Image.Image:
    page = Image.new("RGB", _PAGE, "white")
    pen = ImageDraw.Draw(page)
    text, small = ImageFont.load_default(_TEXT), ImageFont.load_default(_TITLE)
    for picture, (left, top, width, height) in zip(pictures, _cells(), strict=False):
        _place(page, picture.thumbnail, (left, top, width, height - _CAPTION))
        pen.text(
            (left + width / 2, top + height - _CAPTION + 8),
            _fitted(pen, picture.name, text, width),
            fill=_INK,
            font=text,
            anchor="ma",
        )
    pen.text((_PAGE[0] / 2, _PAGE[1] - _MARGIN / 2), footer, fill=_SOFT, font=small, anchor="mm")
    return page


def _cells() -> Iterator[tuple[int, int, int, int]]:
    width = (_PAGE[0] - 2 * _MARGIN - (_COLUMNS - 1) * _GAP) // _COLUMNS
    height = (_PAGE[1] - 2 * _MARGIN - (_ROWS - 1) * _GAP) // _ROWS
    for row in range(_ROWS):
        for column in range(_COLUMNS):
            yield _MARGIN + column * (width + _GAP), _MARGIN + row * (height + _GAP), width, height


def _place(page: Image.Image, path: Path, box: tuple[int, int, int, int]) -> None:
    left, top, width, height = box
    with Image.open(path) as thumbnail:
        thumbnail.thumbnail((width, height), Image.Resampling.LANCZOS)
        page.paste(thumbnail, (left + (width - thumbnail.width) // 2, top + (height - thumbnail.height) // 2))


def _plain(name: str) -> str:
    """Pillow's own font knows the basic Latin letters only: accents go, other letters become a sign each."""
    letters = (letter for letter in unicodedata.normalize("NFKD", name) if not unicodedata.combining(letter))
    return "".join(letter if letter.isascii() else "?" for letter in letters)


def _fitted(pen: ImageDraw.ImageDraw, name: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """The name, or its beginning and end: the end is where numbers stand."""
    name = _plain(step.one_line(name, 200))
    if pen.textlength(name, font) <= width:
        return name
    for kept in range(len(name) - 1, 6, -1):
        shorter = name[: kept // 2] + "…" + name[-(kept - kept // 2) :]
        if pen.textlength(shorter, font) <= width:
            return shorter
    return name[:6]
