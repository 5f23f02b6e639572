"""CSV and TSV: the dialect is fixed first, so that a broken row is found and not explained away."""

import re
from pathlib import Path
from typing import Any

import duckdb
from esteira_kit import step
from esteira_kit.index import InputFile
from esteira_kit.step import Refusal

from tabular_profile import dialect, plain_text
from tabular_profile.engine import literal
from tabular_profile.load import NOT_THE_FILE, refused_csv, to_parquet

# Numbers in form only: postcodes and account numbers lose their zeros, long ids their last digits.
_CODE = re.compile(r"0\d+|\d{19,}")
_SAMPLE_LINES = 50_000
_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


def load(
    engine: duckdb.DuckDBPyConnection, file: InputFile, params: dict[str, Any], progress: step.Progress, target: Path
) -> dict[str, str]:
    text = plain_text.as_utf8(file.path, params["encoding"], progress)
    if not text.head.strip():
        raise Refusal("This file holds only blank space.")
    wanted = dialect.DELIMITERS.get(params["delimiter"]) or ("\t" if file.name.lower().endswith(".tsv") else "")
    found = dialect.find(text.head, is_cut=text.is_cut, delimiter=wanted)
    if "\0" in text.head:
        raise Refusal("This file holds binary data, not a table of text.")
    table = CsvTable(engine, text.path, found, text.head)
    missing = table.convert(target, progress)
    return {
        "Encoding": text.encoding,
        "Delimiter": _DELIMITER_NAMES.get(found.delimiter, found.delimiter),
        "Header": "first line" if found.has_header else "none; columns are numbered",
        "Decimal sign": "comma" if found.has_decimal_comma else "",
        "Read as missing": ", ".join(missing),
    }


class CsvTable:
    def __init__(self, engine: duckdb.DuckDBPyConnection, path: Path, found: dialect.Dialect, head: str) -> None:
        self._engine = engine
        self._path = path
        self._dialect = found
        self._codes = _code_columns(head, found)
        self._has_marks = any(mark in head for mark in dialect.MISSING)

    def convert(self, target: Path, progress: step.Progress) -> tuple[str, ...]:
        """Convert, and return the marks that were read as missing values.

        Types come from the first rows; when a later row says otherwise, from all rows; else everything is text.
        """
        for lines in (_SAMPLE_LINES, -1, 0):
            types, formats, missing = self._types(lines)
            try:
                to_parquet(self._engine, self._select(types, formats, missing), target, progress)
            except duckdb.ConversionException:
                continue
            except NOT_THE_FILE:
                raise
            except duckdb.Error as fault:
                if "invalid state" in str(fault) and self._path.name != "line-feeds.csv":
                    self._path = plain_text.with_line_feeds(self._path)
                    return self.convert(target, progress)
                raise refused_csv(str(fault), self._dialect.skip + 1) from fault
            return missing
        raise Refusal("This table has values that cannot even be read as text.")

    def _types(self, lines: int) -> tuple[list[str], str, tuple[str, ...]]:
        as_text = ["VARCHAR"] * len(self._dialect.names)
        if lines == 0:
            return as_text, "", ()
        plain = self._sniff(lines, ())
        if plain is None:
            return as_text, "", ()
        types, formats = plain
        if self._has_marks and (marked := self._sniff(lines, dialect.MISSING)) and marked[0] != types:
            return *marked, dialect.MISSING
        return types, formats, ()

    def _sniff(self, lines: int, missing: tuple[str, ...]) -> tuple[list[str], str] | None:
        """Column types and date forms; None when the rows do not agree, which the full read then reports."""
        query = (
            f"FROM sniff_csv({self._how()}, sample_size={lines}, null_padding=true, "
            f"ignore_errors=true{_nulls(missing)}) "
            "SELECT [c.type FOR c IN Columns], DateFormat, TimestampFormat"
        )
        try:
            row = self._engine.execute(query).fetchone()
        except NOT_THE_FILE:
            raise
        except duckdb.Error:
            return None
        if row is None or len(row[0]) != len(self._dialect.names):
            return None
        types = ["VARCHAR" if place in self._codes else kind for place, kind in enumerate(row[0])]
        forms = (("dateformat", row[1]), ("timestampformat", row[2]))
        return types, "".join(f", {name}={literal(form)}" for name, form in forms if form)

    def _select(self, types: list[str], formats: str, missing: tuple[str, ...]) -> str:
        columns = ", ".join(
            f"{literal(name)}: {literal(kind)}" for name, kind in zip(self._dialect.names, types, strict=True)
        )
        return (
            f"FROM read_csv({self._how()}, auto_detect=false, strict_mode=true, null_padding=false, "
            f"columns={{{columns}}}, max_line_size=16777216{formats}{_nulls(missing)})"
        )

    def _how(self) -> str:
        found = self._dialect
        decimal = ", decimal_separator=',', thousands='.'" if found.has_decimal_comma else ""
        return (
            f"{literal(self._path)}, delim={literal(found.delimiter)}, quote='\"', escape='\"', "
            f"header={str(found.has_header).lower()}, skip={found.skip}{decimal}"
        )


def _nulls(missing: tuple[str, ...]) -> str:
    return f", nullstr=[{', '.join(literal(mark) for mark in ('', *missing))}]" if missing else ""


def _code_columns(head: str, found: dialect.Dialect) -> frozenset[int]:
    codes: set[int] = set()
    for line in head.splitlines()[found.skip + found.has_header : 2000]:
        codes.update(
            place for place, cell in enumerate(line.split(found.delimiter)) if _CODE.fullmatch(cell.strip('"'))
        )
    return frozenset(codes)
