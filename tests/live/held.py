"""Processes of a platform that a test can hold down, restart, or run from another release."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final, override

from project.children import WEB, Child, Children
from tests.live.apart import at_port, socket_of
from tests.live.links import Link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

STOP_S: Final = 4.0
"""Who takes longer to end is killed: a night is short."""


class Held(Children):
    def __init__(self, folder: Path, env: dict[str, str], say: Callable[[str], None]) -> None:
        super().__init__(folder, env, say)
        self.down: set[str] = set()
        """Whose names are in here do not come back when they end."""

    @override
    def _spawn(self, child: Child) -> None:
        if child.name not in self.down:
            super()._spawn(child)

    def serve_from(self, release: Path) -> None:
        """What is started in a folder finds its code there first."""
        for child in self._children:
            if child.name == "web":
                child.command = ["env", "-C", str(release), sys.executable, *WEB]
        self.restart("web")

    def restart(self, *names: str) -> None:
        """With the environment of now."""
        old = {name: self._pid_or_none(name) for name in names}
        for running in filter(None, old.values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(running, signal.SIGTERM)
        patience, deadline = time.monotonic() + STOP_S, time.monotonic() + 60
        for name in names:
            while (pid := self._pid_or_none(name)) in {None, old[name]}:
                assert time.monotonic() < deadline, f"{name} does not come back"
                if pid and time.monotonic() > patience:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)

    def _pid_or_none(self, name: str) -> int | None:
        try:
            return self.pid(name)
        except LookupError:
            return None


class Walled(Held):
    """They reach PostgreSQL by one wire, with a wall in it."""

    def __init__(self, folder: Path, env: dict[str, str], say: Callable[[str], None]) -> None:
        self.wall = Link(socket_of(env["DATABASE_URL"]))
        self.wall.start()
        env["DATABASE_URL"] = at_port(env["DATABASE_URL"], self.wall.port)
        super().__init__(folder, env, say)

    @override
    def stop(self) -> None:
        super().stop()
        self.wall.stop()
