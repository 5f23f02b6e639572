"""Files on their way up: a bar for all and one for each large file, or a line now and then where nobody looks."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from api_app.client.screen.neutral import one_line
from api_app.client.screen.screen import Screen
from api_app.client.screen.transfers import bars, fitted
from api_app.client.screen.words import count, size
from api_app.client.uploads.outgoing import Outcome, Outgoing, Watch
from api_app.client.uploads.small import SMALL

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_EVERY_S: Final = 30.0


class Uploading(Watch):
    def __init__(self, screen: Screen, items: Sequence[Outgoing], total: int | None) -> None:
        self._screen = screen
        self._total, self._files = total, len(items)
        self._bars = bars(screen)
        self._only = fitted(items[0].called) if len(items) == 1 else ""
        self._all = self._bars.add_task(self._only or self._headline(0), total=total)
        self._lock = threading.Lock()
        self._shown: dict[int, TaskID] = {}
        self._done: dict[int, int] = {}
        self._sum = self._ended = 0
        self._line_at = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _value: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def began(self, item: Outgoing, size: int | None) -> None:
        if not self._only and (size is None or size > SMALL):
            self._shown[id(item)] = self._bars.add_task(fitted(item.called), total=size)

    def moved(self, item: Outgoing, phase: str, done: int) -> None:  # noqa: ARG002 - there is but one phase
        with self._lock:
            self._sum += done - self._done.get(id(item), 0)
            self._done[id(item)] = done
            self._bars.update(self._all, completed=self._sum)
            if id(item) in self._shown:
                self._bars.update(self._shown[id(item)], completed=done)
            self._say_now_and_then()

    def ended(self, outcome: Outcome) -> None:
        with self._lock:
            self._ended += 1
            self._bars.update(self._all, description=self._only or self._headline(self._ended))
            task = self._shown.pop(id(outcome.item), None)
        if task is not None:
            self._bars.remove_task(task)
            if outcome.file and self._files > 1:
                self._screen.note(f"Uploaded {one_line(outcome.item.called)} ({size(outcome.file['size'])}).")

    def _headline(self, ended: int) -> str:
        return f"Uploading {ended:,} of {count(self._files, 'file')}" if self._files > 1 else "Uploading"

    def _say_now_and_then(self) -> None:
        if self._screen.is_live or time.monotonic() < self._line_at:
            return
        self._line_at = time.monotonic() + LINE_EVERY_S
        of = "" if self._total is None else f" of {size(self._total)}"
        self._screen.note(f"{self._headline(self._ended)}: {size(self._sum)}{of}")
