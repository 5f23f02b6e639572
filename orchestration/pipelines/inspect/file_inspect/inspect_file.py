"""Step `inspect`: everything that can be told about one file without running or unpacking it."""

import codecs
from dataclasses import asdict
from pathlib import Path
from typing import Any

from esteira_kit import step
from esteira_kit.encoding import Text
from esteira_kit.index import read_index

from file_inspect import digests, kinds, shape

_HEAD = 8192
_TAIL = 66_000
_PREVIEW_LINES, _PREVIEW_WIDTH = 12, 240


def main() -> None:
    file = read_index().own_input()
    progress = step.Progress()
    head, tail = _ends(file.path)
    reading = digests.read(file.path, progress, share=0.7)
    look = shape.look(file.path)
    preview = _preview(head, reading.text)
    kind = kinds.identify(head, tail, preview)
    listing = _listing(file.path, head, progress)
    if listing:
        kind = kinds.refine(kind, listing["form"], set(listing["names"]))
    result: dict[str, Any] = {
        "name": file.name,
        "size": reading.size,
        "digests": reading.digests,
        "kind": {"name": kind.name, "media_type": kind.media_type},
        "warnings": _warnings(file.name, kind, head, tail, is_text=preview is not None),
        "entropy": {"bits": look.entropy, "along": look.along, "is_sampled": look.is_sampled},
        "hex": shape.hex_lines(look.head),
        "text": _text(reading, preview),
        "archive": listing,
    }
    if listing:
        del listing["names"]
    step.write_json(f"{file.name}.inspect.json", result)
    progress(1, "Done")


def _ends(path: Path) -> tuple[bytes, bytes]:
    with path.open("rb") as source:
        head = source.read(_HEAD)
        source.seek(max(0, path.stat().st_size - _TAIL))
        return head, source.read()


def _preview(head: bytes, text: Text | None) -> str | None:
    if text is None:
        return None
    # The head may cut a letter in half, which is not the file's fault.
    return codecs.getincrementaldecoder(text.codec)("replace").decode(head)


def _text(reading: digests.Reading, preview: str | None) -> dict[str, Any] | None:
    if reading.text is None or preview is None:
        return None
    text = reading.text
    endings = [(text.lf, "LF (Unix)"), (text.crlf, "CRLF (Windows)"), (text.cr, "CR (old Mac)")]
    used = [name for count, name in endings if count]
    lines = [line[:_PREVIEW_WIDTH] for line in preview.splitlines()[:_PREVIEW_LINES]]
    return {
        "encoding": text.label,
        "line_endings": " and ".join(used) if used else "none",
        "lines": text.breaks + (not reading.ends_with_break),
        "preview": lines,
    }


def _listing(path: Path, head: bytes, progress: step.Progress) -> dict[str, Any] | None:
    from file_inspect.archive import Walker, form_of  # noqa: PLC0415 - most files are no archives

    form = form_of(head)
    if not form:
        return None
    from file_inspect.bounds import Budget  # noqa: PLC0415 - the same

    params = step.params()
    budget = Budget(
        packed=path.stat().st_size,
        entries=params["max_entries"],
        expanded=params["max_expanded_mib"] << 20,
        ratio=params["max_ratio"],
    )
    with path.open("rb") as source:
        listing = Walker(form, budget, lambda text: progress(0.85, text)).walk(source)
    return asdict(listing) | {"entries_seen": budget.entries, "expanded": budget.expanded}


def _warnings(name: str, kind: kinds.Kind, head: bytes, tail: bytes, *, is_text: bool) -> list[str]:
    found = [kinds.disagreement(name, kind, is_text=is_text)]
    has_directory = b"PK\x05\x06" in tail and b"PK\x01\x02" in tail
    if has_directory and not is_text and not head.startswith(b"PK"):
        found.append("A ZIP archive is attached to its end: two programs may see two different files in it.")
    return [sentence for sentence in found if sentence]


if __name__ == "__main__":
    step.run(main)
