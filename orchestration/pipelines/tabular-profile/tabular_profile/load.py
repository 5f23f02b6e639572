"""From a reader's SELECT to Parquet, and from the engine's complaint to a sentence."""

import re
from pathlib import Path

import duckdb
from esteira_kit import step
from esteira_kit.step import Refusal

from tabular_profile.engine import literal, quoted, watched

# Faults of the machine or the limits, never of the file.
NOT_THE_FILE = (duckdb.OutOfMemoryException, duckdb.InterruptException, duckdb.FatalException)
CONVERT_SPAN = (0.1, 0.7)


def to_parquet(engine: duckdb.DuckDBPyConnection, select: str, target: Path, progress: step.Progress) -> None:
    """Parquet knows no whole numbers of 128 bits: the engine would write them as floats and lose digits.

    It guesses that type for any JSON numbers of which some are negative, so most of them fit 64 bits.
    """
    types = [(name, kind) for name, kind, *_ in engine.execute(f"DESCRIBE {select}").fetchall()]
    if not any("HUGEINT" in kind for _, kind in types):
        _copy(engine, select, target, progress)
        return
    try:
        _copy(engine, f"{select} SELECT {_cast(types, 'BIGINT')}", target, progress)
    except duckdb.ConversionException:
        _copy(engine, f"{select} SELECT {_cast(types, 'VARCHAR')}", target, progress)


def _cast(types: list[tuple[str, str]], stored_as: str) -> str:
    stored = ((name, re.sub("U?HUGEINT", stored_as, kind)) for name, kind in types)
    return ", ".join(f"{quoted(name)}::{kind} AS {quoted(name)}" for name, kind in stored)


def _copy(engine: duckdb.DuckDBPyConnection, select: str, target: Path, progress: step.Progress) -> None:
    copy = f"COPY ({select}) TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
    with watched(engine, progress, CONVERT_SPAN, "Converting to Parquet"):
        engine.execute(copy)


def line_of(message: str) -> int | None:
    found = re.search(r"CSV Error on Line: (\d+)|in line (\d+)", message)
    return int(found[1] or found[2]) if found else None


def refused_csv(message: str, first_line: int) -> Refusal:
    """The sentence for what is wrong with a CSV file, with its line."""
    line = line_of(message)
    if line is None:
        return Refusal(f"This table cannot be read: {_first_sentence(message)}")
    if counts := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        expected, found = int(counts[1]), int(counts[2])
        return Refusal(f"Line {line:,} has {_columns(found)}, but line {first_line:,} has {_columns(expected)}.")
    if "unterminated quote" in message:
        return Refusal(f"Line {line:,} has a quotation mark that is not closed before the end of its cell.")
    if "Maximum line size" in message or "maximum line size" in message.lower():
        return Refusal(f"Line {line:,} is longer than 16 MiB, which is the limit.")
    if "unicode" in message:
        return Refusal(f"Line {line:,} holds bytes that are not UTF-8 text; choose another text encoding.")
    return Refusal(f"Line {line:,} cannot be read: {_first_sentence(message.partition('Original Line')[2] or message)}")


def refused(what: str, fault: Exception) -> Refusal:
    return Refusal(f"{what}: {_first_sentence(str(fault))}")


def _columns(count: int) -> str:
    return f"{count:,} column" if count == 1 else f"{count:,} columns"


def _first_sentence(message: str) -> str:
    text = re.sub(r"^(?:[A-Z][A-Za-z]* (?:[A-Z][a-z]+ )*Error: ?)+", "", message.strip())
    # Paths of this machine mean nothing to the owner of the file.
    text = re.sub(r"(?:(?:for|in|of) )?(?:file )?[\"'][^\"']*/[^\"']*[\"']", "", text)
    text = re.sub(r"\s*/\S+/.*", "", text).split("\n", 1)[0].strip()
    return (text[:200].rstrip(" .:,") or "its content is not valid") + "."
