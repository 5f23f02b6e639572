"""Tables of every kind become Parquet and a profile; broken ones are refused with the line that is wrong."""

import csv
import datetime as dt
import io
import json
from pathlib import Path

import duckdb
import pytest

from tests.pipelines.corpus_files import CORPUS, family, is_sentence
from tests.pipelines.step_contract import Ended, Job

TABLES = CORPUS / "tabular"
BROKEN = CORPUS / "broken" / "tabular"
# Rows and some column types of tables whose content is known.
KNOWN: dict[str, tuple[int, dict[str, str]]] = {
    "us-employment.csv": (120, {"month": "DATE", "nonfarm": "BIGINT"}),
    "us-employment.xlsx": (120, {"nonfarm": "BIGINT"}),
    "unemployment.tsv": (3218, {"id": "BIGINT", "rate": "DOUBLE"}),
    "seattle-weather.csv": (1461, {"date": "DATE", "precipitation": "DOUBLE", "weather": "VARCHAR"}),
    "zipcodes-head.csv": (399, {"zip_code": "VARCHAR", "latitude": "DOUBLE"}),
    "birdstrikes-utf16.txt": (299, {"Flight Date": "DATE"}),
    "vendas-pt-br.csv": (5, {"data": "DATE", "cidade": "VARCHAR", "valor": "DOUBLE", "quantidade": "BIGINT"}),
    "latin-1.csv": (3, {"nome": "VARCHAR", "país": "VARCHAR"}),
    "excel-sep-line.csv": (2, {"name": "VARCHAR", "score": "BIGINT"}),
    "multi-line-cells.csv": (3, {"id": "BIGINT", "comment": "VARCHAR"}),
    "mixed-line-ends.csv": (3, {"a": "BIGINT", "b": "BIGINT"}),
    "late-surprise.csv": (9001, {"id": "BIGINT", "value": "VARCHAR"}),
    "no-header.csv": (3, {"column_1": "BIGINT", "column_2": "DOUBLE", "column_3": "DATE"}),
    "years-as-columns.csv": (2, {"country": "VARCHAR", "2019": "DOUBLE"}),
    "pipes.txt": (2, {"code": "VARCHAR", "amount": "BIGINT"}),
    "missing-marks.csv": (3, {"temp": "DOUBLE"}),
    "header-only.csv": (0, {"a": "VARCHAR"}),
    "one-column.csv": (2, {"name": "VARCHAR"}),
    "penguins.json": (344, {"Species": "VARCHAR", "Body Mass (g)": "BIGINT"}),
    "flights.jsonl": (500, {"delay": "BIGINT"}),
    "nested_lists.snappy.parquet": (3, {"b": "INTEGER"}),
    "concatenated_gzip_members.parquet": (513, {"long_col": "UBIGINT"}),
    "csvkit-windows.txt": (51, {"year": "DATE", "net_generation": "BIGINT"}),
    "dpkg-query.tab": (80, {"column_1": "VARCHAR", "column_3": "BIGINT"}),
    "duckdb-br-dates.txt": (200, {"d": "DATE", "precipitation": "DOUBLE"}),
    "git-log.tsv": (30, {"column_2": "TIMESTAMP WITH TIME ZONE"}),
    "gnumeric-windows.tsv": (119, {"date": "DATE", "temp_min": "DOUBLE"}),
    "jq-nested.jsonl": (40, {"species": "VARCHAR", "body": "STRUCT(mass BIGINT, bill DOUBLE[])"}),
    "miller-escapes.tsv": (144, {"year": "BIGINT", "temp": "DOUBLE", "note": "VARCHAR"}),
    "node.jsonl": (50, {"at": "TIMESTAMP WITH TIME ZONE", "tags": "VARCHAR[]"}),
    "openpyxl-types.xlsx": (2, {"when": "TIMESTAMP", "how long": "TIME", "is it": "BOOLEAN", "error": "VARCHAR"}),
    "pandas-iso.jsonl": (60, {"date": "TIMESTAMP"}),
    "pandas-utf8-mark.txt": (70, {"country": "VARCHAR", "health": "DOUBLE"}),
    "pandas-utf16.tsv": (120, {"Species": "VARCHAR", "Body Mass (g)": "DOUBLE"}),
    "polars-mark.txt": (120, {"Beak Length (mm)": "DOUBLE"}),
    "polars-types.parquet": (2, {"dec": "DECIMAL(38,2)", "u": "UBIGINT"}),
    "pyarrow-no-rows.parquet": (0, {"date": "TIMESTAMP"}),
    "python-excel-tab.tsv": (30, {"id": "BIGINT", "text": "VARCHAR", "number": "DOUBLE"}),
    "r-csv2.csv": (80, {"Beak Length (mm)": "DOUBLE", "Body Mass (g)": "BIGINT"}),
    "r-csv2.txt": (90, {"date": "DATE", "temp_max": "DOUBLE", "steps": "DOUBLE", "rate": "DOUBLE"}),
    "r-latin-1.txt": (3, {"cidade": "VARCHAR", "quando": "TIMESTAMP", "ativo": "BOOLEAN"}),
    "r-old-mac.txt": (60, {"month": "DATE", "nonfarm": "BIGINT"}),
    "r-row-names.tab": (119, {"column_1": "BIGINT", "date": "DATE"}),
    "xlsxwriter.xlsx": (39, {"data": "DATE", "cidade": "VARCHAR", "valor": "DOUBLE", "soma": "DOUBLE"}),
    "excel-autofilter01.xlsx": (50, {"Region": "VARCHAR", "Volume": "BIGINT"}),
}
# A part of the sentence that each broken table is refused with.
REFUSALS = {
    "ARROW-GH-45185.parquet": "Parquet file is damaged",
    "ARROW-RS-GH-6229-DICTHEADER.parquet": "Parquet file is damaged",
    "PARQUET-1481.parquet": "Parquet file is damaged",
    "binary.csv": "binary data",
    "blank.csv": "only blank space",
    "compressed.csv": "compressed with gzip",
    "cut-array.json": "broken at record 4",
    "cut.jsonl": "Line 3 is not a complete JSON object",
    "cut.parquet": "Parquet file is damaged",
    "cut.xlsx": "not an Excel workbook, or it is damaged",
    "empty.csv": "This file is empty",
    "encrypted-footer.parquet": "encrypted",
    "entities.xlsx": "document type",
    "excel-no-rows.xlsx": "no sheet with rows",
    "expanding.xlsx": "expands to more",
    "int96-far-future.parquet": "out of range",
    "map_no_value.parquet": "not supported",
    "no-footer.parquet": "Parquet file is damaged",
    "not-json.jsonl": "first line is not a complete JSON object",
    "old-excel.xls": "save it as .xlsx",
    "one-document.json": "one JSON document",
    "only-a-zip.xlsx": "ZIP archive",
    "open-quote.csv": "Line 3 has a quotation mark that is not closed",
    "ragged-long.csv": "Line 3 has 4 columns, but line 1 has 3 columns",
    "r-header-one-short.tsv": "Line 2 has 7 columns, but line 1 has 6 columns",
    "ragged-short.csv": "Line 3 has 2 columns, but line 1 has 3 columns",
    "really-a-pdf.xlsx": "a PDF document",
    "really-a-png.csv": "a PNG image",
    "web-page.csv": "web page",
}


