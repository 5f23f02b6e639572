"""Turns of a database thread: who shares one, who need not wait for it, and who hears what went wrong."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import pytest

from api_app import submitting
from api_app.database import Busy
from api_app.submitting import MOST_TOGETHER, MOST_TURNS, MOST_WAITING, Turns
from orchestration.services.group_commit import Call, run_together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from orchestration.services.jobs import Submission


@pytest.fixture(autouse=True)
def no_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each turn is over before the next begins, unless a test says otherwise."""
    monkeypatch.setattr(submitting, "HASTE_S", 60)


def call(result: Any) -> Call:
    return Call(lambda: said(result), None, copy_context())


def said(result: Any) -> Submission[Any]:
    if isinstance(result, Exception):
        raise result
    yield from ()
    return result


class Turn:
    """Does the work of a turn, each when it may."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.may = asyncio.Event()
        self.may.set()

    async def run(self, work: Callable[..., None], *args: Sequence[Call]) -> None:
        self.sizes.append(len(args[0]) if args else 0)
        await asyncio.sleep(0)
        await self.may.wait()
        work(*args)


async def test_all_who_come_at_once_share_a_turn() -> None:
    turn = Turn()
    turns = Turns(turn.run)
    found = await asyncio.gather(*(turns.take(call(n)) for n in range(MOST_TOGETHER + 3)))
    assert found == list(range(MOST_TOGETHER + 3))
    assert turn.sizes == [MOST_TOGETHER, 3]


async def test_each_hears_of_its_own_failure_only() -> None:
    turns = Turns(Turn().run)
    heard = await asyncio.gather(turns.take(call(7)), turns.take(call(ValueError("mine"))), return_exceptions=True)
    assert [str(one) for one in heard] == ["7", "mine"]


async def test_lane_that_is_full_is_said_to_all_of_the_turn_and_the_next_one_works() -> None:
    is_full = True
    turn = Turn()

    async def run(work: Any, *args: Any) -> None:
        if is_full:
            raise Busy
        await turn.run(work, *args)

    turns = Turns(run)
    heard = await asyncio.gather(*(turns.take(call(1)) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in heard] == [Busy] * 3
    is_full = False
    assert await turns.take(call(4)) == 4


@pytest.mark.parametrize("when", [0.001, 0.05])
async def test_turn_that_takes_long_is_not_waited_for(when: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "HASTE_S", 0.01)
    turn = Turn()
    turn.may.clear()
    begun: list[int] = []

    async def run(work: Any, calls: Sequence[Call]) -> None:
        begun.append(len(calls))
        if len(begun) == 1:
            await turn.may.wait()
        work(calls)

    turns = Turns(run)
    slow = asyncio.ensure_future(turns.take(call("slow")))
    await asyncio.sleep(when)
    assert await asyncio.wait_for(turns.take(call("quick")), 20) == "quick"
    assert not slow.done()
    turn.may.set()
    assert await slow == "slow"


async def test_so_many_turns_overlap_and_more_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "HASTE_S", 0.001)
    monkeypatch.setattr(submitting, "PATIENCE_S", 60)
    turn = Turn()
    turn.may.clear()
    turns = Turns(turn.run)
    held = []
    for _ in range(MOST_TURNS + 2):
        held.append(asyncio.ensure_future(turns.take(call("held"))))
        await asyncio.sleep(0.1)
    assert turn.sizes == [1] * MOST_TURNS
    turn.may.set()
    assert await asyncio.gather(*held) == ["held"] * (MOST_TURNS + 2)
    assert turn.sizes == [1] * MOST_TURNS + [2]


async def test_turn_in_whose_way_a_lock_is_holds_nobody_up_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "HASTE_S", 0.001)
    monkeypatch.setattr(submitting, "PATIENCE_S", 0.002)
    monkeypatch.setattr(submitting, "MOST_TURNS", 1)
    turn = Turn()
    turn.may.clear()
    turns = Turns(turn.run)
    held = [asyncio.ensure_future(turns.take(call("held")))]
    await asyncio.sleep(0.1)
    held.append(asyncio.ensure_future(turns.take(call("held"))))
    await asyncio.sleep(0.1)
    assert turn.sizes == [1, 1]
    turn.may.set()
    await asyncio.gather(*held)


async def test_who_left_before_the_turn_is_not_in_it() -> None:
    turn = Turn()
    turn.may.clear()
    turns = Turns(turn.run)
    first = asyncio.ensure_future(turns.take(call(1)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving, staying = (asyncio.ensure_future(turns.take(call(n))) for n in (2, 3))
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.sleep(0)
    turn.may.set()
    assert [await first, await staying] == [1, 3]
    assert turn.sizes == [1, 1]


async def test_more_than_can_wait_hear_so_at_once() -> None:
    turn = Turn()
    turn.may.clear()
    turns = Turns(turn.run)
    first = [asyncio.ensure_future(turns.take(call(n))) for n in range(MOST_WAITING)]
    await asyncio.sleep(0)
    more = [asyncio.ensure_future(turns.take(call(n))) for n in range(MOST_WAITING)]
    await asyncio.sleep(0)
    refused = [one for one in more if one.done() and isinstance(one.exception(), Busy)]
    assert len(refused) >= MOST_WAITING - 2 * MOST_TOGETHER
    turn.may.set()
    assert await asyncio.gather(*first) == list(range(MOST_WAITING))


async def test_what_could_not_be_written_with_others_is_finished_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = call(5)

    def run(calls: Sequence[Call]) -> None:
        run_together([one for one in calls if one is not left_out])

    monkeypatch.setattr(submitting, "run_together", run)
    turn = Turn()
    turns = Turns(turn.run)
    assert [*await asyncio.gather(turns.take(left_out), turns.take(call(6)))] == [5, 6]
    assert turn.sizes == [2, 0], "and that took a turn of its own"
    assert left_out.is_done
