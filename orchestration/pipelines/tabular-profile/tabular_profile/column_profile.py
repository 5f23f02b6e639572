"""What is in the columns of a Parquet table: one pass over all rows, then charts from a sample."""

# ruff: noqa: S608 - every name goes through quoted(), every value through literal() or a parameter

from pathlib import Path
from typing import Any

import duckdb
from esteira_kit import step

from tabular_profile import histograms
from tabular_profile.engine import literal, quoted, watched

MOST_COLUMNS = 1000
_BATCH = 40
_TOP = 8
_FEW_VALUES = 1000
_TOP_WIDTH = 120
_SHOWN_ROWS, _SHOWN_COLUMNS, _SHOWN_WIDTH = 12, 40, 160
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_SPAN = (0.7, 0.99)
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
            "UHUGEINT", "FLOAT", "DOUBLE")  # fmt: skip


def profile(
    engine: duckdb.DuckDBPyConnection, table: Path, sample_rows: int, progress: step.Progress
) -> dict[str, Any]:
    source = f"read_parquet({literal(table)})"
    described = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    columns = [{"name": name, "type": kind, "kind": kind_of(kind)} for name, kind, *_ in described]
    rows = _scalar(engine, f"SELECT count(*) FROM {source}")
    columns = columns[:MOST_COLUMNS]
    _measure(engine, source, columns, progress)
    _recount(engine, source, columns, rows, sample_rows)
    sampled = _sample(engine, table, rows, sample_rows, [column["name"] for column in columns])
    for place, column in enumerate(columns):
        progress(0.85 + 0.14 * place / len(columns), f"Column {place + 1} of {len(columns)}")
        _describe(engine, column, rows)
    return {
        "rows": rows,
        "columns_in_table": len(described),
        "sampled_rows": sampled,
        "columns": columns,
        "first_rows": _first_rows(engine, source, columns),
    }


def kind_of(kind: str) -> str:
    """One of number, time, boolean, text, other."""
    if kind in _NUMBERS or kind.startswith("DECIMAL("):
        return "number"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return "time"
    if kind == "BOOLEAN":
        return "boolean"
    return "text" if kind in {"VARCHAR", "UUID"} or kind.startswith("ENUM(") else "other"


def _scalar(engine: duckdb.DuckDBPyConnection, query: str) -> int:
    row = engine.execute(query).fetchone()
    return int(row[0]) if row else 0


def _measure(
    engine: duckdb.DuckDBPyConnection, source: str, columns: list[dict[str, Any]], progress: step.Progress
) -> None:
    """Facts that need every row, for some columns at a time: one aggregate state each is what memory allows."""
    for start in range(0, len(columns), _BATCH):
        batch = columns[start : start + _BATCH]
        wanted = [(column, key, sql) for column in batch for key, sql in _aggregates(column)]
        with watched(engine, progress, (0.7, 0.85), "Measuring columns"):
            row = engine.execute(f"SELECT {', '.join(sql for _, _, sql in wanted)} FROM {source}").fetchone()
        for (column, key, _), value in zip(wanted, row or (), strict=True):
            column[key] = value


def _recount(
    engine: duckdb.DuckDBPyConnection, source: str, columns: list[dict[str, Any]], rows: int, sample_rows: int
) -> None:
    """Estimates of distinct values are off by some percent, which shows in small counts; those are cheap to count."""
    for column in columns:
        if "distinct" not in column:
            continue
        column["is_distinct_exact"] = rows <= sample_rows or column["distinct"] <= _FEW_VALUES
        if column["is_distinct_exact"]:
            column["distinct"] = _scalar(engine, f"SELECT count(DISTINCT {quoted(column['name'])}) FROM {source}")
        column["distinct"] = min(column["distinct"], column["filled"])