def convert(folder: Path, table: Path, **params: object) -> Ended:
    return Job(folder, "tabular-profile", dict(params)).item("convert", table)


def types(ended: Ended, name: str) -> dict[str, str]:
    return {column["name"]: column["type"] for column in ended.json(f"{Path(name).stem}.profile.json")["columns"]}


@pytest.mark.parametrize("table", family("tabular"), ids=lambda path: path.name)
def test_table_becomes_parquet_with_a_profile(tmp_path: Path, table: Path) -> None:
    ended = convert(tmp_path, table)

    assert ended.code == 0, ended.log
    assert ended.names() == {f"{table.stem}.parquet", f"{table.stem}.profile.json"}
    profile = ended.json(f"{table.stem}.profile.json")
    assert duckdb.read_parquet(str(ended.outputs / f"{table.stem}.parquet")).shape[0] == profile["rows"]
    rows, some_types = KNOWN.get(table.name, (profile["rows"], {}))
    assert profile["rows"] == rows
    assert types(ended, table.name) | some_types == types(ended, table.name)


@pytest.mark.parametrize("table", family("broken/tabular"), ids=lambda path: path.name)
def test_broken_table_is_refused_with_a_sentence(tmp_path: Path, table: Path) -> None:
    ended = convert(tmp_path, table)

    assert ended.code == 65, ended.log
    assert is_sentence(ended.sentence)
    assert REFUSALS[table.name] in ended.sentence


