"""The files that a step was given, as `index.json` tells them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class InputFile(NamedTuple):
    path: Path
    name: str
    media_type: str
    size: int
    sha256: str
    step: str | None
    item: int | None
    source: str | None


class FailedItem(NamedTuple):
    step: str
    item: int
    source: str
    failure_kind: str
    detail: str


class Item(NamedTuple):
    """The outputs of one item of a fan-out, by the name the item gave them."""

    number: int
    source: str
    files: dict[str, InputFile]

    def json(self, name: str) -> Any:
        return json.loads(self.files[name].path.read_bytes())


class Index(NamedTuple):
    files: list[InputFile]
    failed_items: list[FailedItem]

    def own_input(self) -> InputFile:
        """The one input file of a step with `for_each: input`."""
        return next(file for file in self.files if file.step is None)

    def items(self, step: str) -> Iterator[Item]:
        """The items of a needed step that succeeded, in the order of the job's input files."""
        found: dict[int, Item] = {}
        for file in self.files:
            if file.step == step and file.item is not None:
                item = found.setdefault(file.item, Item(file.item, file.source or file.name, {}))
                item.files[file.name] = file
        for number in sorted(found):
            yield found[number]


def read_index() -> Index:
    root = Path(os.environ["ESTEIRA_INPUTS"])
    raw = json.loads((root / "index.json").read_bytes())
    return Index(
        [_input_file(root, entry) for entry in raw["files"]],
        [_failed_item(entry) for entry in raw["failed_items"]],
    )


def _input_file(root: Path, entry: dict[str, Any]) -> InputFile:
    return InputFile(
        path=root / entry["path"],
        name=entry["name"],
        media_type=entry.get("media_type") or "application/octet-stream",
        size=entry["size"],
        sha256=entry.get("sha256") or "",
        step=entry.get("step"),
        item=entry.get("item"),
        source=entry.get("source"),
    )


def _failed_item(entry: dict[str, Any]) -> FailedItem:
    return FailedItem(
        step=entry["step"],
        item=entry["item"],
        source=entry.get("source") or f"file {entry['item'] + 1}",
        failure_kind=entry.get("failure_kind") or "",
        detail=entry.get("detail") or "No reason was recorded.",
    )
