"""The threads behind the event loop: who shares a turn, who gives way, and who hears what went wrong."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from api_app.database import Busy, Lane, Together

if TYPE_CHECKING:
    from collections.abc import Sequence


class Counted:
    """A lane without threads that counts its turns."""

    def __init__(self) -> None:
        self.turns: list[int] = []

    async def run(self, each: Any, calls: Sequence[Any]) -> Any:
        self.turns.append(len(calls))
        await asyncio.sleep(0)
        return each(calls)


def failing() -> None:
    raise ValueError("mine")


async def test_calls_that_wait_together_share_a_turn() -> None:
    lane = Counted()
    together = Together(lane.run)
    assert await asyncio.gather(*(together.run(int, str(n)) for n in range(5))) == [0, 1, 2, 3, 4]
    assert sum(lane.turns) == 5
    assert len(lane.turns) <= 2


async def test_each_hears_of_its_own_failure_only() -> None:
    together = Together(Counted().run)
    good, bad = await asyncio.gather(together.run(int, "7"), together.run(failing), return_exceptions=True)
    assert good == 7
    assert str(bad) == "mine"


async def test_full_lane_is_said_to_all_who_wait() -> None:
    async def full(*_: Any) -> Any:
        raise Busy

    together = Together(full)
    heard = await asyncio.gather(*(together.run(int, "1") for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in heard] == [Busy] * 3


async def test_who_leaves_does_not_take_the_others_along() -> None:
    together = Together(Counted().run)
    leaving = asyncio.ensure_future(together.run(int, "1"))
    staying = asyncio.ensure_future(together.run(int, "2"))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying == 2
    with pytest.raises(asyncio.CancelledError):
        await leaving


@pytest.mark.parametrize("nice", [0, 5])
async def test_lane_gives_way_as_it_says(nice: int) -> None:
    lane = Lane("tried", 1, waiting=1, nice=nice)
    try:
        before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        there = await lane.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    finally:
        lane.close()
    assert there == (nice or before)
