import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestration.spec.params import ParamsError, coerce_text, validate_params
from orchestration.spec.parse import parse_pipeline

quick = settings(database=None, deadline=None, max_examples=150)
EXAMPLES = Path(__file__).with_name("examples")


def schema_of(name: str) -> dict[str, Any]:
    return parse_pipeline((EXAMPLES / f"{name}.yaml").read_text(), file=name).params


TABLE = schema_of("tabular-profile")
IMAGES = schema_of("image-set")


def said(given_params: dict[str, Any], schema: dict[str, Any] = IMAGES) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        validate_params(schema, given_params)
    assert str(caught.value) == "\n".join(str(problem) for problem in caught.value.problems)
    return [problem.message for problem in caught.value.problems]


def test_defaults_are_filled_in_in_the_order_of_the_schema() -> None:
    values = validate_params(IMAGES, {"strip_gps": False, "album": "Rio"})

    wanted = {"album": "Rio", "widths": [320, 1280], "format": "webp", "quality": 0.8, "strip_gps": False}
    assert list(values.items()) == list(wanted.items())


def test_default_is_a_copy() -> None:
    validate_params(IMAGES, {"album": "a"})["widths"].append(0)

    assert validate_params(IMAGES, {"album": "a"})["widths"] == [320, 1280]


def test_whole_float_becomes_an_integer() -> None:
    values = validate_params(TABLE, {"sample_rows": 500.0})

    assert json.dumps(values) == '{"sample_rows": 500}'


@pytest.mark.parametrize(
    ("given_params", "sentences"),
    [
        ({"sample_rows": 5}, ["sample_rows must be at least 100; you gave 5"]),
        ({"sample_rows": 10**9}, ["sample_rows must be at most 1000000; you gave 1000000000"]),
        ({"sample_rows": "5"}, ['sample_rows must be a whole number; you gave "5"']),
        ({"sample_rows": True}, ["sample_rows must be a whole number; you gave true"]),
        (
            {"sample_rows": 5.5},
            [
                "sample_rows must be a whole number; you gave 5.5",
                "sample_rows must be at least 100; you gave 5.5",
            ],
        ),
        ({"sample_rows": None}, ["sample_rows has no value; it must be a whole number"]),
        ({"samplerows": 500}, ['there is no parameter "samplerows"; did you mean "sample_rows"?']),
        ({"zzz": 1}, ['there is no parameter "zzz"; the parameters are sample_rows']),
    ],
)
def test_fault_is_a_sentence(given_params: dict[str, Any], sentences: list[str]) -> None:
    assert said(given_params, TABLE) == sentences


def test_every_fault_is_told_with_its_place() -> None:
    with pytest.raises(ParamsError) as caught:
        validate_params(IMAGES, {"widths": [320, 3, "x"], "format": "jpg", "quality": 0, "strip_gps": "yes"})

    assert [(problem.key, problem.message) for problem in caught.value.problems] == [
        ("album", "album is missing"),
        ("widths[1]", "widths[1] must be at least 16; you gave 3"),
        ("widths[2]", 'widths[2] must be a whole number; you gave "x"'),
        ("format", 'format must be one of webp, jpeg or png; you gave "jpg"; did you mean "jpeg"?'),
        ("quality", "quality must be more than 0; you gave 0"),
        ("strip_gps", 'strip_gps must be true or false; you gave "yes"'),
    ]


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("album", "", "album must not be empty"),
        ("album", "a" * 101, "album must have at most 100 characters; this has 101"),
        ("album", "a\0b", "album holds control characters"),
        ("album", "\ud800", "album holds control characters"),
        ("widths", [], "widths must not be empty"),
        ("widths", [16, 17, 18, 19, 20, 21], "widths must have at most 5 entries; this has 6"),
        ("widths", [16, 16], "widths lists 16 more than once"),
        ("widths", 16, "widths must be a list; you gave 16"),
        ("widths", "a,b", "widths must be a list; write [a,b]"),
        ("quality", float("nan"), "quality must be a value that JSON can hold"),
        ("quality", {1, 2}, "quality must be a value that JSON can hold"),
        ("quality", [[[[[1]]]]], "quality is nested too deeply"),
    ],
)
def test_value_that_cannot_be_kept_is_refused(key: str, value: Any, sentence: str) -> None:
    assert said({"album": "Rio"} | {key: value}) == [sentence]


