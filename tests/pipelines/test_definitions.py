"""What all built-in pipelines promise: two languages, code that imports nothing of ours, pages that load nothing."""

import ast
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest
import yaml

from orchestration.spec.parse import parse_pipeline
from tests.pipelines.corpus_files import CORPUS
from tests.pipelines.step_contract import PIPELINES, Job

NAMES = ("document-text", "image-set", "inspect", "tabular-profile")
ALLOWED = {"PIL", "duckdb", "openpyxl", "puremagic", "pypdfium2"} | set(sys.stdlib_module_names)
# The pipeline's step per file, its last step, a file it takes, the page it makes.
RUNS = {
    "document-text": ("read", "report", "documents/chromium-print.pdf", "report.html"),
    "image-set": ("resize", "sheet", "images/camera-0.jpg", "gallery.html"),
    "inspect": ("inspect", "report", "archives/nested.zip", "report.html"),
    "tabular-profile": ("convert", "report", "tabular/seattle-weather.csv", "report.html"),
}


@pytest.mark.parametrize("name", NAMES)
def test_definition_speaks_both_languages(name: str) -> None:
    spec = yaml.safe_load((PIPELINES / name / "pipeline.yaml").read_text())

    assert spec["pipeline"] == name
    rules = spec["params"]["properties"].values()
    said = [rule[key] for rule in rules for key in ("title", "description")]
    for texts in (spec["title"], spec["description"], *(step["title"] for step in spec["steps"]), *said):
        assert set(texts) == {"en", "pt-BR"}
        assert texts["en"] != texts["pt-BR"]


@pytest.mark.parametrize("name", NAMES)
def test_parameters_have_titles_and_valid_defaults(name: str) -> None:
    text = (PIPELINES / name / "pipeline.yaml").read_text()
    schema = parse_pipeline(text, file="pipeline.yaml").params

    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({key: value["default"] for key, value in schema["properties"].items()}, schema)
    assert all(value["title"] and value["description"] for value in schema["properties"].values())


@pytest.mark.parametrize("file", sorted(PIPELINES.rglob("*.py")), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_step_code_imports_nothing_of_ours(file: Path) -> None:
    own = {path.name for path in PIPELINES.glob("*/*") if path.is_dir()}
    roots = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            roots |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            roots.add(node.module.split(".")[0])
    assert roots <= ALLOWED | own


def test_packages_hide_no_module_of_python() -> None:
    packages = {path.name for path in PIPELINES.glob("*/*") if path.is_dir()}

    assert not packages & set(sys.stdlib_module_names)


def test_threads_are_the_processors_asked_for() -> None:
    job_spec = yaml.safe_load((PIPELINES / "tabular-profile" / "pipeline.yaml").read_text())
    engine = (PIPELINES / "tabular-profile" / "tabular_profile" / "engine.py").read_text()

    assert f"THREADS = {job_spec['steps'][0]['resources']['vcpu']}\n" in engine


@pytest.mark.parametrize("name", NAMES)
def test_page_is_complete_in_itself(tmp_path: Path, name: str) -> None:
    item, last, file, page = RUNS[name]
    job = Job(tmp_path, name)
    assert job.item(item, CORPUS / file).code == 0

    html = job.gather(last).text(page)
    seen = _Seen()
    seen.feed(html)
    assert not seen.tags & {"script", "link", "iframe", "object", "embed", "form", "base"}
    assert not [value for value in seen.loads if not value.startswith("data:image/")]
    assert not seen.handlers
    assert not re.search(r"url\(|@import", html)
    assert seen.open == []
    assert "prefers-color-scheme:dark" in html
    assert 'name="viewport"' in html
    assert all(label for label in seen.drawings)


class _Seen(HTMLParser):
    """Notes what a page would load or run, and whether every element is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.drawings: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def _note(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.add(tag)
        self.loads += [value or "" for key, value in attrs if key in {"src", "href", "srcset", "data", "xlink:href"}]
        self.handlers += [key for key in values if key.startswith("on")]
        if tag == "svg":
            self.drawings.append(values.get("aria-label") or values.get("aria-hidden") or "")
