"""JSON Schema's complaints in words for people: `must be at least 100; you wrote 5`."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from orchestration.spec.problems import did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from jsonschema import ValidationError

_TYPES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys to values",
}
_LONGEST_VALUE = 60


def shown(value: Any) -> str:
    """The value as JSON, cut when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def sentence(error: ValidationError, *, you: str) -> str:
    """What to say after the key. `you` is the verb: "you wrote" in a file, "you gave" in a request."""
    value: Any = error.instance
    rule: Any = error.validator_value
    keyword = str(error.validator)
    own = error.schema.get("errorMessage") if isinstance(error.schema, dict) else None
    if own and value is not None and keyword in {"type", "pattern", "enum"}:
        return f"{shown(value)} {own}"
    if keyword in _SAY:
        return _SAY[keyword](value, rule, you)
    return f"{error.message}; {you} {value}"  # our own keyword, whose messages are sentences


def _type(value: Any, allowed: Any, you: str) -> str:
    wanted = listed(_TYPES[name] for name in ([allowed] if isinstance(allowed, str) else allowed))
    if value is None:
        return f"has no value; it must be {wanted}"
    if allowed == "array" and isinstance(value, str) and len(value) < _LONGEST_VALUE:
        return f"must be a list; write [{value}]"
    return f"must be {wanted}; {you} {shown(value)}"


def _choice(value: Any, choices: list[Any], you: str) -> str:
    words = listed(c if isinstance(c, str) and c else shown(c) for c in choices)
    wanted = words if len(choices) == 1 else f"one of {words}"
    if value is None:
        return f"has no value; it must be {wanted}"
    hint = did_you_mean(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
    return f"must be {wanted}; {you} {shown(value)}{hint}"


def _limit(relation: str, value: Any, rule: Any, you: str) -> str:
    return f"must be {relation} {shown(rule)}; {you} {shown(value)}"


def _length(relation: str, one: str, many: str, value: Any, rule: Any, _: str) -> str:
    if not value and rule:
        return "must not be empty"
    return f"must have {relation} {rule} {one if rule == 1 else many}; this has {len(value)}"


def _unique(value: list[Any], _: Any, __: str) -> str:
    seen = set[str]()
    for item in map(shown, value):
        if item in seen:
            return f"lists {item} more than once"
        seen.add(item)
    return "lists something more than once"


_characters = ("character", "characters")
_entries = ("entry", "entries")
_SAY: dict[str, Callable[[Any, Any, str], str]] = {
    "type": _type,
    "enum": _choice,
    "minimum": partial(_limit, "at least"),
    "maximum": partial(_limit, "at most"),
    "exclusiveMinimum": partial(_limit, "more than"),
    "exclusiveMaximum": partial(_limit, "less than"),
    "minLength": partial(_length, "at least", *_characters),
    "maxLength": partial(_length, "at most", *_characters),
    "minItems": partial(_length, "at least", *_entries),
    "maxItems": partial(_length, "at most", *_entries),
    "minProperties": partial(_length, "at least", *_entries),
    "maxProperties": partial(_length, "at most", *_entries),
    "uniqueItems": _unique,
}

FAULTS = (
    "Is missing",
    "Must not be empty",
    "Must be at least {limit}; you gave {value}",
    "Must be at most {limit}; you gave {value}",
    "Must be more than {limit}; you gave {value}",
    "Must be less than {limit}; you gave {value}",
    "Must be a text; you gave {value}",
    "Must be a whole number; you gave {value}",
    "Must be a number; you gave {value}",
    "Must be true or false; you gave {value}",
    "Must be a list; {value} is not one in JSON",
    "Must be one of {choices}; you gave {value}",
    'Must be one of {choices}; you gave {value}; did you mean "{word}"?',
    "Must have at least {limit} character; this has {number}",
    "Must have at least {limit} characters; this has {number}",
    "Must have at most {limit} character; this has {number}",
    "Must have at most {limit} characters; this has {number}",
    "Must have at least {limit} entry; this has {number}",
    "Must have at least {limit} entries; this has {number}",
    "Must have at most {limit} entry; this has {number}",
    "Must have at most {limit} entries; this has {number}",
    "Lists {value} more than once",
    "Holds control characters",
    "{place} must be at least {limit}; you gave {value}",
    "{place} must be at most {limit}; you gave {value}",
    "{place} must be a whole number; you gave {value}",
    "{place} must be a number; you gave {value}",
    "{place} must be one of {choices}; you gave {value}",
)
"""What a form says beside a field, by its forms, so that other languages can say it too."""
