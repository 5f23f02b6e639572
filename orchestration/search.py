"""`state:failed label:batch=7 "two words"`: what people type to find something, as terms. Pure.

A term is `key:value`, or a word that is looked for in texts. Several values stand between commas and any of them
fits; `-` before a term turns it round. What has spaces, commas or a leading `-` stands in double quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from orchestration.errors import Invalid

MOST_LETTERS: Final = 1_000
MOST_TERMS: Final = 30
MOST_VALUES: Final = 100
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_TERM: Final = re.compile(rf'(?P<no>-?)(?:(?P<key>[A-Za-z_]+):)?(?P<given>(?:{_QUOTED}|[^\s"])+)(?=\s|$)')
_VALUE: Final = re.compile(rf'(?:{_QUOTED}|[^",])+')
_QUOTE: Final = re.compile(_QUOTED)


@dataclass(frozen=True, slots=True)
class Term:
    """`key` is "" for a word; `at` is where it begins, from 1."""

    key: str
    values: tuple[str, ...]
    at: int
    is_not: bool = False


def parse(text: str) -> list[Term]:
    """The terms, all of which must fit. Raises Invalid with the place and what to do."""
    if len(text) > MOST_LETTERS:
        raise Invalid(f"A filter has at most {MOST_LETTERS} letters; this one has {len(text)}.")
    terms: list[Term] = []
    at = _space(text, 0)
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None:
            raise wrong(at + 1, 'A " is not closed, or stands inside of a word. Put the whole value in quotes.')
        terms.append(_term(found, at + 1))
        at = _space(text, found.end())
    if len(terms) > MOST_TERMS:
        raise Invalid(f"A filter has at most {MOST_TERMS} terms; this one has {len(terms)}.")
    return terms


def quoted(value: str) -> str:
    """One value as `parse` reads it back."""
    plain = re.fullmatch(r'[^\s",\\-][^\s",\\]*', value)
    return value if plain else '"{}"'.format(re.sub(r'(["\\])', r"\\\1", value))


def wrong(at: int, what: str) -> Invalid:
    """A mistake at letter `at` of the filter."""
    return Invalid(f"At letter {at} of the filter: {what}", errors=[{"loc": ["query", "q", at], "msg": what}])


def _space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _term(found: re.Match[str], at: int) -> Term:
    key, given = (found["key"] or "").lower(), found["given"]
    if not key:
        if given.endswith(":") and not given.startswith('"'):
            raise wrong(at, f"{given} has no value. Write {given}VALUE, without a space.")
        return Term("", (_plain(given),), at, bool(found["no"]))
    values = _VALUE.findall(given)
    if not values or given.count(",") != "".join(values).count(",") + len(values) - 1:
        raise wrong(at, "A value is missing before or after a comma.")
    if len(values) > MOST_VALUES:
        raise wrong(at, f"{key}: takes at most {MOST_VALUES} values.")
    return Term(key, tuple(_plain(value) for value in values), at, bool(found["no"]))


def _plain(value: str) -> str:
    return _QUOTE.sub(lambda quoted: re.sub(r"\\(.)", r"\1", quoted[0][1:-1]), value)