@pytest.mark.parametrize(
    "name",
    [
        "duckdb-v2.parquet",
        "gnumeric-windows.tsv",
        "miller.json",
        "pandas-iso.jsonl",
        "polars-microseconds.txt",
        "pyarrow-int96.parquet",
        "r-csv2.txt",
        "r-decimal-comma.tsv",
        "r-row-names.tab",
        "seattle-weather.xlsx",
        "sqlite.tsv",
    ],
)
def test_table_is_the_same_from_every_writer(tmp_path: Path, name: str) -> None:
    ended = convert(tmp_path, TABLES / name)

    rows = 'SELECT date::DATE, temp_max, temp_min, wind, weather FROM "{}" ORDER BY date LIMIT 50'
    written = duckdb.execute(rows.format(ended.outputs / f"{Path(name).stem}.parquet")).fetchall()
    assert written == duckdb.execute(rows.format(TABLES / "seattle-weather.csv")).fetchall()


@pytest.mark.parametrize(
    ("times", "stored_as"),
    [
        (("2024-03-01T08:30:00.250", "2024-03-01T08:30:01"), "TIMESTAMP"),
        (("2024-03-01T08:30:00.250000", None), "TIMESTAMP"),
        (("2024-03-01T08:30:00.250", "soon"), "VARCHAR"),
        (("2024-03-01T08:30:00.250", "2024-13-01T08:30:00.250"), "VARCHAR"),
    ],
)
def test_times_of_json_are_times(tmp_path: Path, times: tuple[str | None, ...], stored_as: str) -> None:
    lines = tmp_path / "t.jsonl"
    lines.write_text("".join(json.dumps({'the "time"': time}) + "\n" for time in times))

    ended = convert(tmp_path / "job", lines)
    assert ended.code == 0, ended.log
    assert types(ended, "t.jsonl") == {'the "time"': stored_as}
    assert ended.json("t.profile.json")["columns"][0]["nulls"] == times.count(None)


def test_decimal_comma_and_codes_keep_their_meaning(tmp_path: Path) -> None:
    vendas = convert(tmp_path / "a", TABLES / "vendas-pt-br.csv")
    zipcodes = convert(tmp_path / "b", TABLES / "zipcodes-head.csv")

    sales = duckdb.read_parquet(f"{vendas.outputs}/vendas-pt-br.parquet").limit(1).fetchall()
    codes = duckdb.read_parquet(f"{zipcodes.outputs}/zipcodes-head.parquet").limit(1).fetchall()
    assert sales == [(dt.date(2024, 2, 1), "São Paulo", 1234.56, 3)]
    assert codes[0][0] == "00501"


@pytest.mark.parametrize(
    ("numbers", "stored_as", "values"),
    [
        ((-3, 2**53 + 1), "BIGINT", [-3, 2**53 + 1]),
        ((-3, 2**63 + 1), "VARCHAR", ["-3", str(2**63 + 1)]),
    ],
)
def test_whole_numbers_keep_every_digit(
    tmp_path: Path, numbers: tuple[int, int], stored_as: str, values: list[object]
) -> None:
    lines = tmp_path / "n.jsonl"
    lines.write_text("".join(f'{{"n": {number}, "in": {{"n": {number}}}}}\n' for number in numbers))

    ended = convert(tmp_path / "job", lines)
    assert ended.code == 0, ended.log
    assert types(ended, "n.jsonl") == {"n": stored_as, "in": f"STRUCT(n {stored_as})"}
    rows = duckdb.read_parquet(str(ended.outputs / "n.parquet")).fetchall()
    assert [row[0] for row in rows] == values
    assert [row[1]["n"] for row in rows] == values


