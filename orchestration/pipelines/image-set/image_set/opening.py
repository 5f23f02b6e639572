"""Opens an image from a stranger: its size is known before a pixel is decoded, its faults become sentences."""

import struct
import warnings
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from esteira_kit.step import Refusal
from esteira_kit.wording import TIMES
from PIL import Image, UnidentifiedImageError

# Only these readers are ever loaded; Pillow knows many more that nobody asked for.
_FORMS = (
    (b"\xff\xd8\xff", 0, "Jpeg", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", 0, "Png", "PNG"),
    (b"GIF8", 0, "Gif", "GIF"),
    (b"WEBP", 8, "WebP", "WEBP"),
    (b"II*\0", 0, "Tiff", "TIFF"),
    (b"MM\0*", 0, "Tiff", "TIFF"),
    (b"II+\0", 0, "Tiff", "TIFF"),
    (b"MM\0+", 0, "Tiff", "TIFF"),
    (b"BM", 0, "Bmp", "BMP"),
)
# What Pillow's readers raise on damaged files. OSError is its word for truncated data; nothing is written meanwhile.
DAMAGED = (
    OSError, SyntaxError, ValueError, TypeError, IndexError, KeyError, AttributeError, EOFError, OverflowError,
    ZeroDivisionError, NotImplementedError, RuntimeError, struct.error,
)  # fmt: skip
_MILLION = 1_000_000


class Opened(NamedTuple):
    image: Image.Image
    form: str


def open_image(path: Path, max_megapixels: int) -> Opened:
    with path.open("rb") as source:
        head = source.read(32)
    if not head:
        raise Refusal("This file is empty.")
    form = next(((module, name) for mark, offset, module, name in _FORMS if head.startswith(mark, offset)), None)
    if form is None:
        raise Refusal("This file is not a JPEG, PNG, GIF, WebP, TIFF or BMP image.")
    module, name = form
    import_module(f"PIL.{module}ImagePlugin")
    # Pillow's reader of WebP takes memory for the whole canvas before it tells the size.
    if name == "WEBP":
        _bound(*_webp_size(head), max_megapixels)
    # "error" for the one warning that is a bound; the rest is for authors of readers.
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = None  # nothing is decoded yet, and the sentence below tells the size
    try:
        image = Image.open(path, formats=[name])
    except UnidentifiedImageError as fault:
        # Pillow says the same of a form that it does not know, such as a TIFF of 64-bit floats.
        raise Refusal(
            f"This file begins like a {_said(name)} image, but its header is damaged or of an unsupported kind."
        ) from fault
    except DAMAGED as fault:
        raise damaged(name, fault) from fault
    _bound(image.width, image.height, max_megapixels)
    # Some readers learn of larger frames only while they decode; from here on Pillow's own bound holds.
    Image.MAX_IMAGE_PIXELS = max_megapixels * _MILLION
    return Opened(image, name)


def _webp_size(head: bytes) -> tuple[int, int]:
    match head[12:16]:
        case b"VP8X":
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case _:
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF


def _bound(width: int, height: int, max_megapixels: int) -> None:
    if width * height > max_megapixels * _MILLION:
        raise Refusal(
            f"This image claims {width:,} {TIMES} {height:,} pixels; the limit is {max_megapixels} megapixels. "
            "It was not decoded."
        )


def damaged(form: str, fault: BaseException) -> Refusal:
    if isinstance(fault, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return Refusal("This image holds more pixels than its header says; it was not decoded.")
    text = str(fault).lower()
    if "truncated" in text or "eof" in text or isinstance(fault, EOFError):
        return Refusal(f"This {_said(form)} image is cut off before its end.")
    return Refusal(f"This {_said(form)} image is damaged and cannot be decoded.")


def _said(form: str) -> str:
    return {"WEBP": "WebP"}.get(form, form)
