"""Platforms and doubles that several modules share: each is started when it is first asked for."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Kept:
    """They last until `close`; who asks afterwards gets new ones."""

    def __init__(self) -> None:
        self._open: dict[str, Any] = {}
        self._stack = ExitStack()

    def one[T](self, name: str, start: Callable[[], AbstractContextManager[T]]) -> T:
        if name not in self._open:
            self._open[name] = self._stack.enter_context(start())
        found: T = self._open[name]
        return found

    def close(self) -> None:
        self._open.clear()
        self._stack.close()
