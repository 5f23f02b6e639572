"""Step `report`: a page with every column's chart, and a table of all columns for spreadsheets."""

from collections.abc import Iterator
from typing import Any

from esteira_kit import charts, parts, sheets, step, wording
from esteira_kit.index import Index, Item, read_index
from esteira_kit.markup import Child, Html, tag
from esteira_kit.page import write_page

from tabular_profile.column_cards import card

# Bounds of the page: what lies beyond is in columns.csv and the JSON profiles.
MOST_TABLES = 60
MOST_COLUMNS = 150
_OPEN_TABLES = 3
_MOST_ROWS = 1000


def main() -> None:
    index = read_index()
    items = list(index.items("convert"))
    _write_columns(items)
    summaries = [_summary(_profile(item)) for item in items]
    rows = sum(each["rows"] for each in summaries)
    write_page(
        "report.html",
        pipeline="Profile a table",
        title=summaries[0]["name"] if len(summaries) == 1 else f"{wording.plural(len(summaries), 'table')} profiled",
        lead="Every column at a glance: what it holds, what is missing, how its values are spread.",
        facts=[
            *([("Tables", wording.number(len(summaries)))] if len(summaries) != 1 else []),
            ("Rows", wording.number(rows)),
            ("Columns", wording.number(sum(each["columns_in_table"] for each in summaries))),
            ("Read", wording.size(sum(each["size"] for each in summaries))),
            ("As Parquet", wording.size(sum(each["parquet_size"] for each in summaries))),
        ],
        sections=_sections(items, summaries, index),
    )


def _profile(item: Item) -> dict[str, Any]:
    return dict(item.json(next(name for name in item.files if name.endswith(".profile.json"))))


def _summary(table: dict[str, Any]) -> dict[str, Any]:
    """What the overview needs; the columns of 10,000 tables do not stay in memory."""
    kept = {key: table[key] for key in ("name", "form", "rows", "columns_in_table", "size", "parquet_size")}
    cells = table["rows"] * len(table["columns"])
    return kept | {"missing": wording.percent(sum(column["nulls"] for column in table["columns"]), cells)}


def _write_columns(items: list[Item]) -> None:
    header = [
        "file", "column", "type", "rows", "missing", "distinct", "min", "max", "mean", "median", "stddev",
        "q05", "q25", "q75", "q95", "zeros", "shortest", "longest", "most_frequent",
    ]  # fmt: skip
    sheets.write_csv("columns.csv", header, (row for item in items for row in _column_rows(_profile(item))))


def _column_rows(table: dict[str, Any]) -> Iterator[list[sheets.Cell]]:
    for column in table["columns"]:
        quantiles = column.get("quantiles", {})
        yield [
            table["name"],
            column["name"],
            column["type"],
            table["rows"],
            column["nulls"],
            *[column.get(key) for key in ("distinct", "min", "max", "mean")],
            quantiles.get("0.5"),
            column.get("stddev"),
            *[quantiles.get(key) for key in ("0.05", "0.25", "0.75", "0.95")],
            *[column.get(key) for key in ("zeros", "shortest", "longest")],
            column["top"][0][0] if column["top"] else None,
        ]


def _sections(items: list[Item], summaries: list[dict[str, Any]], index: Index) -> Iterator[Child]:
    yield parts.failures(index.failed_items)
    if len(summaries) > 1:
        yield _overview(summaries)
    for place, item in enumerate(items[:MOST_TABLES]):
        yield _table(_profile(item), is_alone=len(items) == 1, is_open=place < _OPEN_TABLES)
    if len(items) > MOST_TABLES:
        yield parts.note(f"The first {MOST_TABLES} tables are shown in detail; columns.csv has all {len(items):,}.")


def _overview(summaries: list[dict[str, Any]]) -> Html:
    rows = [
        (
            each["name"],
            each["form"],
            wording.number(each["rows"]),
            wording.number(each["columns_in_table"]),
            each["missing"],
            wording.size(each["size"]),
            wording.size(each["parquet_size"]),
        )
        for each in summaries[:_MOST_ROWS]
    ]
    header = ["Table", "Form", "Rows", "Columns", "Missing cells", "Size", "As Parquet"]
    return parts.section("All tables", parts.table("All tables", header, rows, ["", "", *["num"] * 5]))


def _table(table: dict[str, Any], *, is_alone: bool, is_open: bool) -> Html:
    columns = table["columns"]
    body = [
        parts.pairs(table["facts"].items()),
        _about_sample(table),
        _completeness(columns, table["rows"]),
        tag("div", [card(column, table) for column in columns[:MOST_COLUMNS]], class_="cards block"),
        parts.note(f"{MOST_COLUMNS} of {table['columns_in_table']:,} columns are shown; columns.csv has more.")
        if table["columns_in_table"] > MOST_COLUMNS
        else None,
        _first_rows(table),
    ]
    if is_alone:
        return parts.section("Columns", *body)
    count = f"{wording.plural(table['rows'], 'row')}, {wording.plural(table['columns_in_table'], 'column')}"
    return parts.section(table["name"], parts.details(count, *body, is_open=is_open))


def _about_sample(table: dict[str, Any]) -> Child:
    if table["sampled_rows"] >= table["rows"]:
        return None
    share = wording.percent(table["sampled_rows"], table["rows"])
    return parts.note(
        "Quantiles, most frequent values and charts are read from ",
        tag("b", f"{table['sampled_rows']:,} rows"),
        f" spread over the table ({share}); everything else from all {table['rows']:,}.",
    )


def _completeness(columns: list[dict[str, Any]], rows: int) -> Child:
    """Only columns with holes: a list of full bars tells nothing."""
    holes = sorted((column for column in columns if column["nulls"]), key=lambda column: -column["nulls"])[:12]
    if not holes or not rows:
        return None
    drawn = [(column["name"], column["nulls"], wording.percent(column["nulls"], rows)) for column in holes]
    return charts.bars(drawn, label="Columns with missing values", caption="Missing values", full=rows)


def _first_rows(table: dict[str, Any]) -> Child:
    shown = table["first_rows"]
    if not shown["rows"]:
        return parts.note("This table has a header but no rows.", kind="warn")
    numeric = {column["name"] for column in table["columns"] if column["kind"] == "number"}
    header = ["Row", *shown["columns"]]
    kinds = ["", *["num" if name in numeric else "cell" for name in shown["columns"]]]
    rows = [[str(place), *[_shown(cell) for cell in row]] for place, row in enumerate(shown["rows"], 1)]
    return parts.details("First rows", parts.table("First rows", header, rows, kinds), is_open=True)


def _shown(cell: str | None) -> Child:
    return tag("span", "missing", class_="missing") if cell is None else cell


if __name__ == "__main__":
    step.run(main)
