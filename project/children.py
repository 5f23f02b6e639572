"""The platform's own processes: started together, started again when they die, stopped in order."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LONGEST_PAUSE_S: Final = 10.0
CALM_S: Final = 30.0
NAMED_BY: Final = ("ESTEIRA_PROCESS", "PGAPPNAME")
"""The latter is libpq's own: all connections say which process they are of, also those that Django does not make."""
LOG_BYTES: Final = 10 << 20
_PR_SET_PDEATHSIG: Final = 1
WORKER: Final = [
    "-m", "project.work", "worker", "--pool", "threads", "--concurrency", "4",
   "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING", "--hostname", "worker@local",
]  # fmt: skip
# A process of its own, not the worker's: killed outright, a worker leaves the beat it forked running for ever.
BEAT: Final = ["-m", "project.work", "beat", "--loglevel", "WARNING", "--pidfile="]
WEB: Final = ["-m", "project.serve"]
# Bodies come in pieces of 256 KiB: with glibc's defaults each is mapped, faulted in and unmapped anew.
WEB_ENV: Final = {"MALLOC_MMAP_THRESHOLD_": str(64 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
_libc: Final = ctypes.CDLL(None)


@dataclass(slots=True)
class Child:
    name: str
    command: list[str]
    stop_s: float
    """How long it may take to stop before it is killed."""
    defaults: dict[str, str] = field(default_factory=dict)
    """Of its environment, where the user's says nothing."""
    process: subprocess.Popen[bytes] | None = None
    pause_s: float = 0.2
    started: float = 0.0
    due: float = field(default=0.0)


def _die_with_parent() -> None:
    """Runs in the child: when `up` is killed outright, nobody may keep the port and the locks."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Children:
    def __init__(self, folder: Path, env: dict[str, str], say: Callable[[str], None]) -> None:
        self._folder, self.env, self._say = folder, env, say
        self._children: list[Child] = []
        folder.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, command: list[str], *, stop_s: float, defaults: dict[str, str] | None = None) -> None:
        # -P: no module comes from the folder where somebody stands, who may have a `project` of her own there.
        child = Child(name, [sys.executable, "-P", *command], stop_s, defaults or {})
        self._children.append(child)
        self._spawn(child)

    def log_of(self, name: str) -> Path:
        return self._folder / f"{name}.log"

    def watch(self) -> None:
        """Start again what has died, with a growing pause. Called often."""
        now = time.monotonic()
        for child in self._children:
            if child.process is None:
                if now >= child.due:
                    self._spawn(child)
            elif (code := child.process.poll()) is not None:
                child.process = None
                calm = now - child.started > CALM_S
                child.pause_s = 0.2 if calm else min(child.pause_s * 2, LONGEST_PAUSE_S)
                child.due = now + child.pause_s
                self._say(
                    f"{child.name} stopped unexpectedly ({_how(code)}); starting it again in "
                    f"{child.pause_s:.1f} s. Its last words are in {self.log_of(child.name)}"
                )

    def is_alive(self, name: str) -> bool:
        return any(c.name == name and c.process is not None and c.process.poll() is None for c in self._children)

    def pid(self, name: str) -> int:
        """Of a running child; LookupError while it is down."""
        for child in self._children:
            if child.name == name and child.process is not None:
                return child.process.pid
        raise LookupError(name)

    def stop(self) -> None:
        """In the order they were started last: nobody loses the one it talks to."""
        for child in reversed(self._children):
            if child.process is None:
                continue
            child.process.terminate()
            try:
                child.process.wait(child.stop_s)
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} did not stop within {child.stop_s:.0f} s and was killed.")
                child.process.kill()
                child.process.wait()
            child.process = None

    def _spawn(self, child: Child) -> None:
        log = self.log_of(child.name)
        if log.exists() and log.stat().st_size > LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))
        with log.open("ab") as out:
            child.process = subprocess.Popen(
                child.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={
                    **child.defaults,
                    **os.environ,
                    **self.env,
                    "ESTEIRA_PROCESS": child.name,
                    "PGAPPNAME": child.name,
                },
                # Ctrl-C is for `up` alone, which stops the children in order.
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509  no threads run here
            )
        child.started = time.monotonic()


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