def test_number_too_long_to_write_is_refused() -> None:
    assert said({"album": "Rio", "quality": 10**5000}) == ["quality must be a value that JSON can hold"]


def test_parameters_that_are_too_large_are_refused() -> None:
    assert said({"album": "é" * 40_000}) == ["the parameters have 80013 bytes; at most 65536 are allowed"]


CHOICES = [f"c{number}" for number in range(500)]
TAGS = {"type": "array", "items": {"type": "string", "enum": CHOICES}, "uniqueItems": True}


@pytest.mark.parametrize(
    ("given_params", "faults"),
    [
        ({f"k{number}": 1 for number in range(5000)}, 20),
        ({"numbers": [*range(9000), "x"]}, 1),
        ({"numbers": ["x"] * 9000}, 100),
        ({"tags": ["c499"] * 8000}, 1),
    ],
    ids=["unknown names", "one wrong value", "wrong values", "repetitions"],
)
def test_hostile_parameters_cost_little(given_params: dict[str, Any], faults: int) -> None:
    numbers = {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}
    began = time.process_time()

    assert len(said(given_params, {"type": "object", "properties": {"tags": TAGS, "numbers": numbers}})) == faults
    assert time.process_time() - began < 0.5


def test_very_many_choices_are_not_all_listed() -> None:
    schema = {"type": "object", "properties": {"tags": TAGS}}

    (sentence,) = said({"tags": ["x"]}, schema)

    assert sentence.endswith('c18, c19 or 480 more; you gave "x"')


def test_pipeline_without_parameters_takes_none() -> None:
    schema = {"type": "object", "properties": {}}

    assert validate_params(schema, {}) == {}
    assert said({"a": 1}, schema) == ['there is no parameter "a"; this pipeline has none']


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_schema_that_was_accepted_is_a_json_schema(path: Path) -> None:
    Draft202012Validator.check_schema(schema_of(path.stem))


albums = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20)
others: dict[str, st.SearchStrategy[Any]] = {
    "widths": st.lists(st.integers(16, 8192), min_size=1, max_size=5, unique=True),
    "quality": st.floats(0.01, 1),
    "strip_gps": st.booleans(),
}


@quick
@given(st.fixed_dictionaries({"album": albums}, optional=others))
def test_checked_parameters_pass_again_unchanged(given_params: dict[str, Any]) -> None:
    values = validate_params(IMAGES, given_params)

    assert values | given_params == values
    assert validate_params(IMAGES, values) == values


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("album", " Rio, 2024 ", " Rio, 2024 "),
        ("album", "7", "7"),
        ("quality", "0.5", 0.5),
        ("quality", "1", 1),
        ("quality", "1e-1", 0.1),
        ("strip_gps", "Yes", True),
        ("strip_gps", "off", False),
        ("strip_gps", "0", False),
        ("widths", "320, 640", [320, 640]),
        ("widths", "320\r\n640\n", [320, 640]),
        ("widths", "[320, 640]", [320, 640]),
        ("widths", "", []),
    ],
)
def test_typed_text_means_a_value(key: str, text: str, value: Any) -> None:
    read = coerce_text(IMAGES, key, text)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("quality", "good", 'quality must be a number; you gave "good"'),
        ("quality", "nan", 'quality must be a number; you gave "nan"'),
        ("quality", "1_0.5", 'quality must be a number; you gave "1_0.5"'),
        ("strip_gps", "maybe", 'strip_gps must be true or false; you gave "maybe"'),
        ("strip_gps", "", "strip_gps must be true or false; you gave nothing"),
        ("widths", "320, wide", 'widths[1] must be a whole number; you gave "wide"'),
        ("widths", "[320,", 'widths must be a list; "[320," is not one in JSON'),
        ("widths", "[NaN]", 'widths must be a list; "[NaN]" is not one in JSON'),
        ("widths", "[" * 100_000, None),
        ("widht", "1", 'there is no parameter "widht"; did you mean "widths"?'),
    ],
)
def test_typed_text_that_means_nothing_is_refused(key: str, text: str, sentence: str | None) -> None:
    with pytest.raises(ParamsError) as caught:
        coerce_text(IMAGES, key, text)

    assert sentence is None or [problem.message for problem in caught.value.problems] == [sentence]
