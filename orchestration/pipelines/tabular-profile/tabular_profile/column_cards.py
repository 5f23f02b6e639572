"""One card per column: what it is, how full it is, how its values are spread."""

import datetime as dt
from itertools import pairwise
from typing import Any

from esteira_kit import charts, parts, wording
from esteira_kit.markup import Child, Html, tag

_ALMOST_ALL = 0.99
_MANY_MISSING = 0.2
_KIND_NAMES = {"number": "number", "time": "date or time", "boolean": "yes or no", "text": "text", "other": "nested"}


def card(column: dict[str, Any], table: dict[str, Any]) -> Html:
    rows = table["rows"]
    return tag(
        "article",
        tag("header", tag("h3", column["name"]), tag("span", column["type"][:40], class_="type")),
        parts.tags(labels(column, rows)),
        _picture(column, table),
        parts.stats(_numbers(column, rows), is_wide=column["kind"] in {"time", "boolean", "other"}),
        class_="card",
    )


def labels(column: dict[str, Any], rows: int) -> list[tuple[str, str]]:
    """What somebody who cleans this table would want to be told first."""
    filled = rows - column["nulls"]
    found: list[tuple[str, str]] = []
    if not rows:
        return found
    if not filled:
        return [("empty", "bad")]
    if column["nulls"]:
        kind = "warn" if column["nulls"] >= _MANY_MISSING * rows else ""
        found.append((f"{wording.percent(column['nulls'], rows)} missing", kind))
    distinct = column.get("distinct", 0)
    if distinct == 1 and rows > 1:
        found.append(("one value only", "warn"))
    elif rows > 1 and distinct >= _ALMOST_ALL * filled and _is_key(column):
        found.append(("values differ" if filled < rows else "every value differs", ""))
    if column.get("not_finite"):
        found.append((f"{wording.number(column['not_finite'])} infinite or not a number", "warn"))
    return found


def _is_key(column: dict[str, Any]) -> bool:
    """Measurements always differ; that says something only about text, dates and whole numbers."""
    return column["kind"] == "text" or column["kind"] == "time" or "INT" in column["type"]


def _picture(column: dict[str, Any], table: dict[str, Any]) -> Child:
    drawn = column.get("histogram")
    if drawn and drawn["counts"]:
        return _histogram(column, drawn)
    top = column["top"]
    if not top:
        return tag("p", "No values.", class_="sub")
    seen = max(table["sampled_rows"], 1)
    if top[0][1] == 1 and len(top) > 1:
        return parts.pairs([("For example", tag("span", ", ".join(_cell(value) for value, _ in top[:4])))])
    rows = [(_cell(value), count, wording.percent(count, seen)) for value, count in top]
    return charts.bars(rows, label=f"Most frequent values of {column['name']}", caption="Most frequent values")


def _histogram(column: dict[str, Any], drawn: dict[str, Any]) -> Html:
    edges, is_time = drawn["edges"], column["kind"] == "time"
    named = [edge if is_time else wording.number(edge) for edge in edges]
    whole = drawn["is_whole"] and all(later - earlier == 1 for earlier, later in pairwise(edges))
    spans = named[:-1] if whole else [f"{low} to {high}" for low, high in pairwise(named)]
    last = named[-2] if drawn["is_whole"] and len(named) > 1 else named[-1]
    caption = "Distribution without the outermost 2 % of rows" if drawn["is_cut"] else None
    return charts.histogram(
        drawn["counts"],
        label=f"Distribution of {column['name']} from {named[0]} to {last}",
        axis=(named[0], last) if named[0] != last else (named[0],),
        names=spans,
        caption=caption,
    )


def _numbers(column: dict[str, Any], rows: int) -> list[tuple[str, str]]:
    filled = rows - column["nulls"]
    match column["kind"]:
        case "number" if column["min"] is not None:
            quantiles = column["quantiles"]
            return [
                ("min", wording.short(column["min"])),
                ("25 %", wording.short(quantiles.get("0.25"))),
                ("median", wording.short(quantiles.get("0.5"))),
                ("75 %", wording.short(quantiles.get("0.75"))),
                ("max", wording.short(column["max"])),
                ("mean", wording.short(column["mean"])),
                ("std. dev.", wording.short(column["stddev"])),
                ("distinct", _distinct(column)),
            ]
        case "time" if column["min"] is not None:
            return [
                ("first", column["min"]),
                ("last", column["max"]),
                ("span", _span(column["min"], column["max"])),
                ("distinct", _distinct(column)),
            ]
        case "text" if column["shortest"] is not None:
            return [
                ("distinct", _distinct(column)),
                ("shortest", wording.short(column["shortest"])),
                ("longest", wording.short(column["longest"])),
            ]
        case "boolean" if filled:
            return [
                ("true", f"{wording.number(column['true'])} ({wording.percent(column['true'], filled)})"),
                ("false", wording.number(filled - column["true"])),
            ]
    return [("type", _KIND_NAMES[column["kind"]]), ("filled", wording.number(filled))]


def _distinct(column: dict[str, Any]) -> str:
    count = column["distinct"]
    return wording.short(count) if column["is_distinct_exact"] else f"≈ {wording.short(float(f'{count:.3g}'))}"


def _span(first: str, last: str) -> str:
    try:
        days = (dt.date.fromisoformat(last[:10]) - dt.date.fromisoformat(first[:10])).days
    except ValueError:
        return wording.NOTHING
    return wording.plural(days, "day")


def _cell(value: str) -> str:
    return value if value.strip() else "(blank)"
