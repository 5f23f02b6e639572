"""Looks into a file that nobody trusts: a table's first rows, an archive's names, a document's pages. Prints JSON.

A program of its own, which services/previews.py starts behind walls with the file as standard input. It imports nothing
of ours, and reads no more than it shows.
"""

import base64
import csv
import gzip
import io
import json
import re
import resource
import signal
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from itertools import islice
from types import FrameType
from typing import Any, Final

FILE: Final = "/dev/fd/0"
ROWS: Final = 50
COLUMNS: Final = 60
CELL: Final = 200
HEAD: Final = 256 << 10
ENTRIES: Final = 500
MEMORY: Final = 3 << 30
"""Of addresses: DuckDB reserves more than it uses."""
PAGES: Final = 3
PAGE_WIDTH: Final = 1000
SAID: Final = 8 << 20
CPU_S: Final = 5
WHOLE: Final = re.compile(r"[+-]?\d+")
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
DATE: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
KINDS: Final = ((WHOLE, "whole number"), (NUMBER, "number"), (DATE, "date"))


class TimeIsUp(Exception):
    """What was seen until now is shown."""


def main(how: str) -> None:
    _limit()
    try:
        said = LOOKS[how]()
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, RecursionError, TimeIsUp):
        said = {"fault": "unreadable"}
    except (zipfile.BadZipFile, tarfile.TarError, csv.Error, zlib.error):
        said = {"fault": "unreadable"}
    json.dump(said, sys.stdout)


def _limit() -> None:
    for which, most in (
        (resource.RLIMIT_AS, (MEMORY, MEMORY)),
        (resource.RLIMIT_FSIZE, (SAID, SAID)),
        (resource.RLIMIT_CORE, (0, 0)),
        (resource.RLIMIT_CPU, (CPU_S, CPU_S + 2)),
    ):
        resource.setrlimit(which, most)
    signal.signal(signal.SIGXCPU, _stop)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise TimeIsUp


def _csv() -> dict[str, Any]:
    """With the sign that parts the first line most often."""
    head = sys.stdin.buffer.read(HEAD)
    lines = head.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if len(head) == HEAD and len(lines) > 1:
        lines.pop()  # half of one
    first = lines[0] if lines else ""
    found = list(islice(csv.reader(lines, delimiter=max("\t;|,", key=first.count)), ROWS + 2))
    rows = found[1 : ROWS + 1]
    names = found[0][:COLUMNS] if found else []
    columns = [
        {"name": name[:CELL], "type": _type(row[at] for row in rows if at < len(row))} for at, name in enumerate(names)
    ]
    return {
        "columns": columns,
        "rows": [[cell[:CELL] for cell in row[:COLUMNS]] for row in rows],
        "total": None if len(found) > ROWS + 1 or len(head) == HEAD else len(rows),
        "columns_total": len(found[0]) if found else 0,
    }


def _columns(names: list[str], types: list[str]) -> list[dict[str, str]]:
    return [{"name": name[:CELL], "type": type_[:CELL]} for name, type_ in zip(names, types, strict=True)]


def _type(cells: Iterable[str]) -> str:
    filled = [cell for cell in cells if cell]
    fits = (name for form, name in KINDS if all(form.fullmatch(cell) for cell in filled))
    return next(fits, "text") if filled else "empty"


def _parquet() -> dict[str, Any]:
    import duckdb  # noqa: PLC0415  a fifth of a second, for this alone

    engine = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": "512MiB",
            "temp_directory": "",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        },
    )
    try:
        source = engine.read_parquet(FILE)
        names, types = source.columns, [str(type_) for type_ in source.types]
        cells = ", ".join(f"left(CAST({_quoted(name)} AS VARCHAR), {CELL})" for name in names[:COLUMNS])
        rows = source.limit(ROWS).project(cells).fetchall()
        total = source.count("*").fetchall()[0][0]
    except duckdb.Error:
        return {"fault": "unreadable"}
    return {
        "columns": [{"name": name[:CELL], "type": type_[:CELL]} for name, type_ in zip(names, types, strict=True)][
            :COLUMNS
        ],
        "rows": rows,
        "total": total,
        "columns_total": len(names),
    }


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _zip() -> dict[str, Any]:
    with zipfile.ZipFile(sys.stdin.buffer) as archive:
        infos = archive.infolist()
        return _entries(((i.filename, None if i.is_dir() else i.file_size) for i in infos), total=len(infos))


def _tar() -> dict[str, Any]:
    """A tar, compressed or not; or one file that is compressed, which holds no names."""
    try:
        archive = tarfile.open(fileobj=sys.stdin.buffer, mode="r:*")  # noqa: SIM115  closed with the process
    except tarfile.ReadError:
        sys.stdin.buffer.seek(0)
        with gzip.open(sys.stdin.buffer) as one:
            one.read(1)
        return {"fault": "single"}
    return _entries((member.name, member.size if member.isfile() else None) for member in archive)


def _entries(found: Iterable[tuple[str, int | None]], *, total: int | None = None) -> dict[str, Any]:
    entries: list[dict[str, Any]] = []
    is_cut = False
    try:
        for name, size in found:
            if is_cut := len(entries) == ENTRIES:
                break
            entries.append({"name": name[:CELL], "size": size})
    except (TimeIsUp, OSError, EOFError, zlib.error, tarfile.TarError):
        is_cut = True
    return {"entries": entries, "total": total if total is not None or is_cut else len(entries)}


def _pdf() -> dict[str, Any]:
    """As pictures: nothing of what a document brings along reaches a browser."""
    import pypdfium2  # noqa: PLC0415  for this alone

    try:
        with pypdfium2.PdfDocument(sys.stdin.buffer) as document:
            pages = [_picture(document[at]) for at in range(min(PAGES, len(document)))]
            return {"pages": pages, "total": len(document)}
    except pypdfium2.PdfiumError:
        return {"fault": "unreadable"}


def _picture(page: Any) -> str:
    width, height = page.get_size()
    out = io.BytesIO()
    scale = min(PAGE_WIDTH / max(width, 1), 2 * PAGE_WIDTH / max(height, 1))
    page.render(scale=scale).to_pil().convert("RGB").save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode()


LOOKS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "csv": _csv,
    "parquet": _parquet,
    "pdf": _pdf,
    "zip": _zip,
    "tar": _tar,
}

if __name__ == "__main__":
    main(sys.argv[1])
