"""Excel workbooks: one sheet, row by row, through a plain text file on disk."""

import csv
import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError  # the parser is openpyxl's; only its complaint is named here

import duckdb
from esteira_kit import step
from esteira_kit.index import InputFile
from esteira_kit.step import Refusal

from tabular_profile.dialect import unique_names
from tabular_profile.engine import literal
from tabular_profile.load import to_parquet

_MIB = 1024 * 1024
# What is kept in memory as a whole, against what is streamed. The zip reader never yields more than is declared.
_MOST_WHOLE, _MOST_STREAMED = 200 * _MIB, 4096 * _MIB
_MOST_PARTS = 10_000
_MOST_COLUMNS = 16_384
_BROKEN = (
    zipfile.BadZipFile, ParseError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError, OSError,
    NotImplementedError, OverflowError,
)  # fmt: skip
# The narrowest type that holds all kinds of value seen in a column.
_TYPES = {
    frozenset({"bool"}): "BOOLEAN",
    frozenset({"int"}): "BIGINT",
    frozenset({"float"}): "DOUBLE",
    frozenset({"int", "float"}): "DOUBLE",
    frozenset({"date"}): "DATE",
    frozenset({"datetime"}): "TIMESTAMP",
    frozenset({"date", "datetime"}): "TIMESTAMP",
    frozenset({"time"}): "TIME",
}
_ERRORS = frozenset({"#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#NULL!"})


def load(
    engine: duckdb.DuckDBPyConnection, file: InputFile, params: dict[str, Any], progress: step.Progress, target: Path
) -> dict[str, str]:
    try:
        _check(file.path)
        title, others, names, kinds = _write_text(file.path, params["sheet"], progress)
    except Refusal:
        raise
    except _BROKEN as fault:
        raise Refusal("This file is not an Excel workbook, or it is damaged.") from fault
    columns = ", ".join(
        f"{literal(name)}: {literal(_TYPES.get(frozenset(kind), 'VARCHAR'))}"
        for name, kind in zip(names, kinds, strict=True)
    )
    to_parquet(
        engine,
        f"FROM read_csv({literal(_text_file())}, auto_detect=false, header=false, delim=',', quote='\"', "
        f"escape='\"', new_line='\\n', max_line_size=67108864, columns={{{columns}}})",
        target,
        progress,
    )
    return {"Sheet": title, "Other sheets, not read": ", ".join(others[:20])}


def _text_file() -> Path:
    return step.scratch() / "sheet.csv"


def _check(path: Path) -> None:
    """Sizes and document types of the parts, before a parser sees them."""
    with zipfile.ZipFile(path) as package:
        parts = package.infolist()
        if not any(part.filename == "xl/workbook.xml" for part in parts):
            raise Refusal("This is a ZIP archive, but not an Excel workbook (.xlsx).")
        if len(parts) > _MOST_PARTS:
            raise Refusal("This workbook has more parts than any real workbook; it was not opened.")
        for part in parts:
            is_sheet = part.filename.startswith("xl/worksheets/")
            if part.file_size > (_MOST_STREAMED if is_sheet else _MOST_WHOLE):
                raise Refusal("This workbook expands to more than can be read; it was not opened.")
            if part.filename.endswith((".xml", ".rels")):
                with package.open(part) as source:
                    if re.search(rb"<!(?:DOCTYPE|ENTITY)", source.read(64 * 1024), re.IGNORECASE):
                        raise Refusal("This workbook declares a document type, which no real workbook does.")


def _write_text(path: Path, wanted: str, progress: step.Progress) -> tuple[str, list[str], list[str], list[set[str]]]:
    from openpyxl import load_workbook  # noqa: PLC0415 - 0.3 s that only workbooks need

    workbook = load_workbook(path, read_only=True, data_only=True, keep_links=False)
    try:
        titles = [sheet.title for sheet in workbook.worksheets]
        if wanted and wanted not in titles:
            raise Refusal(f"This workbook has no sheet named “{wanted}”; it has {', '.join(titles[:10])}.")
        for sheet in workbook.worksheets:
            if wanted and sheet.title != wanted:
                continue
            # Some programs write a wrong extent, and reading would stop at it.
            sheet.reset_dimensions()
            rows = _filled(sheet.iter_rows(values_only=True))
            header = next(rows, None)
            if header is not None:
                names, kinds = _write_rows(header, rows, sheet.max_row or 0, progress)
                return sheet.title, [title for title in titles if title != sheet.title], names, kinds
    finally:
        workbook.close()
    raise Refusal("This workbook has no sheet with rows." if not wanted else f"The sheet “{wanted}” has no rows.")


def _filled(rows: Iterator[tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    for row in rows:
        width = next((place for place in range(len(row), 0, -1) if row[place - 1] not in {None, ""}), 0)
        if width:
            yield row[: min(width, _MOST_COLUMNS)]


def _write_rows(
    header: Sequence[Any], rows: Iterator[Sequence[Any]], total: int, progress: step.Progress
) -> tuple[list[str], list[set[str]]]:
    kinds: list[set[str]] = [set() for _ in header]
    cells = ["" if cell is None else str(cell) for cell in header]
    raw = step.scratch() / "rows.csv"
    with raw.open("w", encoding="utf-8", errors="replace", newline="") as sink:
        writer = csv.writer(sink, lineterminator="\n")
        for count, row in enumerate(rows):
            while len(kinds) < len(row):
                kinds.append(set())
            writer.writerow([_written(cell, kinds[place]) for place, cell in enumerate(row)])
            progress(0.3 * count / max(total, count + 1), f"Reading row {count:,}")
    _pad(raw, len(kinds))
    return unique_names(cells + [""] * (len(kinds) - len(cells))), kinds


def _pad(raw: Path, width: int) -> None:
    """Rows leave out the empty cells at their end; the reader wants them."""
    csv.field_size_limit(64 * _MIB)
    with (
        raw.open(encoding="utf-8", newline="") as source,
        _text_file().open("w", encoding="utf-8", newline="") as sink,
    ):
        writer = csv.writer(sink, lineterminator="\n")
        for row in csv.reader(source):
            row.extend([""] * (width - len(row)))
            # A row of one empty cell would be a blank line, which the reader skips; there is none after _filled.
            writer.writerow(row)
    raw.unlink()


def _written(cell: Any, kinds: set[str]) -> str:
    if cell is None or cell == "" or (isinstance(cell, str) and cell in _ERRORS):
        return ""
    kind, text = _kind_and_text(cell)
    kinds.add(kind)
    return text


def _kind_and_text(cell: Any) -> tuple[str, str]:
    match cell:
        case bool():
            return "bool", str(cell).lower()
        case int():
            return ("int" if -(2**63) <= cell < 2**63 else "text"), str(cell)
        case float():
            return "float", repr(cell)
        case dt.datetime():
            # Excel knows no plain dates: midnight stands for one.
            is_date = cell.time() == dt.time()
            return ("date", cell.date().isoformat()) if is_date else ("datetime", cell.isoformat(sep=" "))
        case dt.time():
            return "time", cell.isoformat()
    return "text", str(cell).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")
