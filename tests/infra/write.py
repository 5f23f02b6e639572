"""Writes what is made from the Terraform files: `make infra-docs`."""

from __future__ import annotations

from typing import Final

from deploy.cost.model import HERE, table
from tests.infra import contract, diagram
from tests.infra.blocks import documented
from tests.infra.readme import render

BEGIN: Final = "<!-- table -->\n"
END: Final = "<!-- end -->"


def main() -> None:
    for folder in documented():
        (folder / "README.md").write_text(render(folder), encoding="utf-8")
    contract.TABLE.write_text(contract.render(), encoding="utf-8")
    diagram.README.write_text(diagram.written(), encoding="utf-8")
    costs = HERE / "README.md"
    before, _, rest = costs.read_text(encoding="utf-8").partition(BEGIN)
    costs.write_text(f"{before}{BEGIN}{table()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
