"""The processes of a step: finding every one of them, and leaving none.

The runner is a child subreaper, so whatever a step starts stays below it; double forks and sessions change
nothing. Where that is refused, processes are also known by the attempt's id in their environment.
"""

from __future__ import annotations

import os
import time

from .quick import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

PAGE = os.sysconf("SC_PAGE_SIZE")
DEAD = frozenset("ZXx")
FREEZE_ROUNDS = 40
KILL_S = 10.0


def _load_prctl() -> Callable[[int, int], bool]:
    """prctl(2) without the ctypes package, which takes 4 ms to import."""
    try:
        import _ctypes  # noqa: PLC0415

        address = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        call = _ctypes.call_function
    except (ImportError, AttributeError, OSError):
        try:
            import ctypes  # noqa: PLC0415

            function = ctypes.CDLL(None).prctl
        except (ImportError, AttributeError, OSError):
            return lambda _option, _value: False
        return lambda option, value: bool(function(option, value, 0, 0, 0) == 0)
    return lambda option, value: bool(call(address, (option, value, 0, 0, 0)) == 0)


prctl = _load_prctl()


class Process:
    __slots__ = ("depth", "pid", "rss", "state")

    def __init__(self, pid: int, depth: int, state: str, rss: int) -> None:
        self.pid = pid
        self.depth = depth
        self.state = state
        self.rss = rss


class Tree:
    """Everything below this process, and without a subreaper also what carries the attempt's id."""

    def __init__(self, attempt_id: str, *, search: bool = False) -> None:
        self._mark = b"ESTEIRA_ATTEMPT_ID=" + attempt_id.encode()
        self._reaper = not search and prctl(PR_SET_CHILD_SUBREAPER, 1)
        self._listed = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
        self.statuses: dict[int, int] = {}

    def processes(self) -> list[Process]:
        parents = {} if self._listed else _parents()
        found: dict[int, Process] = {}
        todo = [(os.getpid(), 0)]
        if not self._reaper:
            todo += [(pid, 1) for pid in self._strays()]
        while todo:
            pid, depth = todo.pop()
            if pid in found:
                continue
            if depth and (process := _look(pid, depth)) is not None:
                found[pid] = process
            below = _children(pid) if self._listed else parents.get(pid, [])
            todo += [(child, depth + 1) for child in below]
        return list(found.values())

    def alive(self) -> list[Process]:
        return [process for process in self.processes() if process.state not in DEAD]

    def _strays(self) -> list[int]:
        strays = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                environ = _read(f"/proc/{name}/environ")
                if self._mark in environ.split(b"\0"):
                    strays.append(int(name))
        return strays

    def reap(self) -> bool:
        """Collects every child that has ended. True when there is none left, dead or alive."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            self.statuses[pid] = status

    def terminate(self, above: int) -> None:
        """SIGTERM for all deeper than `above`: the sandbox's own two processes would take the rest along."""
        for process in self.alive():
            if process.depth > above:
                _kill(process.pid, signal.SIGTERM)
                _kill(process.pid, signal.SIGCONT)

    def kill(self) -> bool:
        """Ends everything. False when something could not be killed in time: it hangs in the kernel."""
        end = time.monotonic() + KILL_S
        nap = 0.001
        while True:
            # For a subreaper "no child left" is the whole truth; a listing may miss one among many.
            childless = self.reap()
            if childless and self._reaper:
                return True
            alive = self.alive()
            if childless and not alive:
                return True
            if time.monotonic() > end:
                return False
            for process in self._freeze(alive):
                _kill(process.pid, signal.SIGKILL)
            time.sleep(nap)
            nap = min(2 * nap, 0.05)

    def _freeze(self, alive: list[Process]) -> list[Process]:
        """Stops processes until no new ones appear: what is stopped cannot fork while the others die."""
        frozen: dict[int, Process] = {}
        for _ in range(FREEZE_ROUNDS):
            new = [process for process in alive if process.pid not in frozen]
            if not new:
                break
            for process in new:
                _kill(process.pid, signal.SIGSTOP)
                frozen[process.pid] = process
            alive = self.alive()
        return list(frozen.values())


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it ended meanwhile, or became somebody else's by a setuid program


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        parts = []
        while part := os.read(fd, 1 << 16):
            parts.append(part)
        return b"".join(parts)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _children(pid: int) -> list[int]:
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    children: list[int] = []
    for thread in threads:
        children.extend(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))
    return children


def _parents() -> dict[int, list[int]]:
    """Children by parent, from every process there is: for kernels without the `children` file."""
    below: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and (fields := _fields(int(name))):
            below.setdefault(int(fields[1]), []).append(int(name))
    return below


def _fields(pid: int) -> list[bytes]:
    """The fields of stat after the name, which may itself hold spaces and brackets."""
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()


def _look(pid: int, depth: int) -> Process | None:
    fields = _fields(pid)
    if len(fields) < 22:  # noqa: PLR2004
        return None
    return Process(pid, depth, fields[0].decode(), int(fields[21]) * PAGE)


def proportional_bytes(processes: list[Process]) -> int:
    """Memory with shared pages counted once, which resident size counts for every process."""
    total = 0
    for process in processes:
        size = process.rss
        for line in _read(f"/proc/{process.pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                size = int(line.split()[1]) * 1024
                break
        else:
            # It may keep its pages from us, or be gone: then it holds none, and the others hold its share.
            size = size if _fields(process.pid) else 0
        total += size
    return total
