"""The form of an example, and of answers that many operations share."""

from typing import Any, Final, NamedTuple

JSON: Final = "application/json"


class Example(NamedTuple):
    """`body` and `answer` are JSON; `bodies` and `answers` hold what has another type, by its media type."""

    answer: Any = None
    body: Any = None
    bodies: dict[str, Any] = {}
    answers: dict[str, str] = {}

    def asked(self) -> dict[str, Any]:
        return ({} if self.body is None else {JSON: self.body}) | self.bodies

    def answered(self) -> dict[str, Any]:
        return ({} if self.answer is None else {JSON: self.answer}) | self.answers


NOTHING: Final = Example()
"""Neither a body nor an answer: 204."""


def listing(*items: Any) -> Example:
    return Example({"items": list(items), "next_cursor": None})
