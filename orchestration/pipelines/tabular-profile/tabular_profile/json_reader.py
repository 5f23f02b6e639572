"""JSON Lines, and a single array of objects."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
from esteira_kit import step
from esteira_kit.index import InputFile
from esteira_kit.step import Refusal

from tabular_profile import plain_text
from tabular_profile.engine import literal, quoted
from tabular_profile.load import NOT_THE_FILE, line_of, refused, to_parquet

_SAMPLE_ROWS = 20_000
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_MOST_OBJECT = 16 * 1024 * 1024


def load(
    engine: duckdb.DuckDBPyConnection, file: InputFile, params: dict[str, Any], progress: step.Progress, target: Path
) -> dict[str, str]:
    text = plain_text.as_utf8(file.path, params["encoding"], progress, keeps_mark=False)
    form = _form(text.head)
    for rows, with_times in ((_SAMPLE_ROWS, True), (_SAMPLE_ROWS, False), (-1, False)):
        select = (
            f"FROM read_json({literal(text.path)}, format={literal(form)}, sample_size={rows}, "
            f"maximum_object_size={_MOST_OBJECT})"
        )
        try:
            to_parquet(engine, _with_times(engine, select) if with_times else select, target, progress)
        except NOT_THE_FILE:
            raise
        except duckdb.Error as fault:
            is_no_time = with_times and isinstance(fault, duckdb.ConversionException)
            if is_no_time or ("transform error" in str(fault) and rows > 0):
                continue
            raise _refusal(text.path, str(fault), form) from fault
        break
    return {"Encoding": text.encoding, "Form": "array of objects" if form == "array" else "JSON Lines"}


def _with_times(engine: duckdb.DuckDBPyConnection, select: str) -> str:
    """The engine leaves a time with a fraction of a second and no zone as text, though most programs write it so."""
    texts = [name for name, kind, *_ in engine.execute(f"DESCRIBE {select}").fetchall() if kind == "VARCHAR"]
    if not texts:
        return select
    checks = ", ".join(f"bool_and(regexp_full_match({quoted(name)}, {literal(_TIME)}))" for name in texts)
    agreed = engine.execute(f"SELECT {checks} FROM ({select} LIMIT {_SAMPLE_ROWS})").fetchone() or ()  # noqa: S608 - all is quoted
    times = ", ".join(
        f"{quoted(name)}::TIMESTAMP AS {quoted(name)}" for name, is_time in zip(texts, agreed, strict=True) if is_time
    )
    return f"FROM ({select} SELECT * REPLACE ({times}))" if times else select


def _form(head: str) -> str:
    start = head.lstrip()
    if not start:
        raise Refusal("This file holds only blank space.")
    if start.startswith("["):
        return "array"
    first = start.split("\n", 1)[0]
    if start.startswith("{") and len(first) < len(start) and not _is_json(first) and _is_split(start):
        raise Refusal("This is one JSON document over several lines; JSON Lines has one object on each line.")
    return "newline_delimited"


def _is_split(start: str) -> bool:
    """Whether the second line goes on where the first one stopped, as in a document made for reading."""
    second = start.split("\n", 2)[1].strip()
    return not second.startswith("{")


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _refusal(path: Path, message: str, form: str) -> Refusal:
    if form == "array":
        place = re.search(r"in record/value (\d+)", message)
        where = f" at record {int(place[1]):,}" if place else ""
        return Refusal(f"This JSON array is broken{where}: {_reason(message)}.")
    line = line_of(message)
    if line is None:
        return refused("This file is not valid JSON Lines", Exception(message))
    # The engine counts a line that it could not finish as read.
    line = next((number for number in (line - 1, line) if number > 0 and not _is_json(_line(path, number))), line)
    if line == 1:
        return Refusal("This is not JSON Lines: its first line is not a complete JSON object.")
    return Refusal(f"Line {line:,} is not a complete JSON object: {_reason(message)}.")


def _reason(message: str) -> str:
    return message.split("\n", 1)[0].rpartition(": ")[2].partition(". ")[0].strip(" .") or "it is malformed"


def _line(path: Path, number: int) -> str:
    with path.open(encoding="utf-8", errors="replace") as source:
        for count, line in enumerate(source, 1):
            if count == number:
                return line
    return ""
