"""What is wrong with a pipeline.yaml: where, and in a sentence."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A file of nonsense must not become an answer of megabytes.
MOST_PROBLEMS = 100
_MOST_LISTED = 20


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`key` is a path such as `steps[0].timeout`, or empty for the file as a whole; lines count from 1."""

    file: str
    line: int
    column: int
    key: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: "
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class SpecError(ValueError):
    """Everything that is wrong with one pipeline.yaml, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(set(problems))[:MOST_PROBLEMS]
        super().__init__("\n".join(str(problem) for problem in self.problems))


def key_of(path: Iterable[str | int]) -> str:
    """`("steps", 0, "timeout")` as people write it: `steps[0].timeout`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean "timeout"?`, or nothing when no known word is close."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def listed(words: Iterable[object]) -> str:
    """`a, b or c`; of very many the first ones and how many more there are."""
    *most, last = [str(word) for word in words]
    if len(most) > _MOST_LISTED:
        most, last = most[:_MOST_LISTED], f"{len(most) + 1 - _MOST_LISTED} more"
    return f"{', '.join(most)} or {last}" if most else last
