"""Terraform's files as Python sees them, on machines that have no Terraform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hcl2

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
TERRAFORM: Final = ROOT / "deploy/terraform"
ENVIRONMENTS: Final = ("staging", "prod")


@dataclass(frozen=True, slots=True)
class Block:
    """`labels` are its type's and its own name: of `resource "aws_s3_bucket" "this"` both, of a variable its name."""

    kind: str
    labels: tuple[str, ...]
    body: dict[str, Any]
    file: Path

    @property
    def name(self) -> str:
        return ".".join(self.labels)


def folders() -> list[Path]:
    """Every module and root that has tests of its own."""
    return sorted(path.parent for path in TERRAFORM.glob("**/tests") if ".terraform" not in path.parts)


def modules() -> list[Path]:
    return sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())


def documented() -> list[Path]:
    """Those with a README that is made."""
    return [*modules(), TERRAFORM / "bootstrap"]


@cache
def blocks(folder: Path) -> tuple[Block, ...]:
    return tuple(block for file in sorted(folder.glob("*.tf")) for block in _in_file(file))


def of_kind(folder: Path, kind: str) -> list[Block]:
    return [block for block in blocks(folder) if block.kind == kind]


def _in_file(file: Path) -> Iterator[Block]:
    with file.open(encoding="utf-8") as text:
        said = _plain(hcl2.load(text))
    for kind, found in said.items():
        if isinstance(found, list):
            for one in found:
                yield from _unfold(kind, (), one, file)


def _unfold(kind: str, labels: tuple[str, ...], body: Any, file: Path) -> Iterator[Block]:
    if not isinstance(body, dict):
        return
    if body.pop("__is_block__", False):
        yield Block(kind, labels, body, file)
        return
    for label, inner in body.items():
        yield from _unfold(kind, (*labels, label), inner, file)


def _plain(said: Any) -> Any:
    """Without the quotes that the parser leaves around strings."""
    if isinstance(said, dict):
        return {_plain(key): _plain(value) for key, value in said.items()}
    if isinstance(said, list):
        return [_plain(one) for one in said]
    if isinstance(said, str) and len(said) > 1 and said[0] == said[-1] == '"':
        return said[1:-1].replace('\\"', '"')
    return said
