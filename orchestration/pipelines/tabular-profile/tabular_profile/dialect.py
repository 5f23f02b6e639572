"""How a CSV file is written: delimiter, header, decimal comma. Found in its first lines, then held against all."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

# What programs write where a value is missing.
MISSING = ("NA", "N/A", "NULL", "null", "NaN", "nan")
DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
_LEAST_AGREEMENT = 0.5
_NUMBER = re.compile(r"[+-]?[\d.,]*\d[\d.,]*%?(?:[eE][+-]?\d+)?")
_YEAR = re.compile(r"(?:19|20)\d\d")
_DECIMAL_COMMA = re.compile(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?(?:[eE][+-]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T].*)?")


class Dialect(NamedTuple):
    delimiter: str
    names: list[str]
    has_header: bool
    skip: int
    has_decimal_comma: bool


def find(head: str, *, is_cut: bool, delimiter: str) -> Dialect:
    """`head` is the beginning of the text; `is_cut` says that the file goes on after it."""
    skip = 0
    first, _, rest = head.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=") + 1:
        # Excel's own note of the delimiter, above the header.
        delimiter, head, skip = first.strip()[-1], rest, 1
    chosen = delimiter or _delimiter(head, is_cut=is_cut)
    rows = _rows(head, chosen, is_cut=is_cut)
    if not rows:
        return Dialect(chosen, ["column_1"], has_header=False, skip=skip, has_decimal_comma=False)
    width = len(rows[0])
    even = [row for row in rows if len(row) == width]
    has_header = _has_header(rows[0], even[1:])
    names = unique_names(rows[0] if has_header else [""] * width)
    return Dialect(chosen, names, has_header, skip, chosen != "," and _has_decimal_comma(even[has_header:]))


def unique_names(cells: Sequence[str]) -> list[str]:
    """Names for columns: none is empty, no two are the same, whatever their case."""
    taken: Counter[str] = Counter()
    names = []
    for place, cell in enumerate(cells, 1):
        wanted = " ".join(cell.split()).replace("\0", "")[:200] or f"column_{place}"
        name = wanted
        while taken[name.lower()]:
            taken[wanted.lower()] += 1
            name = f"{wanted}_{taken[wanted.lower()]}"
        taken[name.lower()] += 1
        names.append(name)
    return names


def _rows(head: str, delimiter: str, *, is_cut: bool) -> list[list[str]]:
    lines = head.splitlines(keepends=True)
    if is_cut and len(lines) > 1:
        lines.pop()
    rows: list[list[str]] = []
    # A cell may be beyond the reader's own limit; what was read before it is enough.
    with suppress(csv.Error):
        rows.extend(row for row in csv.reader(lines, delimiter=delimiter) if row)
    if is_cut and len(rows) > 1:
        rows.pop()  # its last cell may be an open quote
    return rows


def _delimiter(head: str, *, is_cut: bool) -> str:
    """The one that splits the first line, and most others into as many cells."""
    best, best_score = ",", (0.0, 0)
    for candidate in DELIMITERS.values():
        rows = _rows(head, candidate, is_cut=is_cut)
        width = len(rows[0]) if rows else 0
        if width < 2:  # noqa: PLR2004
            continue
        agreement = sum(len(row) == width for row in rows) / len(rows)
        score = (round(agreement, 1), width)
        if agreement >= _LEAST_AGREEMENT and score > best_score:
            best, best_score = candidate, score
    return best


def _has_header(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """A first row of names: distinct words, or years as names of columns, over values."""
    filled = [cell.strip() for cell in first if cell.strip()]
    if not filled or (len({cell.lower() for cell in filled}) < len(filled) and not others):
        return False
    if any(_is_value(cell) and not _YEAR.fullmatch(cell) for cell in filled):
        return False
    years = [place for place, cell in enumerate(first) if _YEAR.fullmatch(cell.strip())]
    if len(years) == len(filled) or any(_all_years(others, place) for place in years):
        return False
    return len(filled) * 2 > len(first)


def _all_years(rows: Sequence[Sequence[str]], place: int) -> bool:
    return all(_YEAR.fullmatch(row[place].strip()) for row in rows[:50])


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def _has_decimal_comma(rows: Sequence[Sequence[str]]) -> bool:
    """Some column is all numbers when the comma is the decimal point, and no column speaks against it."""
    found = False
    for column in zip(*rows, strict=True):
        cells = [text for cell in column if (text := cell.strip()) and text not in MISSING]
        if not cells or not all(_NUMBER.fullmatch(cell) for cell in cells):
            continue
        if all(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
            found |= any("," in cell for cell in cells)
        else:
            return False
    return found
