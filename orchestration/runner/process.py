"""Starts a command that holds nothing of the runner's: no environment, no open files, no signal settings."""

from __future__ import annotations

import os
import resource

from .quick import signal
from .tree import PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG, prctl

OPEN_FILES = 16384
# The step goes first when the machine runs out of memory, not the platform beside it.
OOM_SCORE = b"500"


class NotStarted(Exception):
    """The command cannot be run; the message is for the user."""


class Start:
    """What to run and how."""

    def __init__(self, path: str, argv: list[str], env: dict[str, str], cwd: str) -> None:
        self.path = path
        self.argv = argv
        self.env = env
        self.cwd = cwd
        self.file_size_bytes: int | None = None
        self.keep: tuple[int, ...] = ()
        # A setuid bwrap, as some systems have it, needs its privileges.
        self.no_new_privileges = True


class Child:
    __slots__ = ("out", "pid")

    def __init__(self, pid: int, out: int) -> None:
        self.pid = pid
        self.out = out


def start(what: Start, oom: OomScore | None = None) -> Child:
    """Starts the command with stdout and stderr in one pipe. To be called before there is any thread."""
    out, out_end = os.pipe()
    failed, failed_end = os.pipe()
    runner = os.getpid()
    if oom is not None:
        oom.raised()
    pid = os.fork()
    if pid == 0:
        try:
            _become(what, out_end, runner)
        except OSError as wrong:
            os.write(failed_end, f"{wrong.errno}".encode())
        finally:
            os._exit(127)
    if oom is not None:
        oom.restored()
    os.close(out_end)
    os.close(failed_end)
    number = os.read(failed, 16)
    os.close(failed)
    if number:
        os.close(out)
        os.waitpid(pid, 0)
        raise NotStarted(f"The command `{what.argv[0]}` cannot be run: {os.strerror(int(number))}.")
    os.set_blocking(out, False)
    return Child(pid, out)


def _become(what: Start, out: int, runner: int) -> None:
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != runner:
        os._exit(127)  # the runner died before the line above
    os.setsid()
    if what.no_new_privileges:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    for number in signal.valid_signals():
        # Python ignores SIGPIPE and SIGXFSZ, and an ignored signal stays ignored in the new program.
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _limit(what.file_size_bytes)
    os.chdir(what.cwd)
    os.umask(0o022)
    _close_others(what.keep)
    os.execve(what.path, what.argv, what.env)  # noqa: S606


class OomScore:
    """Makes the step the kernel's first choice when memory runs out, and not the runner.

    To be opened before the runner hides its memory: from then on these files of its own and of what it forks
    belong to root. So the step inherits the score that the runner has for the moment of the fork.
    """

    def __init__(self) -> None:
        try:
            self._fd = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            self._own = os.read(self._fd, 16)
        except OSError:
            self._fd = -1

    def raised(self) -> None:
        self._set(OOM_SCORE)

    def restored(self) -> None:
        self._set(self._own if self._fd >= 0 else b"")

    def _set(self, score: bytes) -> None:
        if self._fd >= 0:
            try:
                os.pwrite(self._fd, score, 0)
            except OSError:  # more than we may: then the step is as likely a victim as anybody
                return


def _limit(file_size_bytes: int | None) -> None:
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, OPEN_FILES)
    if file_size_bytes is not None:
        _lower(resource.RLIMIT_FSIZE, file_size_bytes)


def _lower(limit: int, value: int) -> None:
    """Sets both limits, so that the step cannot raise them; a lower one that is there already stays."""
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(hard, value)
    resource.setrlimit(limit, (value, value))


def _close_others(keep: tuple[int, ...]) -> None:
    """Nothing that the runner inherited may reach the step. What the runner opened itself closes at exec."""
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd > 2 and fd not in keep:  # noqa: PLR2004
            try:
                os.set_inheritable(fd, False)
            except OSError:
                continue  # the descriptor of the listing itself


def resolve(command: str, path: str, cwd: str) -> str:
    """The file that a shell would run for this word."""
    places = [cwd] if "/" in command else path.split(":")
    found_without_right = False
    for place in places:
        candidate = os.path.normpath(os.path.join(place, command))
        if os.path.isfile(candidate):
            if os.access(candidate, os.X_OK):
                return candidate
            found_without_right = True
    if found_without_right:
        raise NotStarted(f"The command `{command}` is not executable.")
    raise NotStarted(f"The command `{command}` was not found.")
