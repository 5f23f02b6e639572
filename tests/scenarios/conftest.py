from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenarios.world import World, world

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def db(django_db_setup: None) -> None:
    """pytest-django's, without its transaction around a test: here other threads and processes work on the rows."""


class Worlds:
    """One at a time: it lasts until another engine's is asked for."""

    def __init__(self, folders: pytest.TempPathFactory, blocker: Any) -> None:
        self._folders, self._blocker = folders, blocker
        self._stack = ExitStack()
        self._open: World | None = None

    def of(self, engine: str) -> World:
        if self._open is None or self._open.name != engine:
            self.close()
            self._open = self._stack.enter_context(world(engine, self._folders.mktemp(engine), self._blocker))
        return self._open

    def close(self) -> None:
        self._open = None
        self._stack.close()


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory, db: None, django_db_blocker: object) -> Iterator[Worlds]:
    made = Worlds(tmp_path_factory, django_db_blocker)
    yield made

    made.close()
