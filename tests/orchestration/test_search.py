"""What people type to find something, as terms; and what is wrong with it, where."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.errors import Invalid
from orchestration.search import Term, parse, quoted


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \t ", []),
        ("state:failed", [Term("state", ("failed",), 1)]),
        ("STATE:Failed", [Term("state", ("Failed",), 1)]),
        ("a  b", [Term("", ("a",), 1), Term("", ("b",), 4)]),
        ("-state:a,b", [Term("state", ("a", "b"), 1, is_not=True)]),
        ('label:"a, b"=c', [Term("label", ("a, b=c",), 1)]),
        ('"two words" -"not this"', [Term("", ("two words",), 1), Term("", ("not this",), 13, is_not=True)]),
        (r'"a \"quote\" and \\"', [Term("", ('a "quote" and \\',), 1)]),
        ("a,b", [Term("", ("a,b",), 1)]),
        ("label:a:b=c", [Term("label", ("a:b=c",), 1)]),
        ('"state:failed"', [Term("", ("state:failed",), 1)]),
        ("größe:x", [Term("", ("größe:x",), 1)]),
    ],
)
def test_text_becomes_terms(text: str, terms: list[Term]) -> None:
    assert parse(text) == terms


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name:"open', 'At letter 1 of the filter: A " is not closed'),
        ('ok a"b', 'At letter 4 of the filter: A " is not closed'),
        ("ok state:", "At letter 4 of the filter: state: has no value. Write state:VALUE, without a space."),
        ("state:a,", "At letter 1 of the filter: A value is missing before or after a comma."),
        ("state:,a", "At letter 1 of the filter: A value is missing"),
        ("state:a,,b", "At letter 1 of the filter: A value is missing"),
        ("state:,", "At letter 1 of the filter: A value is missing"),
        ("a " * 31, "A filter has at most 30 terms; this one has 31."),
        ("a" * 1_001, "A filter has at most 1000 letters; this one has 1001."),
        ("state:" + ",".join("a" * 101), "At letter 1 of the filter: state: takes at most 100 values."),
    ],
)
def test_mistake_says_where_it_is_and_what_to_do(text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text)
    assert said in str(refused.value)


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8))
def test_whatever_stands_in_quotes_is_found_as_it_is(words: list[str]) -> None:
    quoted = ['"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    assert [term.values for term in parse(" ".join(quoted))] == [(word,) for word in words]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert all((term.values and all(term.values)) or not term.key for term in parse(text))


@given(st.text(max_size=200))
def test_value_that_was_quoted_is_read_back_as_it_was(value: str) -> None:
    assert parse(f"label:{quoted(value)} x") == [Term("label", (value,), 1), Term("", ("x",), len(quoted(value)) + 8)]


def test_only_what_would_be_read_otherwise_is_quoted() -> None:
    assert [quoted(one) for one in ("batch=7", "a b", "-x", 'say "a\\b"')] == [
        "batch=7", '"a b"', '"-x"', r'"say \"a\\b\""',
    ]  # fmt: skip
