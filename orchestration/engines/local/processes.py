"""Runner processes: start them, recognise them after a crash, end them and all they left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

KILL_ROUNDS: Final = 50


@dataclass(slots=True)
class Process:
    """A runner of ours. `child` is None for one that an earlier supervisor started."""

    attempt_id: UUID
    fence: int
    work: Path
    pid: int
    pidfd: int
    vcpu: float = 0.0
    memory_bytes: int = 0
    child: subprocess.Popen[bytes] | None = None
    stopping_since: float | None = field(default=None)

    def ask_to_stop(self) -> None:
        if self.stopping_since is None:
            self.stopping_since = time.monotonic()
            _signal(self.pidfd, signal.SIGTERM)

    def kill(self) -> None:
        """The runner and every process of its attempt."""
        _signal(self.pidfd, signal.SIGKILL)
        kill_leftovers(self.attempt_id)

    def exit_report(self) -> dict[str, Any]:
        """What the runner left as its last act; empty if it had no time to."""
        try:
            said = json.loads((self.work / "exit.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return said if isinstance(said, dict) else {}

    def close(self) -> None:
        """Reap, end what is left of the step, and clear the work folder."""
        os.close(self.pidfd)
        if self.child is not None:
            self.child.wait()
        if not self.exit_report():
            # A runner that came to its end has ended the step's processes before; looking again at every
            # process of the machine would cost more than the rest of a short attempt.
            kill_leftovers(self.attempt_id)
        remove_work(self.work)


def _signal(pidfd: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)


def work_folder(top: Path, attempt_id: UUID, fence: int) -> Path:
    return top / f"{attempt_id}-{fence}"


def work_folders(top: Path) -> Iterator[tuple[Path, UUID, int]]:
    """Every work folder there is, with the lease it belongs to."""
    for work in top.iterdir() if top.is_dir() else ():
        attempt_id, _, fence = work.name.rpartition("-")
        with suppress(ValueError):
            yield work, UUID(attempt_id), int(fence)


def start(*, runner: Path, server: str, work: Path, token: str) -> subprocess.Popen[bytes]:
    """In a session of its own, so that it outlives us; the token on stdin, so that nobody can read it."""
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (work / "runner.log").open("ab") as own_log:
        child = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(runner), "--server", server, "--work", str(work)),
                *("--probe-cache", str(runner.with_name("sandbox-probe"))),
            ],
            stdin=subprocess.PIPE,
            stdout=own_log,
            stderr=own_log,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
    if child.stdin is None:
        raise RuntimeError("Popen gave no pipe")
    with suppress(BrokenPipeError):  # it died at once; the pidfd will say so
        child.stdin.write(token.encode())
        child.stdin.close()
    return child


def started_at(pid: int) -> str:
    """Boot id and start time in clock ticks since boot: with the pid, one process and no other."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    stat = Path(f"/proc/{pid}/stat").read_text()
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}"


def find(attempt_id: UUID, fence: int, pid: int | None, pid_started: str) -> int | None:
    """The pid of the runner of this lease, if it lives."""
    if pid is not None:
        with suppress(OSError):
            if started_at(pid) == pid_started:
                return pid
        return None
    # Killed between start and note: the work folder on the command line names the lease.
    mark = f"{attempt_id}-{fence}".encode()
    for other in _pids():
        with suppress(OSError):
            arguments = Path(f"/proc/{other}/cmdline").read_bytes().split(b"\0")
            if b"--work" in arguments and any(argument.endswith(mark) for argument in arguments):
                return other
    return None


def kill_leftovers(attempt_id: UUID) -> int:
    """SIGKILL every process that carries the attempt's id in its environment, until none is left."""
    killed = 0
    for _ in range(KILL_ROUNDS):
        left = _of_attempt(attempt_id)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        if not left:
            break
        time.sleep(0.01)
    return killed


def _of_attempt(attempt_id: UUID) -> list[int]:
    mark = f"ESTEIRA_ATTEMPT_ID={attempt_id}".encode()
    found = []
    for pid in _pids():
        with suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
    return found


def _pids() -> Iterator[int]:
    own = os.getpid()
    # os.listdir, not Path.iterdir: this runs at the end of every attempt.
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own)  # noqa: PTH208  runs at the end of every attempt


def remove_work(work: Path) -> None:
    """Steps may leave read-only folders behind; those are opened first."""
    if not work.is_dir():
        return
    for folder, _, _ in os.walk(work):
        with suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(work, ignore_errors=True)
