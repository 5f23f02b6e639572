"""Several files on their way at once, each with its bar."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen

AT_ONCE = 4
NAME_WIDTH = 32


class StoppedError(Exception):
    """Another transfer failed, or the person pressed Ctrl-C: this one ends at its next chunk."""


class Transfers:
    def __init__(self, screen: Screen, title: str, total_bytes: int, *, is_counted: Callable[[str], bool]) -> None:
        self._progress = bars(screen)
        self._all = self._progress.add_task(title, total=total_bytes)
        # Reading a file before it is sent moves its own bar, not the one of all files.
        self._is_counted = is_counted
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def run[T](self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """All of them, a few at a time. The first failure stops the rest and is raised."""
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="transfer")
        try:
            futures = [pool.submit(call) for call in calls]
            wait(futures, return_when=FIRST_EXCEPTION)
            _raise_first(futures)
            return [future.result() for future in futures]
        finally:
            self._stopped.set()
            pool.shutdown(cancel_futures=True)

    def bar(self, name: str) -> "Bar":
        return Bar(self, name)

    def show(self, name: str) -> TaskID:
        return self._progress.add_task(name, total=None)

    def move(self, task: TaskID, name: str, phase: str, done: int, total: int, before: int) -> int:
        """How much of this file counts in the bar of all files from now on."""
        if self._stopped.is_set():
            raise StoppedError
        label = f"{name} (reading)" if phase == "reading" else name
        self._progress.update(task, description=label, completed=done, total=total)
        counted = done if self._is_counted(phase) else 0
        self._progress.update(self._all, advance=counted - before)
        return counted

    def hide(self, task: TaskID) -> None:
        self._progress.remove_task(task)


class Bar:
    """The bar of one file; call it with (phase, done, total)."""

    def __init__(self, transfers: Transfers, name: str) -> None:
        self._transfers = transfers
        self._name = fitted(name)
        self._counted = 0

    def __enter__(self) -> Self:
        self._task = self._transfers.show(self._name)
        return self

    def __exit__(self, *_: object) -> None:
        self._transfers.hide(self._task)

    def __call__(self, phase: str, done: int, total: int) -> None:
        self._counted = self._transfers.move(self._task, self._name, phase, done, total, self._counted)


def bars(screen: Screen) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=screen.err,
        transient=True,
        disable=not screen.is_live,
        expand=True,
    )


def _raise_first[T](futures: Sequence[Future[T]]) -> None:
    for future in futures:
        fault = future.exception() if future.done() and not future.cancelled() else None
        if fault is not None:
            raise fault


def fitted(name: str) -> str:
    name = one_line(name)
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 12]}…{name[-11:]}"
