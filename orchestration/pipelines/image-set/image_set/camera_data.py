"""The row of camera data for one image: a few known tags, cleaned; never the raw block."""

from collections.abc import Mapping
from typing import Any

from PIL import Image

from image_set.opening import DAMAGED

_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_TEXTS = {"make": 0x010F, "model": 0x0110, "software": 0x0131, "artist": 0x013B, "copyright": 0x8298}
_DETAIL_TEXTS = {"lens": 0xA434, "taken_at": 0x9003}
_DETAIL_NUMBERS = {"exposure_s": 0x829A, "f_number": 0x829D, "iso": 0x8827, "focal_length_mm": 0x920A}
_DATE_OF_FILE = 0x0132
_ORIENTATION = 0x0112
_LONGEST = 120


def read(image: Image.Image, *, with_position: bool) -> dict[str, Any]:
    """Empty when the image has none; a broken tag costs that tag."""
    try:
        exif = image.getexif()
    except DAMAGED:
        return {}
    details = _folder(exif, _EXIF_IFD)
    row: dict[str, Any] = {key: _text(_value(exif, tag)) for key, tag in _TEXTS.items()}
    row |= {key: _text(_value(details, tag)) for key, tag in _DETAIL_TEXTS.items()}
    row |= {key: _number(_value(details, tag)) for key, tag in _DETAIL_NUMBERS.items()}
    row["taken_at"] = _moment(row["taken_at"] or _text(_value(exif, _DATE_OF_FILE)))
    row["orientation"] = _number(_value(exif, _ORIENTATION))
    position = _folder(exif, _GPS_IFD)
    row["has_position"] = bool(position) and _degrees(position, 2, 1) is not None
    if with_position:
        row["latitude"], row["longitude"] = _degrees(position, 2, 1), _degrees(position, 4, 3)
    return {key: value for key, value in row.items() if value not in {None, ""}}


def _folder(exif: Image.Exif, tag: int) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(tag)
    except DAMAGED:
        return {}


def _value(tags: Mapping[int, Any], tag: int) -> Any:
    try:
        return tags.get(tag)
    except DAMAGED:
        return None


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    # Strings end at a zero; some cameras fill the rest with what was in memory.
    return " ".join(value.split("\0", 1)[0].split())[:_LONGEST]


def _number(value: Any) -> float | None:
    if isinstance(value, tuple):
        value = value[0] if value else None
    try:
        number = float(value)
    except DAMAGED:
        return None
    return round(number, 6) if abs(number) < 1e9 else None  # noqa: PLR2004 - also drops infinity and NaN


def _moment(text: str) -> str:
    """EXIF writes 2024:05:31 18:02:11; only what has that form is taken for a date."""
    day, _, time = text.partition(" ")
    parts = day.replace("-", ":").split(":")
    if len(parts) != 3 or not all(part.isdigit() for part in parts) or int(parts[0]) < 1900:  # noqa: PLR2004
        return ""
    year, month, date = (int(part) for part in parts)
    if not (1 <= month <= 12 and 1 <= date <= 31):  # noqa: PLR2004
        return ""
    return f"{year:04}-{month:02}-{date:02} {time[:8]}".strip()


def _degrees(position: Mapping[int, Any], tag: int, side_tag: int) -> float | None:
    try:
        degrees, minutes, seconds = (float(part) for part in position[tag])
        value = degrees + minutes / 60 + seconds / 3600
        side = _text(position.get(side_tag, ""))
    except DAMAGED:
        return None
    return round(-value if side in {"S", "W"} else value, 6) if abs(value) <= 180 else None  # noqa: PLR2004
