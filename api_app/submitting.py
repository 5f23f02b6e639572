"""Submissions that come at the same moment take one turn of a database thread: `services.group_commit`."""

from __future__ import annotations

import asyncio
import contextvars
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from api_app.auth import identify, scope_of
from api_app.database import Busy, in_db, settle
from api_app.gate import credential
from orchestration.services.ahead import ahead_of_submit, learn_kind
from orchestration.services.group_commit import Call, run_together
from orchestration.services.jobs import submission

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from api_app.database import Outcome
    from api_app.gate import Credential
    from orchestration.models import Job
    from orchestration.services import jobs
    from orchestration.services.jobs import Submission

MOST_TOGETHER: Final = 16
MOST_WAITING: Final = 512
HASTE_S: Final = 0.002
MOST_TURNS: Final = 4
"""So many may overlap, each begun when the one before is HASTE_S old: while one waits for the disk another reads."""
PATIENCE_S: Final = 0.05
"""Beyond them nobody waits for a turn that takes longer: somebody else's lock may be in its way."""


class Turns:
    """Each takes all who wait. `run` is given the work of a turn and does it elsewhere."""

    def __init__(self, run: Callable[..., Awaitable[None]]) -> None:
        self._run = run
        self._waiting: list[tuple[Call, asyncio.Future[None]]] = []
        self._turn: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[None]] = set()

    async def take(self, call: Call) -> Any:
        """What comes of it. Raises what the call raised, or Busy."""
        if len(self._waiting) >= MOST_WAITING:
            raise Busy
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[None] = loop.create_future()
        self._waiting.append((call, settled))
        if self._turn is None:
            self._begin()
        await settled
        if not call.is_done:
            await self._run(call.finish)
        if call.failed is not None:
            raise call.failed
        return call.result

    def _begin(self) -> None:
        turn = self._turn = asyncio.create_task(self._take())
        late = asyncio.get_running_loop().call_later(HASTE_S, self._is_late, turn)
        turn.add_done_callback(lambda _: late.cancel())
        turn.add_done_callback(self._ended)

    def _is_late(self, turn: asyncio.Task[None]) -> None:
        self._late.add(turn)
        if len(self._late) < MOST_TURNS:
            self._next(turn)
        else:
            asyncio.get_running_loop().call_later(PATIENCE_S, self._next, turn)

    def _ended(self, turn: asyncio.Task[None]) -> None:
        self._late.discard(turn)
        self._next(turn)

    def _next(self, turn: asyncio.Task[None]) -> None:
        """Nobody waits for `turn` any more."""
        if self._turn is turn:
            self._turn = None
            if self._waiting:
                self._begin()

    async def _take(self) -> None:
        taken, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        here = [(call, settled) for call, settled in taken if not settled.done()]
        outcome: Outcome = (None, None)
        try:
            await self._run(run_together, [call for call, _ in here])
        except Exception as exc:  # noqa: BLE001  raised where each is awaited
            outcome = (None, exc)
        for _, settled in here:
            settle(settled, outcome)


_turns: Final = Turns(in_db)


async def submit[T](request: Request, wanted: jobs.Request, key: str, shown: Callable[[Job, bool], T]) -> T:
    """`shown` makes the answer of the job, in the database thread."""
    given, scope = credential(request), scope_of(request)
    work = partial(_submission, given, scope, wanted, key, shown)
    call = Call(work, ahead_of_submit(given.secret, wanted), contextvars.copy_context())
    result: T = await _turns.take(call)
    return result


def _submission[T](
    given: Credential, scope: str, wanted: jobs.Request, key: str, shown: Callable[[Job, bool], T]
) -> Submission[T]:
    user = identify(given, scope).user
    learn_kind(given.secret, user)
    job, created = yield from submission(user, wanted, key)
    return shown(job, created)
