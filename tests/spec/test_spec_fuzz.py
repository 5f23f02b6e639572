"""Whatever is thrown at the reader, it answers with a spec or with problems; nothing else gets out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.spec.model import PipelineSpec
from orchestration.spec.params import ParamProblem, ParamsError, coerce_text, validate_params
from orchestration.spec.parse import parse_pipeline
from orchestration.spec.problems import Problem, SpecError

quick = settings(database=None, deadline=None, max_examples=150)

EXAMPLES = [path.read_text() for path in sorted(Path(__file__).with_name("examples").glob("*.yaml"))]
WORDS = ["", "1", "1.0", "true", "null", "input", "[", "{", "}", ": ", "- ", "*a", "&a ", "!x ", "|", "'", "\t", "\n"]
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
ANYTHING = st.recursive(
    SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=5), below, max_size=3),
    max_leaves=6,
)


def problems_of(call: Callable[[], object]) -> list[Any]:
    """Nothing when it went well."""
    try:
        call()
    except (SpecError, ParamsError) as error:
        return [*error.problems] or ["an error without a problem"]
    return []


def check_answer(text: str) -> None:
    problems = problems_of(lambda: parse_pipeline(text, file="pipeline.yaml"))
    lines = text.count("\n") + 1
    assert all(isinstance(problem, Problem) and 1 <= problem.line <= lines + 1 for problem in problems)
    if not problems:
        spec = parse_pipeline(text, file="pipeline.yaml")
        stored = json.loads(json.dumps(spec.to_json(), allow_nan=False))
        assert PipelineSpec.from_json(stored) == spec


@quick
@given(st.text(max_size=60))
def test_any_text_is_answered(text: str) -> None:
    check_answer(text)


@quick
@given(st.sampled_from(EXAMPLES), st.data())
def test_damaged_pipeline_is_answered(text: str, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 12))
        text = text[:at] + data.draw(st.sampled_from(WORDS)) + text[at + gone :]
    check_answer(text)


@quick
@given(st.sampled_from(EXAMPLES), st.data())
def test_pipeline_with_any_value_anywhere_is_answered(text: str, data: st.DataObject) -> None:
    document = yaml.safe_load(text.replace(" on:", ' "on":'))
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(ANYTHING)

    check_answer(json.dumps(document))


@quick
@given(
    st.sampled_from(EXAMPLES), st.dictionaries(st.sampled_from(["album", "widths", "dpi", "quality", "x"]), ANYTHING)
)
def test_any_parameters_are_answered(text: str, given_params: dict[str, Any]) -> None:
    schema = parse_pipeline(text, file="").params
    problems = problems_of(lambda: validate_params(schema, given_params))
    assert all(isinstance(problem, ParamProblem) for problem in problems)
    if not problems:
        values = validate_params(schema, given_params)
        assert validate_params(schema, values) == values


@quick
@given(st.sampled_from(["album", "widths", "format", "quality", "strip_gps", "x"]), st.text(max_size=12))
def test_any_typed_text_is_answered(key: str, text: str) -> None:
    schema = next(parse_pipeline(example, file="").params for example in EXAMPLES if "image-set" in example)
    problems = problems_of(lambda: json.dumps(coerce_text(schema, key, text), allow_nan=False))
    assert all(isinstance(problem, ParamProblem) for problem in problems)
