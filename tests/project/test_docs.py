"""The parts of the documentation that code can check."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from orchestration.spec.parse import parse_pipeline
from orchestration.spec.reference import markdown

DOCS = Path(__file__).resolve().parents[2] / "docs"
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_reference_of_pipeline_yaml_is_current() -> None:
    text = (DOCS / "pipelines.md").read_text()
    written = text.partition("<!-- reference: begin -->\n")[2].partition("<!-- reference: end -->")[0]
    assert written.strip() == markdown().strip(), "run: python -m tests.project.test_docs"


def test_examples_of_pipelines_are_valid() -> None:
    for page in [DOCS.parent / "README.md", DOCS / "pipelines.md"]:
        for example in re.findall(r"```yaml\n(pipeline:.*?)```", page.read_text(), flags=re.DOTALL):
            assert parse_pipeline(example, file=page.name).name == yaml.safe_load(example)["pipeline"]


def test_links_lead_somewhere() -> None:
    pages = [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert not broken


def test_tests_that_the_page_of_security_names_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (DOCS / "security-tests.md").read_text())
    assert len(named) > 50
    for path, name in named:
        assert f"def {name}(" in (DOCS.parent / path).read_text() or not name, f"{path}::{name}"


def test_each_line_about_administration_and_audit_has_its_test() -> None:
    page = (DOCS / "security-tests.md").read_text()
    rows = re.findall(r"^\| (SEC-13[0-9]) \| [^|]+ \| (.+) \|$", page, re.MULTILINE)
    assert [number for number, _ in rows] == [f"SEC-13{digit}" for digit in range(10)]
    assert all("`tests/" in tests for _, tests in rows)


if __name__ == "__main__":
    page = DOCS / "pipelines.md"
    head, begin, rest = page.read_text().partition("<!-- reference: begin -->\n")
    page.write_text(
        f"{head}{begin}{markdown().strip()}\n<!-- reference: end -->{rest.partition('<!-- reference: end -->')[2]}"
    )
