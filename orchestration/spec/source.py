"""YAML text → plain data, with the line of every key and value, and nothing that surprises.

Plain words follow YAML 1.2: only `true` and `false` are booleans, `on:` is a key, `010` and `1:30` are texts.
Anchors, aliases and tags are refused, depth and number of values are bounded: no bomb, no objects.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import yaml
from yaml import events

from orchestration.spec.problems import MOST_PROBLEMS, Problem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

type Path = tuple[str | int, ...]

MOST_BYTES = 256 * 1024
MOST_VALUES = 10_000
MOST_DEPTH = 20
_LONGEST_KEY = 200  # no key of ours is half as long
_LONGEST_WORD = 60  # of a hostile one that is quoted back

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_LONG_INTEGER = re.compile(r"[-+]?[1-9][0-9]{18,}\Z")
_NUMBER = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?\Z")
# PostgreSQL's JSON cannot hold NUL, UTF-8 cannot hold half a pair, and a terminal should not get the others.
UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(slots=True)
class Source:
    """`written` holds the plain words as they stand in the file: `1.10`, where the data says 1.1."""

    file: str
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    keys: dict[Path, tuple[int, int]] = field(default_factory=dict)
    values: dict[Path, tuple[int, int]] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    spoilt: set[Path] = field(default_factory=set)

    def problem(self, path: Path, message: str, *, at_key: bool = False) -> Problem:
        line, column = self._place(path, at_key=at_key)
        return Problem(self.file, line, column, key_of(path), message)

    def add(self, problems: Iterable[Problem]) -> None:
        """Take no more than people read: a hostile file must not buy a comparison for each of its words."""
        self.problems += islice(problems, max(0, MOST_PROBLEMS - len(self.problems)))

    def is_spoilt(self, path: Path) -> bool:
        """Whether the reader has complained about this value already, so that no check need do so again."""
        return any(path[:length] in self.spoilt for length in range(len(path) + 1))

    def _place(self, path: Path, *, at_key: bool) -> tuple[int, int]:
        if at_key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))


def read_source(text: str, *, file: str) -> Source:
    source = Source(file)
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        source.problems.append(Problem(file, 1, 1, "", "is larger than 256 KiB"))
        source.spoilt.add(())
        return source
    try:
        _Reader(source, yaml.parse(text, Loader=yaml.SafeLoader)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = ": ".join(filter(None, (error.context, error.problem)))
        if error.context == "while scanning an alias":
            said += '; put words that start with * in quotes, for example "*/*"'
        _give_up(source, mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, f"is not YAML: {said}")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        character = ascii(text[error.position : error.position + 1])
        _give_up(source, line, 1, f"holds a character that YAML does not allow: {character}")
    except _UnreadableError as error:
        _give_up(source, error.line, error.column, str(error))
    return source


def _give_up(source: Source, line: int, column: int, message: str) -> None:
    source.problems.append(Problem(source.file, line, column, "", message))
    source.spoilt.add(())


class _UnreadableError(Exception):
    def __init__(self, message: str, event: events.Event) -> None:
        super().__init__(message)
        self.line, self.column = _place(event)


class _Reader:
    def __init__(self, source: Source, stream: Iterator[events.Event]) -> None:
        self._source = source
        self._stream = stream
        self._values = 0

    def document(self) -> None:
        next(self._stream)  # start of the stream
        if isinstance(next(self._stream), events.StreamEndEvent):
            self._complain((), "is empty; start with `pipeline:`")
            return
        self._source.data = self._value(next(self._stream), ())
        next(self._stream)  # end of the document
        following = next(self._stream)
        if not isinstance(following, events.StreamEndEvent):
            self._mark((), following)
            self._complain((), "holds more than one document; write one pipeline per file")

    def _value(self, event: events.Event, path: Path) -> Any:
        self._values += 1
        if self._values > MOST_VALUES:
            raise _UnreadableError(f"holds more than {MOST_VALUES} values", event)
        if len(path) > MOST_DEPTH:
            raise _UnreadableError(f"is nested more than {MOST_DEPTH} levels deep", event)
        self._mark(path, event)
        if isinstance(event, events.AliasEvent):
            name = str(event.anchor)[:_LONGEST_WORD]
            self._complain(path, f"*{name} is an alias; aliases are not allowed, write the value out")
            return None
        self._refuse_properties(event, path)
        if isinstance(event, events.ScalarEvent):
            return self._scalar(event, path)
        if isinstance(event, events.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _refuse_properties(self, event: Any, path: Path) -> None:
        if event.anchor is not None:
            name = event.anchor[:_LONGEST_WORD]
            self._complain(path, f"&{name} is an anchor; anchors are not allowed, write values out")
        if event.tag is not None:
            name = event.tag[:_LONGEST_WORD]
            self._complain(path, f"{name} is a tag; tags are not allowed, put texts in quotes")

    def _sequence(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._stream), events.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        pairs: dict[str, Any] = {}
        while not isinstance(event := next(self._stream), events.MappingEndEvent):
            if not isinstance(event, events.ScalarEvent):
                raise _UnreadableError("has a key that is not a plain word", event)
            key, place = event.value, _place(event)
            below = (*path, key)
            if UNSTORABLE.search(key) or len(key) > _LONGEST_KEY:
                raise _UnreadableError("has a key that is too long or holds control characters", event)
            if key in pairs:
                message = f"stands here a second time; the first is on line {self._source.keys[below][0]}"
                self._source.problems.append(Problem(self._source.file, *place, key_of(below), message))
                self._skip(len(path))
                continue
            self._source.keys[below] = place
            pairs[key] = self._value(next(self._stream), below)
        return pairs

    def _skip(self, level: int) -> None:
        """Read past one value: the second of a key, which must not overwrite the lines of the first."""
        depth = 0
        while True:
            event = next(self._stream)
            self._values += 1
            if isinstance(event, events.CollectionStartEvent):
                depth += 1
            elif isinstance(event, events.CollectionEndEvent):
                depth -= 1
            if self._values > MOST_VALUES:
                raise _UnreadableError(f"holds more than {MOST_VALUES} values", event)
            if level + depth > MOST_DEPTH:
                raise _UnreadableError(f"is nested more than {MOST_DEPTH} levels deep", event)
            if depth == 0:
                return

    def _scalar(self, event: events.ScalarEvent, path: Path) -> Any:
        text = event.value
        if UNSTORABLE.search(text):
            self._complain(path, "holds control characters")
            return text
        if not event.implicit[0]:  # it stands in quotes
            return text
        self._source.written[path] = text
        if _LONG_INTEGER.match(text):
            self._complain(path, "is too large a number")
            return 0
        return _plain(text)

    def _mark(self, path: Path, event: events.Event) -> None:
        self._source.values[path] = _place(event)

    def _complain(self, path: Path, message: str) -> None:
        self._source.problems.append(self._source.problem(path, message))
        self._source.spoilt.add(path)


def _place(event: events.Event) -> tuple[int, int]:
    mark = event.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _plain(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INTEGER.match(text):
        return int(text)
    if _NUMBER.match(text) and math.isfinite(number := float(text)):
        return number
    return text
