"""CSV for spreadsheets: a cell that came from a file is never taken for a formula (SEC-135)."""

import csv
from collections.abc import Iterable, Sequence

from esteira_kit.step import output

_TRIGGERS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

type Cell = str | int | float | None


def guarded(cell: Cell) -> str | int | float:
    """Numbers stay numbers; text that a spreadsheet would calculate gets an apostrophe in front."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        cell = cell.encode("utf-8", "replace").decode()
        return f"'{cell}" if cell.startswith(_TRIGGERS) else cell
    return cell


def write_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    # The byte order mark tells Excel that this is UTF-8; without it "ação" arrives broken.
    with output(name).open("w", encoding="utf-8-sig", newline="") as sink:
        writer = csv.writer(sink)
        writer.writerow(header)
        writer.writerows([guarded(cell) for cell in row] for row in rows)
