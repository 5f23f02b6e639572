"""Every item is in the slice of exactly one child, and the slice's bytes are the slice's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.engines.step_functions.manifest import (
    LINE_BYTES,
    MOST_CHILDREN,
    MOST_PER_CHILD,
    child_bytes,
    child_slice,
    children,
    items_per_child,
    lines,
    read_lines,
)
from orchestration.errors import EngineRejected
from tests.engines.plans import JOB

if TYPE_CHECKING:
    from uuid import UUID

quick = settings(database=None, deadline=None, max_examples=100)


@quick
@given(st.lists(st.tuples(st.uuids(), st.integers(0, 999_999_999)), min_size=1, max_size=60), st.integers(1, 70))
def test_children_together_read_the_manifest_once(items: list[tuple[UUID, int]], per_child: int) -> None:
    data = b"".join(lines(items))

    read = []
    for child in range(children(len(items), per_child)):
        first, last = child_bytes(child, per_child=per_child, total=len(items))
        mine = read_lines(data[first : last + 1])
        assert len(mine) == len(child_slice(child, per_child=per_child, total=len(items))) <= per_child
        read += mine

    assert read == items
    assert len(data) == len(items) * LINE_BYTES


@quick
@given(st.integers(1, 1_000_000), st.floats(0, 1e9))
def test_an_array_is_never_too_large_and_a_child_never_works_for_long_on_much(total: int, seconds: float) -> None:
    per_child = items_per_child(total, seconds_per_item=seconds)

    assert 1 <= children(total, per_child) <= MOST_CHILDREN
    assert per_child <= MOST_PER_CHILD
    if total <= MOST_CHILDREN:
        assert per_child == 1 or per_child * seconds <= 180


def test_short_items_share_a_child() -> None:
    assert items_per_child(10_000, seconds_per_item=5) == 36
    assert items_per_child(10_000, seconds_per_item=300) == 1


@pytest.mark.parametrize("child", [-1, 4])
def test_there_is_no_slice_of_a_child_that_is_not_there(child: int) -> None:
    with pytest.raises(ValueError, match="there is no child"):
        child_bytes(child, per_child=3, total=10)


@pytest.mark.parametrize("data", [b"x", b"x" * LINE_BYTES, b"{}".ljust(LINE_BYTES), b"[1]".ljust(LINE_BYTES)])
def test_other_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the words are those of whichever reader saw it first
        read_lines(data)


def test_index_that_fits_into_no_line_is_refused() -> None:
    with pytest.raises(EngineRejected, match="1000000000"):
        list(lines([(JOB, 1_000_000_000)]))
