"""The first check of a pipeline.yaml: its keys and values against the schema, one problem for each fault."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from orchestration.spec.problems import MOST_PROBLEMS, did_you_mean, listed
from orchestration.spec.schema import PIPELINE_VALIDATOR
from orchestration.spec.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonschema import ValidationError

    from orchestration.spec.problems import Problem
    from orchestration.spec.source import Path, Source

_LONGEST_NUMBER = 40  # 1.000… may go on for the whole file


def check_keys_and_values(source: Source) -> None:
    """Add to the source's problems, and mark what is wrong as spoilt so that later checks leave it alone."""
    # Marked only when all are known: otherwise the first fault of a value would hide its second.
    every = PIPELINE_VALIDATOR.iter_errors(source.data)
    found = list(islice((pair for error in every for pair in _explained(error, source)), MOST_PROBLEMS))
    source.add(problem for path, problem in found if not source.is_spoilt(path))
    source.spoilt.update(path for path, _ in found)


def _explained(error: ValidationError, source: Source) -> Iterator[tuple[Path, Problem]]:
    path: Path = tuple(error.absolute_path)
    rule: Any = error.validator_value
    instance: Any = error.instance
    match error.validator:
        case "additionalProperties":
            known = list(error.schema["properties"]) if isinstance(error.schema, dict) else []
            for key in instance:
                if key not in known:
                    hint = did_you_mean(key, known) or f"; the keys are {listed(known)}"
                    yield (*path, key), source.problem((*path, key), f"is not a key here{hint}", at_key=True)
        case "required":
            # The validator reports each missing key by itself; the set in SpecError folds the repetitions.
            for key in rule:
                if key not in instance:
                    yield (*path, key), source.problem((*path, key), "is missing")
        case _ if "propertyNames" in error.absolute_schema_path:
            place = (*path, instance)
            yield place, source.problem(place, sentence(error, you="you wrote"), at_key=True)
        case _:
            message = _quote_it(error, source, path) or sentence(error, you="you wrote")
            yield path, source.problem(path, message)


def _quote_it(error: ValidationError, source: Source, path: Path) -> str:
    """A text was wanted and YAML read a number or a boolean: say how to write it."""
    if error.validator != "type" or error.validator_value != "string" or not _is_plain(error.instance):
        return ""
    written = source.written[path][:_LONGEST_NUMBER]
    kind = "true or false" if isinstance(error.instance, bool) else "a number"
    if path == ("version",):
        return f'{written} is read as {kind}; write three numbers, in quotes: "{_three_parts(written)}"'
    message = error.schema.get("errorMessage") if isinstance(error.schema, dict) else None
    return f"{written} {message}" if message else f'{written} is read as {kind}; put it in quotes: "{written}"'


def _is_plain(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _three_parts(written: str) -> str:
    parts = [part for part in written.split(".") if part.isdecimal()]
    return ".".join([*parts, "0", "0"][:3]) if 1 <= len(parts) <= 2 else "1.0.0"  # noqa: PLR2004
