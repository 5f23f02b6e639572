"""Each seeded bug is found, by what it breaks: an oracle that finds nothing proves nothing."""

from __future__ import annotations

import re

import pytest

from tests.simulation.controls import CONTROLS, Control

WORLDS = 500


@pytest.mark.parametrize("control", CONTROLS, ids=[one.broken.__name__ for one in CONTROLS])
def test_seeded_bug_is_found(control: Control) -> None:
    for seed in range(WORLDS):
        trouble = control.broken(seed).run().trouble
        if trouble and re.search(control.finds, trouble):
            return
    pytest.fail(f"{control.broken.__name__} went through {WORLDS} worlds unseen")
