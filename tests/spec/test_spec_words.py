"""Parameters speak the reader's language; the schema that programs get is a plain one, in English."""

from __future__ import annotations

import json
from typing import Final

import pytest

from orchestration.spec.model import PipelineSpec
from orchestration.spec.parse import parse_pipeline
from orchestration.spec.problems import SpecError

TEXT: Final = """\
pipeline: spoken
version: 1.0.0
params:
  type: object
  properties:
    rows:
      type: integer
      default: 5
      title: {en: Rows, pt-BR: Linhas}
      description: {pt-BR: Quantas.}
    sizes: {type: array, items: {type: integer, title: {en: Size, pt-BR: Tamanho}}, default: [], title: Sizes}
steps: [{name: go, command: [go]}]
"""


@pytest.fixture
def spec() -> PipelineSpec:
    return parse_pipeline(TEXT, file="pipeline.yaml")


def test_schema_for_programs_is_plain_and_in_english(spec: PipelineSpec) -> None:
    rows, sizes = spec.params["properties"].values()
    assert (rows["title"], rows["description"]) == ("Rows", "Quantas."), "what is not said in English as it is"
    assert (sizes["title"], sizes["items"]["title"]) == ("Sizes", "Size")


@pytest.mark.parametrize(
    ("language", "title"), [("en", "Rows"), ("pt-BR", "Linhas"), ("pt", "Rows"), ("fr", "Rows"), ("en-GB", "Rows")]
)
def test_reader_gets_her_language_else_english(spec: PipelineSpec, language: str, title: str) -> None:
    rows, sizes = spec.params_in(language)["properties"].values()
    assert (rows["title"], sizes["title"]) == (title, "Sizes")
    assert rows["default"] == 5
    assert spec.params["properties"]["rows"]["title"] == "Rows", "and the spec, which all readers share, is as it was"


def test_words_are_stored_with_the_version(spec: PipelineSpec) -> None:
    stored = json.loads(json.dumps(spec.to_json(), sort_keys=True))
    assert PipelineSpec.from_json(stored) == spec
    assert PipelineSpec.from_json(stored).param_words == spec.param_words
    del stored["param_words"]
    old = PipelineSpec.from_json(stored)
    assert old.params_in("pt-BR")["properties"] == spec.params["properties"], "one of before there were any"


@pytest.mark.parametrize(
    ("title", "why"),
    [("{Klingon: x}", "is not a language"), ("{}", ""), ("{en: ''}", ""), ("[Rows]", ""), ("{en: 5}", "")],
)
def test_title_that_is_none_is_refused(title: str, why: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_pipeline(TEXT.replace("{en: Rows, pt-BR: Linhas}", title), file="pipeline.yaml")
    assert "params.properties.rows.title" in str(refused.value)
    assert why in str(refused.value)
