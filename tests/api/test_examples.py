"""Each operation of the OpenAPI document says what it is for, and shows what is sent and answered."""

from __future__ import annotations

import copy
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from api_app.description import TAGS, operations, success_of
from api_app.examples import EXAMPLES
from api_app.main import app

DOCUMENT: Final = app.openapi()
OPERATIONS: Final = {one["operationId"]: one for one in operations(DOCUMENT)}


def strict() -> dict[str, Any]:
    """An example may have no field that its schema does not know: a slip of the pen would be copied."""
    components: dict[str, Any] = copy.deepcopy(DOCUMENT["components"])
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return components


COMPONENTS: Final = strict()


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    validator = Draft202012Validator({"components": COMPONENTS, **schema}, format_checker=FormatChecker())
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def contents(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    asked = operation.get("requestBody", {}).get("content", {})
    answered = operation["responses"][success_of(operation)].get("content", {})
    return [*((f"body {media}", one) for media, one in asked.items()), *answered.items()]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation_shows_what_is_sent_and_answered(name: str) -> None:
    operation = OPERATIONS[name]
    assert name in EXAMPLES, f"api_app/examples has none for {name}"
    assert contents(operation) or success_of(operation) == "204", f"{name} does not say what it answers"
    for where, content in contents(operation):
        assert "example" in content, f"{name}: {where} has no example"
        assert faults(content["schema"], content["example"]) == [], f"{name}: {where}"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_operation_says_what_it_is_for(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation.get("description"), f"the function {name} has no docstring"
    assert set(operation["tags"]) <= set(TAGS), "a tag is described in api_app/description.py"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_place_in_the_address_has_an_example(name: str) -> None:
    for parameter in OPERATIONS[name].get("parameters", ()):
        assert parameter["in"] != "path" or "example" in parameter, f"{name}: {parameter['name']}"
        if "example" in parameter:
            assert faults(parameter["schema"], parameter["example"]) == [], f"{name}: {parameter['name']}"


def test_examples_are_of_operations_that_there_are() -> None:
    assert set(EXAMPLES) - set(OPERATIONS) == set()


def test_slip_of_the_pen_in_an_example_is_found() -> None:
    schema = {"$ref": "#/components/schemas/MeOut"}
    good = EXAMPLES["show_me"].answer
    assert faults(schema, good) == []
    assert faults(schema, {**good, "usr": "ada"})
    assert faults(schema, {"user": "ada"})


def test_operation_says_which_scope_it_needs() -> None:
    assert OPERATIONS["submit_job"]["security"] == [{"token": ["run"]}]
    assert OPERATIONS["list_signing_keys"]["security"] == []
    assert OPERATIONS["claim"]["security"] == [{"runner": []}]
    assert OPERATIONS["create_token"]["security"] == [{"token": ["admin"]}, {"password": []}]
