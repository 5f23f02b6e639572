"""The parameters of one job against the schema in its pipeline: checked, completed, in plain values."""

from __future__ import annotations

import copy
import json
import math
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestration.spec.problems import MOST_PROBLEMS, did_you_mean, key_of, listed
from orchestration.spec.sentences import shown
from orchestration.spec.source import UNSTORABLE
from orchestration.spec.values import faults_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_BYTES = 64 * 1024
_MOST_UNKNOWN = 20  # looking for the word that was meant is slow
MOST_DEPTH = 4  # a list inside a parameter is the deepest that a schema allows

_INTEGER = re.compile(r"[-+]?[0-9]{1,18}\Z")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True)
class ParamProblem:
    """`key` is the parameter, or a place in it such as `sizes[2]`; `message` is a whole sentence."""

    key: str
    message: str

    def __str__(self) -> str:
        return self.message


class ParamsError(ValueError):
    """Everything that is wrong with the parameters of one job."""

    def __init__(self, problems: Iterable[ParamProblem]) -> None:
        self.problems = list(dict.fromkeys(problems))[:MOST_PROBLEMS]
        super().__init__("\n".join(str(problem) for problem in self.problems))


def validate_params(schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values in the order of the schema, defaults filled in. `schema` is a PipelineSpec's."""
    _check_bounds(given)
    properties: Mapping[str, dict[str, Any]] = schema["properties"]
    unknown = [key for key in given if key not in properties]
    problems = [_unknown(key, properties) for key in unknown[:_MOST_UNKNOWN]]
    values: dict[str, Any] = {}
    for key, rule in properties.items():
        if key in given:
            value = _plain(given[key], rule)
            faults = islice(faults_of(rule, value, (key,), you="you gave"), MOST_PROBLEMS)
            problems += [_problem(path, text) for path, text in faults] or _storable(key, value)
            values[key] = value
        elif "default" in rule:
            values[key] = copy.deepcopy(rule["default"])
        elif key in schema.get("required", ()):
            problems.append(_problem((key,), "is missing"))
    if problems:
        raise ParamsError(problems)
    return values


def coerce_text(schema: Mapping[str, Any], key: str, text: str) -> Any:
    """What `text`, typed in a form or on a command line, means for this parameter. Not yet checked."""
    properties: Mapping[str, dict[str, Any]] = schema["properties"]
    if key not in properties:
        raise ParamsError([_unknown(key, properties)])
    rule = properties[key]
    if rule["type"] != "array":
        return _from_text(rule["type"], text, key)
    kind = rule["items"]["type"]
    if text.lstrip().startswith("["):
        return _from_json_list(text, key)
    parts = [part.strip() for part in re.split(r"[,\n]", text)]
    return [_from_text(kind, part, f"{key}[{i}]") for i, part in enumerate(filter(None, parts))]


def _from_text(kind: str, text: str, key: str) -> Any:
    word = text.strip()
    match kind:
        case "string":
            return text
        case "boolean" if word.lower() in _TRUE | _FALSE:
            return word.lower() in _TRUE
        case "integer" if _INTEGER.match(word):
            return int(word)
        case "number" if (number := _number(word)) is not None:
            return number
        case _:
            wanted = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}[kind]
            gave = shown(text) if word else "nothing"
            raise ParamsError([ParamProblem(key, f"{key} must be {wanted}; you gave {gave}")])


def _number(word: str) -> float | None:
    if _INTEGER.match(word):
        return int(word)
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in word else None


def _from_json_list(text: str, key: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        problem = ParamProblem(key, f"{key} must be a list; {shown(text)} is not one in JSON")
        raise ParamsError([problem]) from None


def _refuse(word: str) -> float:
    raise ValueError(word)


def _check_bounds(given: Mapping[str, Any]) -> None:
    """Before anything walks through the values: that they are plain JSON, shallow and few."""
    if any(not isinstance(key, str) for key in given):
        raise ParamsError([ParamProblem("", "the names of parameters must be texts")])
    for key, value in given.items():
        if _depth(value) > MOST_DEPTH:
            raise ParamsError([ParamProblem(key, f"{key} is nested too deeply")])
        try:
            json.dumps(value, allow_nan=False)
        except (ValueError, TypeError):
            raise ParamsError([ParamProblem(key, f"{key} must be a value that JSON can hold")]) from None
    size = len(json.dumps(dict(given), ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size > MOST_BYTES:
        raise ParamsError([ParamProblem("", f"the parameters have {size} bytes; at most {MOST_BYTES} are allowed")])


def _depth(value: Any) -> int:
    """Levels of lists and mappings, counted no further than the bound."""
    level, depth = [value], 0
    while depth <= MOST_DEPTH:
        level = [
            below
            for item in level
            if isinstance(item, dict | list | tuple)
            for below in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            break
        depth += 1
    return depth


def _plain(value: Any, rule: Mapping[str, Any]) -> Any:
    """JSON Schema takes 5.0 for an integer; a step that reads it should see 5."""
    if rule["type"] == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if rule["type"] == "array" and isinstance(value, list | tuple):
        return [_plain(item, rule["items"]) for item in value]
    return value


def _storable(key: str, value: Any) -> list[ParamProblem]:
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and UNSTORABLE.search(text) for text in texts):
        return [ParamProblem(key, f"{key} holds control characters")]
    return []


def _problem(path: Iterable[str | int], text: str) -> ParamProblem:
    key = key_of(path)
    return ParamProblem(key, f"{key} {text}")


def _unknown(key: str, properties: Mapping[str, Any]) -> ParamProblem:
    names = f"; the parameters are {listed(properties)}" if properties else "; this pipeline has none"
    return ParamProblem(key, f"there is no parameter {shown(key)}{did_you_mean(key, properties) or names}")
