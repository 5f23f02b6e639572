"""The third check: parameters whose schema makes sense, and defaults that it accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orchestration.spec.problems import listed
from orchestration.spec.values import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.spec.problems import Problem
    from orchestration.spec.source import Path, Source

_NUMERIC = ("integer", "number")
_FITS: dict[str, tuple[str, ...]] = {
    "enum": ("string", *_NUMERIC),
    "minimum": _NUMERIC,
    "maximum": _NUMERIC,
    "exclusiveMinimum": _NUMERIC,
    "exclusiveMaximum": _NUMERIC,
    "minLength": ("string",),
    "maxLength": ("string",),
    "items": ("array",),
    "minItems": ("array",),
    "maxItems": ("array",),
    "uniqueItems": ("array",),
}
_RANGES = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


def check_params(source: Source) -> Iterator[Problem]:
    params = source.data.get("params")
    if not isinstance(params, dict) or not isinstance(params.get("properties"), dict):
        return
    properties = params["properties"]
    for name, schema in properties.items():
        yield from _check_param(source, ("params", "properties", name), schema)
    required = params.get("required")
    for index, name in enumerate(required if isinstance(required, list) else []):
        path: Path = ("params", "required", index)
        if source.is_spoilt(path):
            continue
        if name not in properties:
            yield source.problem(path, f'there is no parameter "{name}"')
        elif isinstance(properties[name], dict) and "default" in properties[name]:
            yield source.problem(path, f'"{name}" has a default, so it is never missing; leave one of them out')


def _check_param(source: Source, path: Path, schema: Any) -> Iterator[Problem]:
    if _has_faults(source, path):
        return
    found = [*_check_keywords(source, path, schema)]
    if "items" in schema:
        for key in ("default", "items"):
            if key in schema["items"]:
                place = (*path, "items", key)
                found.append(source.problem(place, "is not allowed inside `items`", at_key=True))
        found += _check_keywords(source, (*path, "items"), schema["items"])
    if not found and "default" in schema:  # a broken schema would only say more about its own fault
        faults = faults_of(schema, schema["default"], (*path, "default"), you="you wrote")
        found += [source.problem(place, fault) for place, fault in faults]
    yield from found


def _check_keywords(source: Source, path: Path, schema: dict[str, Any]) -> Iterator[Problem]:
    kind = schema["type"]
    for key, kinds in _FITS.items():
        if key in schema and kind not in kinds:
            message = f"does not go with type {kind}, only with {listed(kinds)}"
            yield source.problem((*path, key), message, at_key=True)
    if kind == "array" and "items" not in schema:
        yield source.problem(path, "needs `items`, which say what the list holds", at_key=True)
    for low, high in _RANGES:
        if low in schema and high in schema and schema[low] > schema[high]:
            yield source.problem((*path, low), f"is {schema[low]}, more than {high}, which is {schema[high]}")
    if kind in _FITS["enum"]:
        bare = {key: value for key, value in schema.items() if key != "enum"}
        for index, choice in enumerate(schema.get("enum", ())):
            for _, fault in faults_of(bare, choice, (), you="you wrote"):
                yield source.problem((*path, "enum", index), fault)


def _has_faults(source: Source, path: Path) -> bool:
    """Whether this parameter, or anything within, has been complained about."""
    return source.is_spoilt(path) or any(other[: len(path)] == path for other in source.spoilt)
