"""Counts per bar for numbers and dates, over the sample."""

# ruff: noqa: S608 - every name goes through quoted(), every value through literal() or a parameter

import datetime as dt
import math
from typing import Any

import duckdb

from tabular_profile.engine import quoted

_BARS = 30
# When the outermost hundredths stretch the axis this many times, they are left out and the report says so.
_STRETCH = 4


def of_numbers(engine: duckdb.DuckDBPyConnection, column: dict[str, Any]) -> dict[str, Any] | None:
    name = quoted(column["name"])
    value = f"{name}::DOUBLE"
    is_whole = "INT" in column["type"]
    found = _range(engine, value)
    if found is None:
        return None
    low, high, is_cut = found
    width = (high - low) / _BARS or 1.0
    if is_whole:
        width = max(1.0, math.ceil((high - low + 1) / _BARS))
    bars = min(_BARS, math.floor((high - low) / width) + 1) if is_whole else _BARS
    if low == high:
        bars = 1
    counts = _counts(engine, value, low, width, bars, high)
    edges = [low + width * place for place in range(bars + 1)]
    return {"edges": edges, "counts": counts, "is_cut": is_cut, "is_whole": is_whole}


def of_times(engine: duckdb.DuckDBPyConnection, column: dict[str, Any]) -> dict[str, Any] | None:
    value = f"epoch({quoted(column['name'])})::DOUBLE"
    found = _range(engine, value)
    if found is None:
        return None
    low, high, is_cut = found
    if column["type"] == "DATE":
        step = max(1.0, math.ceil((high - low) / 86_400 / _BARS)) * 86_400
        bars = max(1, min(_BARS, math.floor((high - low) / step) + 1))
    else:
        step = (high - low) / _BARS or 1.0
        bars = _BARS if high > low else 1
    counts = _counts(engine, value, low, step, bars, high)
    day_only = column["type"] == "DATE" or high - low > 400 * 86_400
    edges = [_moment(low + step * place, day_only=day_only) for place in range(bars + 1)]
    return {"edges": edges, "counts": counts, "is_cut": is_cut, "is_whole": False}


def _range(engine: duckdb.DuckDBPyConnection, value: str) -> tuple[float, float, bool] | None:
    row = engine.execute(
        f"SELECT min(x), max(x), quantile_cont(x, 0.01), quantile_cont(x, 0.99) "
        f"FROM (SELECT {value} AS x FROM sample) WHERE isfinite(x)"
    ).fetchone()
    if row is None or row[0] is None:
        return None
    low, high, inner_low, inner_high = (float(each) for each in row)
    if not math.isfinite(high - low):
        return None
    if inner_high > inner_low and high - low > _STRETCH * (inner_high - inner_low):
        return inner_low, inner_high, True
    return low, high, False


def _counts(
    engine: duckdb.DuckDBPyConnection, value: str, low: float, width: float, bars: int, high: float
) -> list[int]:
    rows = engine.execute(
        f"SELECT least(floor((x - $low) / $width)::BIGINT, $last) AS bar, count(*) "
        f"FROM (SELECT {value} AS x FROM sample) WHERE isfinite(x) AND x BETWEEN $low AND $high GROUP BY bar",
        {"low": low, "width": width, "last": bars - 1, "high": high},
    ).fetchall()
    counts = [0] * bars
    for bar, count in rows:
        counts[bar] = count
    return counts


def _moment(seconds: float, *, day_only: bool) -> str:
    try:
        moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OverflowError, ValueError, OSError):
        return "far away"  # years beyond 9999, which Parquet can hold and Python cannot
    return moment.date().isoformat() if day_only else moment.strftime("%Y-%m-%d %H:%M:%S")
