"""The list of arguments on which security rests is about lines that are there; `make infra-check` takes each away."""

from __future__ import annotations

import pytest

from tests.infra.blocks import ROOT
from tests.infra.mutations import MUTATIONS, Mutation

LEAST = 20


def test_there_are_enough() -> None:
    assert len(set(MUTATIONS)) == len(MUTATIONS) >= LEAST


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: f"{one.module}: {one.line.strip()[:40]}")
def test_line_is_there_once(mutation: Mutation) -> None:
    text = (ROOT / mutation.path).read_text(encoding="utf-8")
    assert mutation.apply(text) != text
