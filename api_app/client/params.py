"""`-p key=value` read by the pipeline's JSON Schema. The platform checks again; here the person hears it at once."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from api_app.client.errors import RequestError

TRUE, FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})

type Schema = Mapping[str, Any]


def parse(pairs: Iterable[tuple[str, str]], schema: Schema, pipeline: str) -> dict[str, Any]:
    properties: Mapping[str, Schema] = schema.get("properties") or {}
    values: dict[str, Any] = {}
    for key, text in pairs:
        one = properties.get(key)
        if one is None:
            raise RequestError(_unknown_key(key, list(properties), pipeline), code="unknown_param")
        value = _value(key, text, one)
        if key not in values:
            values[key] = value
        elif isinstance(value, list) and isinstance(values[key], list):
            values[key] += value
        else:
            raise RequestError(f"Parameter {key} is given twice; it takes {allowed(one)}.", code="bad_param")
    for key, value in values.items():
        _check(key, value, properties[key])
    return values


def _unknown_key(key: str, known: list[str], pipeline: str) -> str:
    if not known:
        return f"{pipeline} takes no parameters, so not {key} either."
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f" Did you mean {close[0]}?" if close else ""
    return f"{pipeline} has no parameter {key}.{meant} It takes: {', '.join(known)}."


def _types(schema: Schema) -> list[str]:
    options = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    named = schema.get("type") or [kind for option in options for kind in _types(option)]
    return [named] if isinstance(named, str) else list(named)


def _value(key: str, text: str, schema: Schema) -> Any:
    try:
        return _read(text, schema)
    except ValueError:
        raise _refusal(key, text, schema) from None


def _read(text: str, schema: Schema) -> Any:
    for choice in schema.get("enum", []):
        if text == (choice if isinstance(choice, str) else json.dumps(choice)):
            return choice
    for kind in _types(schema) or ["string"]:
        try:
            return READERS[kind](text, schema)
        except (ValueError, KeyError):
            continue
    raise ValueError(text)


def _refusal(key: str, text: object, schema: Schema) -> RequestError:
    return RequestError(f"Parameter {key}: {text!r} does not fit; it takes {allowed(schema)}.", code="bad_param")


def _boolean(text: str, _schema: Schema) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


def _null(text: str, _schema: Schema) -> None:
    if text.lower() not in {"", "null", "none"}:
        raise ValueError(text)


def _array(text: str, schema: Schema) -> list[Any]:
    if text.lstrip().startswith("["):
        return _json_of(list, text)
    items = schema.get("items") or {}
    return [_read(part.strip(), items) for part in text.split(",") if part.strip()]


def _json_of[T](kind: type[T], text: str) -> T:
    value = json.loads(text)
    if not isinstance(value, kind):
        raise ValueError(text)  # noqa: TRY004 - the caller tries the next type on ValueError
    return value


READERS: Mapping[str, Any] = {
    "null": _null,
    "boolean": _boolean,
    "integer": lambda text, _schema: int(text),
    "number": lambda text, _schema: float(text) if "." in text or "e" in text.lower() else int(text),
    "array": _array,
    "object": lambda text, _schema: _json_of(dict, text),
    "string": lambda text, _schema: text,
}


def _check(key: str, value: Any, schema: Schema) -> None:
    choices = schema.get("enum")
    if choices and value not in choices:
        raise _refusal(key, value, schema)
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not low <= value <= high:
            raise _refusal(key, value, schema)
    if isinstance(value, list):
        for one in value:
            _check(key, one, schema.get("items") or {})


def allowed(schema: Schema) -> str:
    """What a value may be, in words: "a whole number from 1 to 100"."""
    if "const" in schema:
        return json.dumps(schema["const"])
    choices = schema.get("enum")
    if choices:
        return "one of " + ", ".join(one if isinstance(one, str) else json.dumps(one) for one in choices)
    return " or ".join(_kind(kind, schema) for kind in _types(schema) or ["string"]) + _range(schema)


def _kind(kind: str, schema: Schema) -> str:
    if kind == "array":
        items = schema.get("items") or {}
        return f"a list, separated by commas, each {allowed(items)}"
    return {
        "null": "null",
        "boolean": "true or false",
        "integer": "a whole number",
        "number": "a number",
        "object": "a JSON object",
        "string": "text",
    }.get(kind, kind)


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""
