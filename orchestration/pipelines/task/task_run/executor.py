"""One command: its programs, folder, environment and streams."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any

NOT_FOUND = 127
NOT_STARTED = 126
BY_SIGNAL = 128
# By this the platform finds whatever a task leaves behind.
MARK = "ESTEIRA_ATTEMPT_ID"
KEPT = ("HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Ended:
    number: int
    exit_code: int
    is_ignored: bool
    started_at: datetime
    ended_at: datetime

    def said(self) -> dict[str, Any]:
        return {
            "exit_code": self.exit_code,
            "start_time": self.started_at.isoformat(),
            "end_time": self.ended_at.isoformat(),
        }


def run(number: int, executor: dict[str, Any], layer: str) -> Ended:
    started = datetime.now(UTC)
    try:
        code = _call(executor, layer)
    except FileNotFoundError as wrong:
        code = _not_started(wrong, NOT_FOUND)
    except (OSError, ValueError) as wrong:
        code = _not_started(wrong, NOT_STARTED)
    return Ended(number, code, executor.get("ignore_error") is True, started, datetime.now(UTC))


def _call(executor: dict[str, Any], layer: str) -> int:
    with ExitStack() as opened:

        def stream(name: str, mode: str) -> IO[bytes] | None:
            path = executor.get(name)
            return opened.enter_context(open(path, mode)) if path else None  # noqa: PTH123  mode is a variable

        done = subprocess.run(
            executor["command"],
            cwd=executor.get("workdir") or os.environ["HOME"],
            env=_environment(executor.get("env") or {}, layer),
            stdin=stream("stdin", "rb") or subprocess.DEVNULL,
            stdout=stream("stdout", "wb"),
            stderr=stream("stderr", "wb"),
            check=False,
        )
    return done.returncode if done.returncode >= 0 else BY_SIGNAL - done.returncode


def _environment(given: dict[str, str], layer: str) -> dict[str, str]:
    path = os.environ["PATH"].split(":", 1)[1]  # the first place is the platform's own Python
    own = {"PATH": f"{layer}/bin:{path}" if layer else path}
    return {name: os.environ[name] for name in KEPT} | own | given | {MARK: os.environ[MARK]}


def _not_started(wrong: Exception, code: int) -> int:
    print(f"[task] The command cannot be run: {wrong}.", flush=True)
    return code
