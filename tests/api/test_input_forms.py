"""What is sent is taken only as the document says it: no field beside it, no other type, at any operation (SEC-043)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, TypeAdapter, ValidationError

from api_app.description import operations
from api_app.json_types import Flag, LooseMoment, Moment, Number, Whole
from api_app.main import app
from api_app.runner_schemas import Path
from api_app.schemas import In
from tests.api.test_access import BODIES, GA4GH, V1, ids, sent

if TYPE_CHECKING:
    from tests.api.door import Visitor

DOCUMENT: Final = app.openapi()
# GA4GH's TES has the fields of its later versions passed over, and a runner of another version says more or less.
OPEN_ENDED: Final = frozenset({"create_task"})
COLUMNS: Final = (
    "is_staff",
    "is_superuser",
    "owner",
    "created_by",
    "workspace_id",
    "state",
    "key",
    "storage",
    "scan_state",
)
"""Of our tables, where they would do harm."""


def objects(schema: dict[str, Any], seen: frozenset[str] = frozenset()) -> list[dict[str, Any]]:
    """Each object with named fields that a body of this schema can hold."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name in seen:
        return []
    if name:
        schema = DOCUMENT["components"]["schemas"][name]
    below = [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("oneOf", ())]
    below += [schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    found = [schema] if "properties" in schema else []
    return found + [one for part in below for one in objects(part, seen | {name} - {""})]


def bodies() -> list[tuple[str, dict[str, Any]]]:
    return [
        (operation["operationId"], operation["requestBody"]["content"]["application/json"]["schema"])
        for operation in operations(DOCUMENT)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
        and operation["tags"] != ["runner"]
        and operation["operationId"] not in OPEN_ENDED
    ]


@pytest.mark.parametrize(("name", "schema"), bodies(), ids=[name for name, _ in bodies()])
def test_body_has_no_place_for_other_fields(name: str, schema: dict[str, Any]) -> None:
    for one in objects(schema):
        assert one.get("additionalProperties") is False, one.get("title")


@pytest.mark.django_db
@pytest.mark.parametrize("route", [r for r in V1 if r[2] in BODIES and r[2] not in OPEN_ENDED], ids=ids)
def test_column_of_ours_is_no_field(ana: Visitor, route: tuple[str, str, str]) -> None:
    method, path, name = route
    for column in COLUMNS:
        body: Any = BODIES[name]
        said = ana.door.send(method, path, ana.token, json={**body, column: True})
        assert said.status_code == 422, column
        assert column in str(said.json()["errors"]), column


@pytest.mark.django_db
@pytest.mark.parametrize("route", [r for r in V1 + GA4GH if r[2] in BODIES], ids=ids)
def test_json_that_says_it_is_text_is_refused_at_every_route(ana: Visitor, route: tuple[str, str, str]) -> None:
    """SEC-004: a page of another site can send that without asking first."""
    method, path, name = route
    for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        said = ana.door.send(method, path, ana.token, content=b"{}", headers={"Content-Type": media})
        assert said.status_code == 415, (media, said.text)
    assert sent(name)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Whole, [0, -5, 5.0], [False, True, "5", 5.5, None]),
        (Number, [0, 0.5], [False, "0.5", None]),
        (Flag, [True, False], [0, 1, "true", None]),
        (Moment, ["2026-11-30T12:00:00Z", "2026-11-30T12:00:00.5+01:00"], [0, "1800000000", "2026-11-30", True]),
        (Moment, [], ["2026-11-30T12:00:00"]),
        (LooseMoment, ["2026-11-30T12:00:00"], [0, "1800000000", "2026-11-30"]),
    ],
)  # fmt: skip
def test_value_of_another_type_is_no_value(kind: Any, good: list[Any], bad: list[Any]) -> None:
    adapter = TypeAdapter[Any](kind)
    for value in good:
        adapter.validate_python(value)
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def models(cls: type[BaseModel] = In) -> list[type[BaseModel]]:
    return [one for below in cls.__subclasses__() for one in (below, *models(below))]


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_field_takes_no_value_of_another_type(model: type[BaseModel]) -> None:
    """The types above are of use only where a field has one of them, and not Pydantic's own."""
    for name, field in model.model_json_schema()["properties"].items():
        for kind in (one.get("type") for one in (field, *field.get("anyOf", ()))):
            for wrong in {"boolean": [0, "true"], "integer": ["1", True], "number": ["1", True]}.get(kind, []):
                with pytest.raises(ValidationError) as refused:
                    model.model_validate({name: wrong})
                assert any(one["loc"][0] == name for one in refused.value.errors()), (name, wrong)


def test_bounds_of_a_number_are_in_the_document() -> None:
    """Pydantic checks those that come after a type of ours, and keeps them to itself."""
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["JobIn"]["properties"]["priority"] == {
        "default": 0, "maximum": 100, "minimum": -100, "title": "Priority", "type": "integer"
    }  # fmt: skip
    assert schemas["ShareIn"]["properties"]["days"]["minimum"] == 1


def test_form_of_an_output_s_path_is_in_the_document() -> None:
    said = Draft202012Validator(DOCUMENT["components"]["schemas"]["SlotFile"]["properties"]["path"])
    adapter = TypeAdapter[str](Path)
    for path in ("a", "a/b.csv", ".a", "..a", "...", "a/..b/.c", "é\u2028b"):
        assert said.is_valid(path), path
        adapter.validate_python(path)
    for path in ("", ".", "..", "/a", "a/", "a//b", "a/../b", "./a", "a\\b", "a\x7fb"):
        assert not said.is_valid(path), path
        with pytest.raises(ValidationError):
            adapter.validate_python(path)


@pytest.mark.parametrize("operation", list(operations(DOCUMENT)), ids=lambda one: one["operationId"])
def test_id_is_one_that_nobody_guesses(operation: dict[str, Any]) -> None:
    """SEC-047: what stands in an address is a UUID or a name, never a number to count up from."""
    for one in operation.get("parameters", ()):
        if one["in"] == "path" and (one["name"] not in {"slug", "name"} and operation["operationId"] != "put_file"):
            # A GA4GH standard has its ids as texts; here they are the same UUIDs.
            is_text = operation["tags"][0].startswith("ga4gh") and one["schema"] == {
                "title": one["schema"]["title"],
                "type": "string",
            }
            assert is_text or one["schema"]["format"] == "uuid", one["name"]
