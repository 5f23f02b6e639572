"""Each of the owner's questions is answered by files and tests that are there, and by tests that hold something."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from tests.infra.blocks import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = ROOT / "docs/questions.md"
LINK: Final = re.compile(r"\[[^\]]+\]\(([^)#]+)(?:#([^)]+))?\)")
HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)
# What makes a file a test: a function of pytest's, an assertion of Terraform's, or a list that other tests go through.
HOLDS: Final = re.compile(r"^(async )?def test_|^  assert \{|^[A-Z_]+: Final = \($", re.MULTILINE)
FACTS: Final = "facts"
LISTS: Final = {
    "tests/infra/facts.py": "tests/infra/__main__.py",
    "tests/infra/mutations.py": "tests/infra/__main__.py",
}


class Row(NamedTuple):
    number: int
    question: str
    answer: str
    files: str
    tests: str


def rows(text: str) -> list[Row]:
    found = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if re.match(r"\| \d+ \|", line)
    ]
    return [Row(int(number), *rest) for number, *rest in found]


def faults(row: Row) -> list[str]:
    """Links that lead nowhere, files that are not the product's, tests that hold nothing."""
    found = [f"{row.number}: {target} is not there" for target, anchor in links(row) if not _is_there(target, anchor)]
    files = [_at(target) for target, _ in LINK.findall(row.files) if _at(target).exists()]
    if not [file for file in files if not _is_test(file)]:
        found.append(f"{row.number}: no file does it")
    tests = [_at(target) for target, _ in LINK.findall(row.tests) if _at(target).exists()]
    if not tests and FACTS not in row.tests:
        found.append(f"{row.number}: no test holds it")
    return found + [f"{row.number}: {test.name} holds nothing" for test in tests if not holds(test)]


def links(row: Row) -> list[tuple[str, str]]:
    return LINK.findall(f"{row.answer} {row.files} {row.tests}")


def holds(test: Path) -> bool:
    if test.is_dir():
        return any(test.iterdir())
    is_run = test.relative_to(ROOT).as_posix() in LISTS or _is_test(test)
    return is_run and bool(HOLDS.search(test.read_text(encoding="utf-8")))


def _is_test(file: Path) -> bool:
    return file.name.startswith("test_") or file.name.endswith(".tftest.hcl")


def _at(target: str) -> Path:
    return (PAGE.parent / target).resolve()


def _is_there(target: str, anchor: str) -> bool:
    file = _at(target)
    if not anchor or not file.is_file():
        return file.exists()
    headings = HEADING.findall(file.read_text(encoding="utf-8"))
    return anchor in {re.sub(r"[^\w -]", "", one).strip().lower().replace(" ", "-") for one in headings}


def test_fourteen_are_answered_in_their_order() -> None:
    found = rows(PAGE.read_text(encoding="utf-8"))
    assert [row.number for row in found] == list(range(1, 15))
    assert all(row.question.endswith("?") and len(row.answer.split()) > 4 for row in found)


@pytest.mark.parametrize("row", rows(PAGE.read_text(encoding="utf-8")), ids=lambda row: str(row.number))
def test_answer_leads_to_what_does_it_and_to_what_holds_it(row: Row) -> None:
    assert faults(row) == []


@pytest.mark.parametrize("listed", LISTS)
def test_lists_are_gone_through_by_what_checks_the_infrastructure(listed: str) -> None:
    module = listed.removesuffix(".py").rpartition("/")[2]
    assert f"{module}." in (ROOT / LISTS[listed]).read_text(encoding="utf-8")


GOOD: Final = Row(
    1,
    "Why?",
    "because it is so",
    "[network](../deploy/terraform/modules/network/main.tf)",
    "[network](../deploy/terraform/modules/network/tests/network.tftest.hcl)",
)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"files": "[gone](../deploy/terraform/modules/gone/main.tf)"},
            ["gone/main.tf is not there", "no file does it"],
        ),
        ({"files": "[tests](../tests/infra/test_facts.py)"}, ["no file does it"]),
        ({"tests": ""}, ["no test holds it"]),
        ({"tests": "[gone](../tests/infra/test_gone.py)"}, ["is not there", "no test holds it"]),
        ({"tests": "[code](../project/health.py)"}, ["health.py holds nothing"]),
        ({"answer": "[x](runbooks.md#no-such-heading)"}, ["runbooks.md is not there"]),
        ({}, []),
    ],
)
def test_answer_that_leads_nowhere_is_a_fault(change: dict[str, Any], said: list[str]) -> None:
    found = faults(GOOD._replace(**change))
    assert len(found) == len(said), found
    assert all(part in fault for part, fault in zip(said, found, strict=True))
