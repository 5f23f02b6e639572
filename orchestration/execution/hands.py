"""Hand-overs under way at the same time: each in a thread, with a connection of its own."""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self

from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID


class Hands[Outcome]:
    """`number` of them; with one alone it is the caller's own thread, which then waits. `tell` hears each outcome."""

    def __init__(self, number: int, work: Callable[[UUID], Outcome], tell: Callable[[Outcome], None]) -> None:
        self._number, self._work, self._tell = number, work, tell
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="hand-over") if number > 1 else None
        self._under_way: dict[Future[Outcome], UUID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown()

    @property
    def jobs(self) -> list[UUID]:
        return list(self._under_way.values())

    @property
    def are_full(self) -> bool:
        return len(self._under_way) >= self._number

    def give(self, job_id: UUID) -> None:
        if self._pool is None:
            self._tell(self._work(job_id))
        else:
            self._under_way[self._pool.submit(self._work_apart, job_id)] = job_id

    def wait(self, seconds: float) -> None:
        """For the first to come back."""
        done, _ = wait(self._under_way, timeout=seconds, return_when=FIRST_COMPLETED)
        for one in done:
            del self._under_way[one]
            self._tell(one.result())

    def _work_apart(self, job_id: UUID) -> Outcome:
        try:
            return self._work(job_id)
        finally:
            connection.close()  # back to the pool, from the thread that has it
