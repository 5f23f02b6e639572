"""What a JSON Schema takes, in words: its type, with links to schemas that have a name, and its limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BOUNDS: Final = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
    ("minProperties", "maxProperties", " entries"),
)


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a type's words; `schema` names the schema that it leads to."""

    text: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    type: list[Piece]
    limits: list[str]
    about: str
    is_required: bool
    is_deprecated: bool
    place: str = ""


def name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def type_of(schema: Mapping[str, Any]) -> list[Piece]:
    return list(_type(schema))


def _type(schema: Mapping[str, Any]) -> Iterator[Piece]:
    if name := name_of(schema):
        yield Piece(name, name)
    elif variants := schema.get("anyOf") or schema.get("oneOf"):
        for number, one in enumerate(variants):
            if number:
                yield Piece(" or ")
            yield from _type(one)
    elif "const" in schema or "enum" in schema:
        yield Piece(", ".join(json.dumps(one) for one in schema.get("enum", [schema.get("const")])))
    elif schema.get("type") == "array":
        yield Piece("list of ")
        yield from _type(schema.get("items", {}))
    elif isinstance(schema.get("additionalProperties"), dict):
        yield Piece("object of ")
        yield from _type(schema["additionalProperties"])
    else:
        form = schema.get("format")
        yield Piece("bytes" if form == "binary" else f"{schema.get('type', 'anything')}{f' ({form})' if form else ''}")


def limits_of(schema: Mapping[str, Any]) -> list[str]:
    """Of the first variant that is not null."""
    variants = schema.get("anyOf") or [schema]
    one: Mapping[str, Any] = next((found for found in variants if found.get("type") != "null"), {})
    said = [words for low, high, unit in _BOUNDS if (words := _bounds(one.get(low), one.get(high), unit))]
    if schema.get("default") not in (None, "", [], {}):
        said.append(f"default {json.dumps(schema['default'])}")
    return said


def _bounds(low: Any, high: Any, unit: str) -> str:
    if low is not None and high is not None:
        return f"{low} to {high}{unit}"
    if high is not None:
        return f"up to {high}{unit}"
    return f"from {low}{unit}" if low is not None else ""


def fields_of(schema: Mapping[str, Any]) -> list[Field]:
    required = schema.get("required", ())
    return [
        Field(
            name=name,
            type=type_of(one),
            limits=limits_of(one),
            about=one.get("description", ""),
            is_required=name in required,
            is_deprecated=one.get("deprecated", False),
        )
        for name, one in schema.get("properties", {}).items()
    ]


def parameter_of(one: Mapping[str, Any]) -> Field:
    # Null is how the code says that it may be left out; in an address there is none.
    variants = [found for found in one["schema"].get("anyOf", ()) if found.get("type") != "null"]
    return Field(
        name=one["name"],
        type=type_of({"anyOf": variants} if variants else one["schema"]),
        limits=limits_of(one["schema"]),
        about=one.get("description", ""),
        is_required=one.get("required", False),
        is_deprecated=one.get("deprecated", False),
        place=one["in"],
    )