def _aggregates(column: dict[str, Any]) -> list[tuple[str, str]]:
    name = quoted(column["name"])
    found = [("filled", f"count({name})")]
    match column["kind"]:
        case "number":
            # Infinity and NaN have no mean; how many there are is told beside it.
            is_float = column["type"] in {"FLOAT", "DOUBLE"}
            only = f" FILTER (isfinite({name}))" if is_float else ""
            value = f"{name}::DOUBLE"
            found += [
                ("distinct", f"approx_count_distinct({name})"),
                ("min", f"min({value}){only}"),
                ("max", f"max({value}){only}"),
                ("mean", f"avg({value}){only}"),
                ("stddev", f"stddev_samp({value}){only}"),
                ("zeros", f"count(*) FILTER ({name} = 0)"),
            ]
            found += [("not_finite", f"count(*) FILTER (NOT isfinite({name}))")] if is_float else []
        case "time":
            found += [
                ("distinct", f"approx_count_distinct({name})"),
                ("min", f"min({name})::VARCHAR"),
                ("max", f"max({name})::VARCHAR"),
            ]
        case "text":
            text = f"{name}::VARCHAR"
            found += [
                ("distinct", f"approx_count_distinct({text})"),
                ("min", f"left(min({text}), {_TOP_WIDTH})"),
                ("max", f"left(max({text}), {_TOP_WIDTH})"),
                ("shortest", f"min(length({text}))"),
                ("longest", f"max(length({text}))"),
                ("mean_length", f"avg(length({text}))"),
            ]
        case "boolean":
            found += [("true", f"count(*) FILTER ({name})")]
    return found


def _sample(engine: duckdb.DuckDBPyConnection, table: Path, rows: int, wanted: int, names: list[str]) -> int:
    """A table `sample`, chosen by the hash of the row number: the same rows every time, spread over the file."""
    columns = ", ".join(quoted(name) for name in names)
    where = ""
    if rows > wanted:
        where = f"WHERE hash(file_row_number) % {1 << 32} < {int(wanted / rows * (1 << 32))}"
    source = f"read_parquet({literal(table)}, file_row_number=true)"
    engine.execute(f"CREATE TEMP TABLE sample AS SELECT {columns} FROM {source} {where}")
    return _scalar(engine, "SELECT count(*) FROM sample")


def _describe(engine: duckdb.DuckDBPyConnection, column: dict[str, Any], rows: int) -> None:
    column["nulls"] = rows - column.pop("filled")
    column["top"] = _top(engine, column)
    if column["kind"] == "number" and column["min"] is not None:
        column["quantiles"] = _quantiles(engine, column)
        column["histogram"] = histograms.of_numbers(engine, column)
    elif column["kind"] == "time" and column["min"] is not None:
        column["histogram"] = histograms.of_times(engine, column)


def _top(engine: duckdb.DuckDBPyConnection, column: dict[str, Any]) -> list[tuple[str, int]]:
    name = quoted(column["name"])
    if column["kind"] == "other":
        name = f"left({name}::VARCHAR, {_TOP_WIDTH})"
    # The aggregate keeps whole values apart; they are cut only once counted.
    query = (
        f"SELECT left(v::VARCHAR, {_TOP_WIDTH}), n FROM (SELECT {name} AS v, count(*) AS n FROM sample "
        f"WHERE {name} IS NOT NULL GROUP BY 1 ORDER BY n DESC, v LIMIT {_TOP})"
    )
    return [(value, count) for value, count in engine.execute(query).fetchall()]


def _quantiles(engine: duckdb.DuckDBPyConnection, column: dict[str, Any]) -> dict[str, float]:
    name = quoted(column["name"])
    finite = f"WHERE isfinite({name})" if column["type"] in {"FLOAT", "DOUBLE"} else ""
    row = engine.execute(f"SELECT quantile_cont({name}::DOUBLE, {list(_QUANTILES)}) FROM sample {finite}").fetchone()
    values = row[0] if row and row[0] else []
    return {f"{share:g}": value for share, value in zip(_QUANTILES, values, strict=False)}


def _first_rows(engine: duckdb.DuckDBPyConnection, source: str, columns: list[dict[str, Any]]) -> dict[str, Any]:
    names = [column["name"] for column in columns[:_SHOWN_COLUMNS]]
    cells = ", ".join(f"left({quoted(name)}::VARCHAR, {_SHOWN_WIDTH})" for name in names)
    rows = engine.execute(f"SELECT {cells} FROM {source} LIMIT {_SHOWN_ROWS}").fetchall()
    return {"columns": names, "rows": [list(row) for row in rows]}
