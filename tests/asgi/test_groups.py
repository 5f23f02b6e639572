from __future__ import annotations

import pytest

from tests.groups import group_of


@pytest.mark.parametrize("number", range(2))
def test_group_is_known_to_whoever_hands_out_the_tests(request: pytest.FixtureRequest, number: int) -> None:
    """Named too late, it would keep nothing together, and nobody would notice but by the time that goes."""
    assert group_of(request.node) == "test_groups"
    if request.config.getoption("loadgroup", default=False):
        assert request.node.nodeid.endswith("@test_groups")
