"""What is wrong with one value under the schema of a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator, ValidationError, validators

from orchestration.spec.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.spec.source import Path


def faults_of(schema: dict[str, Any], value: Any, path: Path, *, you: str) -> Iterator[tuple[Path, str]]:
    """The place of each fault, below `path`, and what to say after its key."""
    for error in _Validator(schema).iter_errors(value):
        yield (*path, *error.absolute_path), sentence(error, you=you)


# The library's own two compare pair by pair, in Python: seconds for a hostile list of 64 KiB.
def _enum(_: Any, choices: list[Any], value: Any, __: Any) -> Iterator[ValidationError]:
    if value not in choices:  # true for 1 is caught by the type
        yield ValidationError("is none of the choices")


def _unique_items(_: Any, rule: Any, value: Any, __: Any) -> Iterator[ValidationError]:
    items = [item for item in value if isinstance(item, str | int | float)] if isinstance(value, list) else []
    if rule is True and len(set(items)) < len(items):
        yield ValidationError("has repetitions")


_KEYWORDS = {"enum": _enum, "uniqueItems": _unique_items}
_Validator = validators.extend(Draft202012Validator, _KEYWORDS)  # type: ignore[no-untyped-call]
