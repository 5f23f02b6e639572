"""Step `report`: one page, one table and one checksum list over all inspected files."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from esteira_kit import charts, parts, sheets, step, wording
from esteira_kit.index import Index, read_index
from esteira_kit.markup import Child, Html, tag
from esteira_kit.page import write_page

MOST_ROWS = 2000
MOST_DETAILS = 250
_MOST_ENTRIES = 200
_OPEN_DETAILS = 3
_DIGESTS = (("sha256", "SHA-256"), ("sha1", "SHA-1"), ("md5", "MD5"), ("crc32", "CRC-32"))


def main() -> None:
    index = read_index()
    files = [_load(item.files) for item in index.items("inspect")]
    _write_tables(files)
    problems = sum(bool(_problems(file)) for file in files)
    write_page(
        "report.html",
        pipeline="Inspect files",
        title=_title(files),
        lead="Digests, true types and contents, read from every byte. Nothing was opened, run or unpacked.",
        facts=[
            ("Files", wording.number(len(files))),
            ("Together", wording.size(sum(file["size"] for file in files))),
            ("Types", wording.number(len({file["kind"]["name"] for file in files}))),
            ("With findings", wording.number(problems)),
        ],
        sections=_sections(files, index),
    )


def _load(outputs: dict[str, Any]) -> dict[str, Any]:
    import json  # noqa: PLC0415 - one reader for one file

    found = next(file for name, file in outputs.items() if name.endswith(".inspect.json"))
    return dict(json.loads(found.path.read_bytes()))


def _title(files: list[dict[str, Any]]) -> str:
    if len(files) == 1:
        return str(files[0]["name"])
    return f"{wording.plural(len(files), 'file')} inspected"


def _write_tables(files: list[dict[str, Any]]) -> None:
    sheets.write_csv(
        "files.csv",
        ["name", "type", "media_type", "bytes", *[key for key, _ in _DIGESTS], "encoding", "lines", "findings"],
        (
            [
                file["name"],
                file["kind"]["name"],
                file["kind"]["media_type"],
                file["size"],
                *[file["digests"][key] for key, _ in _DIGESTS],
                (file["text"] or {}).get("encoding"),
                (file["text"] or {}).get("lines"),
                " ".join(_problems(file)),
            ]
            for file in files
        ),
    )
    # The form that `sha256sum --check` reads.
    lines = [f"{file['digests']['sha256']}  {step.one_line(file['name'], 4096)}\n" for file in files]
    step.output("SHA256SUMS").write_text("".join(lines), encoding="utf-8", errors="replace")


def _problems(file: dict[str, Any]) -> list[str]:
    archive = file["archive"] or {}
    stopped = [archive["stopped"]] if archive.get("stopped") else []
    return [*file["warnings"], *stopped, *archive.get("warnings", [])]


def _sections(files: list[dict[str, Any]], index: Index) -> Iterator[Child]:
    yield parts.failures(index.failed_items)
    if not files:
        return
    if len(files) > 1:
        yield _overview(files)
        yield _same(files)
        yield _table(files)
    yield tag("section", tag("h2", "File by file")) if len(files) > 1 else None
    for place, file in enumerate(files[:MOST_DETAILS]):
        yield _file(file, is_open=place < _OPEN_DETAILS, is_alone=len(files) == 1)
    if len(files) > MOST_DETAILS:
        yield parts.note(f"The first {MOST_DETAILS} files are shown in detail; files.csv has all {len(files):,}.")


def _overview(files: list[dict[str, Any]]) -> Html:
    counts = Counter(file["kind"]["name"] for file in files)
    largest = sorted(files, key=lambda file: file["size"], reverse=True)[:8]
    return parts.section(
        "At a glance",
        tag(
            "div",
            tag(
                "div",
                tag("h3", "Types"),
                charts.bars(
                    [(name, count, wording.number(count)) for name, count in counts.most_common(8)],
                    label="Files by type",
                ),
                class_="card",
            ),
            tag(
                "div",
                tag("h3", "Largest files"),
                charts.bars(
                    [(file["name"], file["size"], wording.size(file["size"])) for file in largest],
                    label="Largest files",
                ),
                class_="card",
            ),
            class_="cards even",
        ),
    )


def _same(files: list[dict[str, Any]]) -> Html | None:
    by_digest: dict[str, list[str]] = {}
    for file in files:
        if file["size"]:
            by_digest.setdefault(file["digests"]["sha256"], []).append(file["name"])
    groups = [names for names in by_digest.values() if len(names) > 1]
    if not groups:
        return None
    rows = [(names[0], ", ".join(names[1:20])) for names in groups[:100]]
    return parts.section("Identical files", parts.table("Identical files", ["File", "Same content as"], rows))


def _table(files: list[dict[str, Any]]) -> Html:
    rows = [
        (
            file["name"],
            file["kind"]["name"],
            wording.size(file["size"]),
            tag("ul", [tag("li", text, class_="found") for text in found], class_="plain")
            if (found := _problems(file)[:3])
            else wording.NOTHING,
            tag("code", file["digests"]["sha256"][:16] + "…"),
        )
        for file in files[:MOST_ROWS]
    ]
    header = ["File", "Type", "Size", "Findings", "SHA-256"]
    return parts.section("All files", parts.table("All files", header, rows, ["", "", "num"]))


def _file(file: dict[str, Any], *, is_open: bool, is_alone: bool) -> Html:
    problems = _problems(file)
    body: list[Child] = [
        tag(
            "header",
            tag("h2" if is_alone else "h3", file["kind"]["name"] if is_alone else file["name"]),
            tag("span", wording.size(file["size"]), class_="type"),
        ),
        tag("p", file["kind"]["media_type"] if is_alone else file["kind"]["name"], class_="sub"),
        [parts.note(text, kind="warn") for text in problems],
        parts.pairs([(title, tag("code", file["digests"][key])) for key, title in _DIGESTS]),
    ]
    inner = [_text(file["text"]), _archive(file["archive"], is_open=is_open), _entropy(file), _hex(file)]
    return tag("article", body, inner, class_="card file")


def _text(text: dict[str, Any] | None) -> Child:
    if text is None:
        return None
    return [
        parts.pairs(
            [
                ("Encoding", text["encoding"]),
                ("Line endings", text["line_endings"]),
                ("Lines", wording.number(text["lines"])),
            ]
        ),
        tag("pre", "\n".join(text["preview"]), aria_label="First lines") if text["preview"] else None,
    ]


def _archive(archive: dict[str, Any] | None, *, is_open: bool) -> Child:
    if archive is None:
        return None
    entries = archive["entries"]
    rows = [
        (entry["name"], entry["kind"], _entry_size(entry), entry["note"] or wording.NOTHING)
        for entry in entries[:_MOST_ENTRIES]
    ]
    rest = archive["entries_seen"] - len(rows)
    return [
        parts.pairs(
            [
                ("Archive", archive["form"]),
                ("Entries read", wording.number(archive["entries_seen"])),
                ("Expands to", wording.size(archive["expanded"]) if archive["expanded"] else ""),
                ("Nested levels", wording.number(archive["deepest"]) if archive["deepest"] else ""),
            ]
        ),
        parts.details(
            f"Contents ({wording.plural(archive['entries_seen'], 'entry', 'entries')})",
            parts.table("Archive entries", ["Entry", "Kind", "Size", "Note"], rows, ["", "", "num"]),
            parts.note(f"{wording.plural(rest, 'more entry', 'more entries')} not shown here.") if rest > 0 else None,
            is_open=is_open,
        ),
    ]


def _entry_size(entry: dict[str, Any]) -> str:
    size = entry["actual"] if entry["actual"] is not None else entry["declared"]
    return wording.size(size) if size is not None and entry["kind"] in {"file", "unknown"} else wording.NOTHING


def _entropy(file: dict[str, Any]) -> Child:
    entropy = file["entropy"]
    if not file["size"]:
        return None
    bits = wording.number(entropy["bits"], 3)
    meaning = _meaning(entropy["bits"])
    return charts.histogram(
        entropy["along"],
        label=f"Entropy along the file, {bits} bits a byte on average: {meaning}",
        caption=f"Entropy along the file: {bits} bits a byte, {meaning}"
        + (" (sampled)" if entropy["is_sampled"] else ""),
        axis=("start", "end"),
        is_low=True,
        full_scale=8,
    )


def _meaning(bits: float) -> str:
    for below, words in ((1, "nearly uniform"), (5.2, "like text or sparse data"), (7.2, "like code or mixed data")):
        if bits < below:
            return words
    return "compressed or encrypted"


def _hex(file: dict[str, Any]) -> Child:
    return parts.details("First bytes", tag("pre", file["hex"])) if file["size"] else None


if __name__ == "__main__":
    step.run(main)
