"""The long run: all phases and checks, four callers, a new seed each round."""

from __future__ import annotations

import time
from itertools import count
from typing import TYPE_CHECKING, Final

import pytest

from tests.fuzz.engine import PHASES, SEED, fuzz
from tests.fuzz.test_whole_contract import NAMES, SLICES, server
from tests.fuzz.world import CALLERS, make_world

if TYPE_CHECKING:
    from tests.asgi.server import Server

__all__ = ["server"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


PIECES: Final[list[tuple[list[str], tuple[str, ...]]]] = [
    *((NAMES[part::SLICES], PHASES[:3]) for part in range(SLICES)),
    ([], PHASES[3:]),
]
"""Of a round: what is asked, and how. The links are followed over the whole document."""


@pytest.mark.timeout(0)
def test_rounds_with_new_seeds_find_nothing(server: Server, campaign: str, request: pytest.FixtureRequest) -> None:
    if campaign != "full":
        pytest.skip("make fuzz")
    until = time.monotonic() + 60 * request.config.getoption("--fuzz-minutes")
    callers = request.config.getoption("--fuzz-as") or CALLERS
    rounds = ((turn, caller, piece) for turn in count() for caller in callers for piece in PIECES)
    reports = []
    for turn, caller, (names, phases) in rounds:
        begin, seed = time.monotonic(), SEED + turn
        found = fuzz(
            make_world(), server.url, caller, operations=names, phases=phases, examples=10 * (turn + 1), seed=seed
        )
        took = time.monotonic() - begin
        done = f"{found.requests} requests of {len(found.operations)} operations in {took:.0f} s"
        print(f"\n{caller}, seed {seed}, {' '.join(phases)}: {done}")
        print(f"  answers {dict(sorted(found.statuses.items()))}, excused {dict(found.excused)}", flush=True)
        if found.said:
            print(found.report(), flush=True)
            reports.append(f"as {caller} with seed {seed}:\n{found.report()}")
        if time.monotonic() > until:
            break
    assert not reports, "\n".join(reports)
