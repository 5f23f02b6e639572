"""The OpenAPI document as the page shows it: operations by tag, and the schemas they speak of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from frontend_app.api_reference.curl import command, pretty
from frontend_app.api_reference.types import Field, Piece, fields_of, parameter_of, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent or answered; `status` is empty of what is sent."""

    status: str
    media: str
    type: list[Piece]
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    id: str
    method: str
    path: str
    summary: str
    about: str
    scope: str
    is_deprecated: bool
    parameters: list[Field]
    asks: list[Content]
    answers: list[Content]
    curl: str


@dataclass(frozen=True, slots=True)
class Section:
    tag: str
    about: str
    operations: list[Operation]


@dataclass(frozen=True, slots=True)
class Schema:
    name: str
    about: str
    fields: list[Field]
    type: list[Piece]


@dataclass(frozen=True, slots=True)
class Reference:
    title: str
    version: str
    about: str
    sections: list[Section]
    schemas: list[Schema]

    def count(self) -> int:
        return sum(len(section.operations) for section in self.sections)


def reference(document: Mapping[str, Any], base: str) -> Reference:
    found = [
        (one.get("tags", [""])[0], _operation(base, path, method.upper(), one))
        for path, methods in document["paths"].items()
        for method, one in methods.items()
    ]
    return Reference(
        title=document["info"]["title"],
        version=document["info"]["version"],
        about=document["info"].get("description", ""),
        sections=[
            Section(tag["name"], tag["description"], [one for of, one in found if of == tag["name"]])
            for tag in document["tags"]
        ],
        schemas=[
            Schema(name, one.get("description", ""), fields_of(one), type_of(one))
            for name, one in sorted(document["components"]["schemas"].items())
        ],
    )


def _operation(base: str, path: str, method: str, one: Mapping[str, Any]) -> Operation:
    return Operation(
        id=one["operationId"],
        method=method,
        path=path,
        summary=one["summary"],
        about=one.get("description", ""),
        scope=_scope(one),
        is_deprecated=one.get("deprecated", False),
        parameters=[parameter_of(parameter) for parameter in one.get("parameters", ())],
        asks=_contents("", one.get("requestBody", {})),
        answers=[
            content
            for status, answer in one["responses"].items()
            if status[0] in "23"
            for content in _contents(status, answer) or [Content(status, "", [], "")]
        ],
        curl=command(base, path, method, one),
    )


def _scope(one: Mapping[str, Any]) -> str:
    return next((scope for scheme in one.get("security", ()) for scope in scheme.get("token", ())), "")


def _contents(status: str, said: Mapping[str, Any]) -> list[Content]:
    return [
        Content(status, media, type_of(one.get("schema", {})), pretty(one["example"]) if "example" in one else "")
        for media, one in said.get("content", {}).items()
    ]