def test_statistics_are_those_of_the_column(tmp_path: Path) -> None:
    table = tmp_path / "known.csv"
    table.write_text(
        "n,word,when\n" + "".join(f"{n},w{n % 3},2024-01-{1 + n % 28:02}\n" for n in range(1, 101)) + ",,\n"
    )

    profile = convert(tmp_path / "job", table).json("known.profile.json")
    number, word, when = profile["columns"]
    assert (number["min"], number["max"], number["mean"], number["nulls"]) == (1, 100, 50.5, 1)
    assert number["quantiles"]["0.5"] == 50.5
    assert number["stddev"] == pytest.approx(29.011, abs=0.001)
    assert sum(number["histogram"]["counts"]) == 100
    assert word["top"] == [["w1", 34], ["w0", 33], ["w2", 33]]
    assert (when["min"], when["max"], when["distinct"]) == ("2024-01-01", "2024-01-28", 28)


def test_sample_is_small_and_the_same_every_time(tmp_path: Path) -> None:
    table = tmp_path / "long.csv"
    table.write_text("n\n" + "".join(f"{n}\n" for n in range(20_000)))

    first = convert(tmp_path / "a", table, sample_rows=1000).json("long.profile.json")
    again = convert(tmp_path / "b", table, sample_rows=1000).json("long.profile.json")
    assert first == again
    assert first["rows"] == 20_000
    assert 800 < first["sampled_rows"] < 1200
    assert first["columns"][0]["max"] == 19_999


def test_parameters_overrule_what_the_file_looks_like(tmp_path: Path) -> None:
    table = tmp_path / "cyrillic.csv"
    table.write_bytes("имя;b,c\nЖдём;1,2\n".encode("cp1251"))

    commas = convert(tmp_path / "a", table, encoding="windows-1251", delimiter="comma")
    wrong = convert(tmp_path / "b", table, encoding="utf-8")
    assert list(types(commas, "cyrillic.csv")) == ["имя;b", "c"]
    assert wrong.code == 65
    assert "UTF-8" in wrong.sentence


def test_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    assert book.active is not None
    book.active.append(["first"])
    second = book.create_sheet("Prices")
    for row in (["item", "price", "item"], ["belt", 12.5, None], ["motor", 7, "x"]):
        second.append(row)
    book.save(tmp_path / "two.xlsx")

    prices = convert(tmp_path / "a", tmp_path / "two.xlsx", sheet="Prices")
    missing = convert(tmp_path / "b", tmp_path / "two.xlsx", sheet="Costs")
    assert types(prices, "two.xlsx") == {"item": "VARCHAR", "price": "DOUBLE", "item_2": "VARCHAR"}
    assert missing.sentence == "This workbook has no sheet named “Costs”; it has Sheet, Prices."


def test_report_shows_tables_and_lists_failures(tmp_path: Path) -> None:
    job = Job(tmp_path, "tabular-profile")
    for number, table in enumerate(
        (TABLES / "seattle-weather.csv", BROKEN / "ragged-long.csv", TABLES / "formulas.csv", TABLES / "penguins.json")
    ):
        job.item("convert", table, number)

    ended = job.gather("report")
    assert ended.code == 0, ended.log
    assert ended.names() == {"report.html", "columns.csv"}
    page = ended.text("report.html")
    for words in (
        "3 tables profiled",
        "1 file could not be processed",
        "Line 3 has 4 columns",
        "precipitation",
        "<svg",
    ):
        assert words in page
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page


def test_no_cell_of_the_column_table_is_a_formula(tmp_path: Path) -> None:
    job = Job(tmp_path, "tabular-profile")
    table = tmp_path / "=cmd.csv"
    table.write_text("@name,value\n=1+1,-5\n+2,-3\n\t=3,-4\n")
    job.item("convert", table)

    rows = list(csv.reader(io.StringIO(job.gather("report").text("columns.csv"))))
    assert rows[1][0] == "'=cmd.csv"
    assert rows[1][1] == "'@name"
    for cell in (cell for row in rows for cell in row if not _is_number(cell)):
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\0"))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
