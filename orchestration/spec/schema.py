"""The JSON Schema of pipeline.yaml, and a validator that also knows our own keyword `x-quantity`."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, ValidationError, validators

from orchestration.spec.units import format_duration, format_size, parse_duration, parse_size

if TYPE_CHECKING:
    from collections.abc import Iterator

PIPELINE_SCHEMA: dict[str, Any] = json.loads(
    Path(__file__).with_name("pipeline.schema.json").read_text(encoding="utf-8")
)


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with what its `$ref` points at filled in below its own keywords."""
    if "$ref" not in schema:
        return schema
    target = PIPELINE_SCHEMA
    for part in schema["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(target), **{key: value for key, value in schema.items() if key != "$ref"}}


def with_defaults(value: Any, schema: dict[str, Any] = PIPELINE_SCHEMA) -> Any:
    """A copy of valid data in which every key that is left out and has a default is there."""
    schema = resolve(schema)
    if isinstance(value, dict) and "properties" in schema:
        filled: dict[str, Any] = {}
        for key, below in schema["properties"].items():
            rule = resolve(below)
            if key in value:
                filled[key] = with_defaults(value[key], rule)
            elif "default" in rule:
                filled[key] = with_defaults(copy.deepcopy(rule["default"]), rule)
        return filled
    if isinstance(value, list) and "items" in schema:
        return [with_defaults(item, schema["items"]) for item in value]
    return value


def _pattern(_: Any, pattern: str, value: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:
    if not isinstance(value, str) or len(value) > schema["maxLength"]:
        return  # too long is said by maxLength, and patterns stay cheap
    # `$` alone would let "1.0.0\n" through.
    if re.search(pattern, value) is None or value.endswith("\n"):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique_items(_: Any, rule: bool, value: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:  # noqa: FBT001
    if rule and isinstance(value, list) and len(value) <= schema["maxItems"]:  # pair by pair is quadratic
        texts = [json.dumps(item, sort_keys=True) for item in value]
        if len(set(texts)) < len(texts):
            yield ValidationError("has repetitions")


def _quantity(_: Any, rule: dict[str, str], value: Any, __: Any) -> Iterator[ValidationError]:
    """`{"unit": "size"|"duration", "min": …, "max": …, "step": …}`, all but the unit optional."""
    parse, show = (parse_size, format_size) if rule["unit"] == "size" else (parse_duration, format_duration)
    try:
        number = parse(value)
    except (ValueError, TypeError, AttributeError):
        return  # said by type and pattern
    if "min" in rule and number < parse(rule["min"]):
        yield ValidationError(f"must be at least {rule['min']}")
    if "max" in rule and number > parse(rule["max"]):
        yield ValidationError(f"must be at most {rule['max']}")
    if "step" in rule and number % parse(rule["step"]):
        yield ValidationError(f"must be a multiple of {show(parse(rule['step']))}")


_OWN = {"pattern": _pattern, "uniqueItems": _unique_items, "x-quantity": _quantity}
PIPELINE_VALIDATOR = validators.extend(Draft202012Validator, _OWN)(PIPELINE_SCHEMA)  # type: ignore[no-untyped-call]
