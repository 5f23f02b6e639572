"""The one way from a route to the ORM: a fixed set of threads, and connections checked and given back each call."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import close_old_connections

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

type Outcome = tuple[Any, Exception | None]
WAITING_FOR_EACH_THREAD: Final = 4
FILE_THREADS: Final = 4
FILES_WAITING: Final = 4_096
POUR_THREADS: Final = max(1, min(4, (os.process_cpu_count() or 1) - 1))
POUR_NICE: Final = 5
PASSWORDS_WAITING: Final = 8


class Busy(Exception):
    """More is waiting than can be done soon. Try again in a moment."""


class Lane:
    """`threads` calls run at once and `waiting` more may queue; whoever comes then hears Busy at once.

    A plain `def` route would leave its connection on whatever thread it ran, and bare `sync_to_async` puts every
    request on one thread (embedded.md, section 4).
    """

    def __init__(self, name: str, threads: int, *, waiting: int, nice: int = 0) -> None:
        self._name, self._threads, self._nice = name, threads, nice
        self._places = threading.BoundedSemaphore(threads + waiting)
        self._executor: ThreadPoolExecutor | None = None

    async def run[**P, T](self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._places.acquire(blocking=False):
            raise Busy
        # The context goes along, so that a log line in the thread carries the request's id.
        context = contextvars.copy_context()
        work = partial(call, *args, **kwargs)
        try:
            future = self._open().submit(context.run, _with_connections, work)
        except RuntimeError as exc:  # the executor is shutting down
            self._places.release()
            raise Busy from exc
        future.add_done_callback(lambda _: self._places.release())
        return await _settled(future)

    def close(self) -> None:
        """What runs goes on to its end; what waits is dropped. The next call opens the lane again."""
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)

    def _begin(self) -> None:
        """Linux counts niceness by thread: these let others of their own process go first."""
        if self._nice:
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._nice)

    def _open(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name, initializer=self._begin)
        return self._executor


class Together:
    """Short calls that wait at the same moment share one turn of a thread, which costs more than they do."""

    def __init__(self, run: Callable[..., Awaitable[list[Outcome]]]) -> None:
        self._run = run
        self._waiting: list[tuple[Callable[[], Any], asyncio.Future[Any]]] = []
        self._turns: asyncio.Task[None] | None = None

    async def run[**P, T](self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result. Raises what the call raised, or Busy."""
        settled: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        work = partial(contextvars.copy_context().run, partial(call, *args, **kwargs))
        self._waiting.append((work, settled))
        if self._turns is None:
            self._turns = asyncio.create_task(self._take_turns())
        return await settled

    async def _take_turns(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting, []
                await self._turn(taken)
        finally:
            self._turns = None

    async def _turn(self, taken: list[tuple[Callable[[], Any], asyncio.Future[Any]]]) -> None:
        try:
            outcomes = await self._run(_each, [work for work, _ in taken])
        except Exception as exc:  # noqa: BLE001  raised where each result is awaited
            outcomes = [(None, exc)] * len(taken)
        for (_, settled), outcome in zip(taken, outcomes, strict=True):
            settle(settled, outcome)


def settle(waiter: asyncio.Future[Any], outcome: Outcome) -> None:
    """Unless whoever waited has gone."""
    if waiter.done():
        return
    result, failed = outcome
    if failed is None:
        waiter.set_result(result)
    else:
        waiter.set_exception(failed)


def _each(calls: Sequence[Callable[[], Any]]) -> list[Outcome]:
    return [_outcome(call) for call in calls]


def _outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return call(), None
    except Exception as exc:  # noqa: BLE001  raised where its result is awaited
        return None, exc


def _with_connections[T](call: Callable[[], T]) -> T:
    close_old_connections()  # drops what a failover killed, in the thread that owns it
    try:
        return call()
    finally:
        close_old_connections()


async def _settled[T](future: Future[T]) -> T:
    """The result. Cancelled meanwhile, it still waits for a call that has begun: nobody may work beside it."""
    wrapped = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(wrapped)
    except asyncio.CancelledError:
        if not future.cancel():
            await to_the_end(wrapped)
        raise


async def to_the_end(work: asyncio.Future[Any]) -> None:
    """However often whoever waits is cancelled meanwhile: a thread that writes must not lose its file."""
    while not work.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([work])


_db: Final = Lane("api-db", settings.API_THREADS, waiting=WAITING_FOR_EACH_THREAD * settings.API_THREADS)
# Syncing a large file takes long; it must not take the threads that answer everybody else. Each transfer has at most
# one call here, so the number of transfers bounds the queue.
_files: Final = Lane("api-files", FILE_THREADS, waiting=FILES_WAITING)
# Bytes come in as fast as they can be written, and would have every processor: one is left to those who only ask.
_pours: Final = Lane("api-pours", POUR_THREADS, waiting=FILES_WAITING, nice=POUR_NICE)
# Checking a password is slow on purpose. One thread, so that guessing cannot take the whole machine.
_passwords: Final = Lane("api-passwords", 1, waiting=PASSWORDS_WAITING)

in_db: Final = _db.run
in_files: Final = _files.run
in_pours: Final = _pours.run
in_passwords: Final = _passwords.run


def close_lanes() -> None:
    for lane in (_db, _files, _pours, _passwords):
        lane.close()
