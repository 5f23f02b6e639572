"""A module's README: what the comment at the head of main.tf says, and tables of what goes in and comes out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tests.infra.blocks import TERRAFORM, of_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.infra.blocks import Block

_HEAD: Final = re.compile(r"\A((?:#[^\n]*\n)+)")
_TYPE: Final = re.compile(r"^\$\{(.*)\}$", re.DOTALL)


def render(folder: Path) -> str:
    name = folder.relative_to(TERRAFORM).as_posix()
    text = (folder / "main.tf").read_text(encoding="utf-8")
    head = _HEAD.match(text)
    if head is None:
        raise AssertionError(f"{name}/main.tf must begin with a comment that says what it is for")
    told = "\n".join(line.removeprefix("#").removeprefix(" ") for line in head[1].splitlines())
    parts = [
        f"# {name.rsplit('/', maxsplit=1)[-1]}",
        told,
        "## Inputs",
        _table(("input", "type", "default", ""), [_input(block) for block in of_kind(folder, "variable")]),
        "## Outputs",
        _table(("output", ""), [(f"`{block.name}`", block.body["description"]) for block in of_kind(folder, "output")]),
        "## What it makes",
        ", ".join(f"`{kind}`" for kind in sorted({block.labels[0] for block in of_kind(folder, "resource")})) + ".",
        "Tested by [tests/](tests/). Made by `make infra-docs` from the Terraform files: do not edit by hand.",
    ]
    return "\n\n".join(parts) + "\n"


def _input(block: Block) -> tuple[str, ...]:
    default = block.body.get("default", "needed")
    said = default if isinstance(default, str) else _value(default)
    return (f"`{block.name}`", f"`{_type(block.body['type'])}`", f"`{said}`", block.body["description"])


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(f'"{one}"' for one in value) + "]"
    return str(value)


def _type(said: str) -> str:
    found = _TYPE.match(said)
    return re.sub(r"\s+", " ", found[1] if found else said).replace("|", "\\|")


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
