"""The tokens as tokens.css has them, for the page that shows them and the tests that judge them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE: Final = re.compile(
    r"^ +--(?P<name>[a-z-]+): (?P<value>.+); /\* (?P<means>.+) \*/$|^ +/\* (?P<title>[^*]+) \*/$", re.MULTILINE
)
_PAIR: Final = re.compile(r"light-dark\((?P<light>#[0-9a-f]+), (?P<dark>#[0-9a-f]+)\)")


@dataclass(frozen=True, slots=True)
class Token:
    """`light` and `dark` are those of a colour, else empty."""

    name: str
    value: str
    means: str
    light: str = ""
    dark: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    tokens: list[Token]

    @property
    def is_of_colours(self) -> bool:
        return all(token.light for token in self.tokens)


def groups_of(sheet: str) -> list[Group]:
    """In the order of the sheet: a comment on a line of its own begins a group."""
    groups: list[Group] = []
    for found in _LINE.finditer(sheet):
        if found["title"]:
            groups.append(Group(found["title"], []))
        else:
            groups[-1].tokens.append(_token(found))
    return groups


def _token(found: re.Match[str]) -> Token:
    pair = _PAIR.fullmatch(found["value"])
    colours = (pair["light"], pair["dark"]) if pair else ("", "")
    return Token(found["name"], found["value"], found["means"], *colours)


def icons_of(sheet: str) -> Iterator[str]:
    return (found[1] for found in re.finditer(r"\[data-icon=([a-z]+)\]", sheet))
