"""Writes what is made from the Terraform files: `make infra-docs`."""

from __future__ import annotations

from tests.infra import contract
from tests.infra.blocks import documented
from tests.infra.readme import render


def main() -> None:
    for folder in documented():
        (folder / "README.md").write_text(render(folder), encoding="utf-8")
    contract.TABLE.write_text(contract.render(), encoding="utf-8")


if __name__ == "__main__":
    main()
