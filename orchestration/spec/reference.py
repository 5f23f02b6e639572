"""The keys of pipeline.yaml as Markdown tables, from the schema alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from orchestration.spec.schema import PIPELINE_SCHEMA, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = "| key | type | default | description |\n|---|---|---|---|\n"
_BOUNDS = {"minimum": "≥ {}", "maximum": "≤ {}"}
# What the reader calls the shared parts of the schema.
_PARTS = {
    "localised": "text, or text by language",
    "label": "text, or text by language",
    "help": "text, or text by language",
    "size": "size",
    "duration": "duration",
    "step_name": "step name",
    "step": "step",
    "params": "object",
    "param": "parameter",
}
_TYPES = {"string": "text", "integer": "whole number", "array": "list", "object": "mapping"}


def markdown() -> str:
    """Three tables: the file, one step, one parameter."""
    parts = {
        "The file": PIPELINE_SCHEMA,
        "A step": PIPELINE_SCHEMA["$defs"]["step"],
        "A parameter": PIPELINE_SCHEMA["$defs"]["param"],
    }
    return "\n".join(
        f"### {title}\n\n{schema['description']}\n\n{_HEAD}{''.join(_rows(schema, ''))}"
        for title, schema in parts.items()
    )


def _rows(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, below in schema["properties"].items():
        rule = resolve(below)
        default = "required" if name in schema.get("required", ()) else _default(rule)
        cells = [f"`{prefix}{name}`", _type(below), default, rule["description"]]
        yield f"| {' | '.join(cells)} |\n"
        if "properties" in rule and name != "items":  # the items of a parameter are a parameter: no end
            yield from _rows(rule, f"{prefix}{name}.")


def _type(schema: dict[str, Any]) -> str:
    rule = resolve(schema)
    if "enum" in rule:
        return " or ".join(f"`{_yaml(choice)}`" for choice in rule["enum"])
    if part := _PARTS.get(schema.get("$ref", "").rpartition("/")[2]):
        return ", ".join([part, *_bounds(rule)])
    if "items" in rule:
        return f"list of {_type(rule['items'])}"
    types = [_TYPES.get(name, name) for name in _as_list(rule.get("type", "any value"))]
    return ", ".join([" or ".join(types), *_bounds(rule)])


def _bounds(rule: dict[str, Any]) -> Iterator[str]:
    if "x-quantity" in rule:
        signs = {"min": "≥ ", "max": "≤ "}
        yield from (sign + rule["x-quantity"][key] for key, sign in signs.items() if key in rule["x-quantity"])
    elif rule.get("type") in ("integer", "number"):
        yield from (text.format(rule[key]) for key, text in _BOUNDS.items() if key in rule)


def _default(rule: dict[str, Any]) -> str:
    value = rule.get("default")
    return "" if value is None or isinstance(value, dict) else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
