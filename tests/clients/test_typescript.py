"""The TypeScript client is made from the contract, compiles by the strictest rules and is pinned by hash."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.clients.node import CONTRACT, NODE, PROGRAMS, SOURCE, Built, built, generated, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(280)]


@pytest.fixture(scope="module")
def package() -> Built:
    return built()


def test_types_are_what_the_contract_gives(package: Built, tmp_path: Path) -> None:
    assert generated(tmp_path / "contract.ts") == (SOURCE / CONTRACT).read_text(), "`make clients` writes it anew"


def test_call_that_is_not_in_the_contract_does_not_compile(package: Built, tmp_path: Path) -> None:
    program = package.user(tmp_path) / "typed.ts"
    head = 'import { Esteira } from "@esteira/client";\nconst { api } = new Esteira({ url: "http://127.0.0.1" });\n'
    program.write_text(f'{head}await api.GET("/api/v1/me");\n')
    package.require_clean(program)
    program.write_text(f'{head}await api.GET("/api/v1/you");\n')
    with pytest.raises(AssertionError, match=r"typed\.ts"):
        package.require_clean(program)


def test_faults_are_met_as_they_should_be(package: Built, tmp_path: Path) -> None:
    program = package.user(tmp_path) / "faults.test.ts"
    shutil.copyfile(PROGRAMS / "faults.ts", program)
    package.require_clean(program)
    done = run([str(NODE), "--test", str(program)], cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_packages_are_pinned_by_hash_and_without_an_address() -> None:
    lock = json.loads((SOURCE / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    assert [name for name, one in packages.items() if not one["integrity"].startswith("sha512-")] == []
    assert [name for name, one in packages.items() if "resolved" in one] == []
    own = json.loads((SOURCE / "package.json").read_text())
    ranges = [*own["dependencies"].values(), *own["devDependencies"].values()]
    assert [one for one in ranges if not one[0].isdecimal()] == []
