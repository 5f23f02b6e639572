"""The runner as a container of AWS Batch, started without an attempt: claims the items of its slice, one by one.

Each attempt runs in a fork of its own, as if its runner had been started for it alone. What Batch sees is the exit
code: 0 when all of the slice has succeeded, 75 when Batch is to try again, 1 otherwise.
"""

from __future__ import annotations

import os
import sys

from . import ends
from .attempt import PROTOCOL, Attempt
from .protocol import Fenced, Platform, Refused, Silent
from .quick import loads, signal
from .standing import Canceled, Standing
from .tree import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, Tree, prctl
from .work import fresh

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from .cli import Options

SUCCEEDED = 0
FAILED = 1
AGAIN = 75
CODES = {"succeeded": SUCCEEDED, "failed": FAILED, "again": AGAIN}
# Batch kills 30 s after its SIGTERM. What is left after the step's share is for its log and its end.
STEP_GRACE_S = 15.0
LAST_MOMENT_S = 27.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)
NEEDED = ("ESTEIRA_URL", "ESTEIRA_STEP_TOKEN", "AWS_BATCH_JOB_ID", "AWS_BATCH_JOB_ATTEMPT")


class Given:
    """What the environment says: where to claim, by which right, and who we are to Batch."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        for name in NEEDED:
            if not environ.get(name):
                raise ValueError(f"{name} is missing in the environment")
        self.server = environ["ESTEIRA_URL"]
        self.token = environ["ESTEIRA_STEP_TOKEN"]
        if not self.token.isascii() or not self.token.isprintable():
            raise ValueError("ESTEIRA_STEP_TOKEN is no usable token")
        self.body: dict[str, Any] = {
            "runner": PROTOCOL,
            "batch_job": environ["AWS_BATCH_JOB_ID"],
            "batch_attempt": int(environ["AWS_BATCH_JOB_ATTEMPT"]),
            "child": int(environ.get("AWS_BATCH_JOB_ARRAY_INDEX") or 0),
        }


class Container:
    def __init__(self, options: Options, given: Given) -> None:
        self._options = options
        self._given = given
        self._standing = Standing()
        self._platform = Platform(options.server, given.token, options.patience_s)
        self._tree = Tree("")
        self._running: int | None = None
        self._claiming = False

    def run(self) -> int:
        # The right to a whole step is in this process's environment; no step may read it there.
        prctl(PR_SET_DUMPABLE, 0)
        self._standing.listen()
        for number in SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGALRM, self._on_last_moment)
        try:
            os.makedirs(self._options.work, mode=0o700, exist_ok=True)
            code, detail = self._slice()
        except Canceled:
            code, detail = AGAIN, "This machine goes away."
        except Refused as refused:
            code, detail = FAILED, str(refused)
        except (Silent, Fenced, OSError) as later:
            code, detail = AGAIN, str(later)
        self._platform.close()
        if code:
            print(f"runner: {detail}", file=sys.stderr)
        return code

    def _slice(self) -> tuple[int, str]:
        done = 0
        while True:
            claim = self._claim(done)
            token, done = claim.get("token"), claim.get("done")
            if not isinstance(token, str) or not isinstance(done, int):
                return CODES.get(str(claim.get("end")), FAILED), str(claim.get("detail") or "Nothing is left to do.")
            # The next claim may be an hour away, and no server keeps a connection that long.
            self._platform.close()
            ended = self._attempt(token)
            self._standing.check()
            if ended in (ends.FENCED, ends.SILENT, None):
                return AGAIN, "An attempt is out of this runner's hands."

    def _claim(self, done: int) -> Any:
        self._claiming = True
        try:
            self._standing.check()
            return self._platform.call("claim", {**self._given.body, "done": done}, self._standing.bell.wait)
        finally:
            self._claiming = False

    def _attempt(self, token: str) -> int | None:
        """How its runner ended; None when it was killed."""
        work = os.path.join(self._options.work, "item")
        fresh(work)
        # A signal that comes before the fork has its own handlers waits until then, also for the fork.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            self._standing.check()
            pid = os.fork()
            if pid == 0:
                self._become(token, work)
            self._running = pid
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        status = _waited_for(pid)
        self._running = None
        # What a runner that was killed has left of its step; usually nothing is there.
        self._tree.kill()
        return _exit_code(os.path.join(work, "exit.json")) if os.WIFEXITED(status) else None

    def _become(self, token: str, work: str) -> None:
        """The fork, which never returns."""
        code = ends.FAULT
        try:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            # It opens files of its own that belong to root otherwise, and then hides itself; no step is there yet.
            prctl(PR_SET_DUMPABLE, 1)
            self._options.work = work
            code = Attempt(self._options, token, Standing(signal_grace_s=STEP_GRACE_S)).run()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _on_signal(self, _number: int, _frame: object) -> None:
        if not self._standing.cancel:
            signal.setitimer(signal.ITIMER_REAL, LAST_MOMENT_S)
        self._standing.cancel = True
        if self._running is not None:
            os.kill(self._running, signal.SIGTERM)
        if self._claiming:
            raise Canceled

    def _on_last_moment(self, _number: int, _frame: object) -> None:
        """Whatever hangs, a network or a disk, Batch shall hear that this was no failure."""
        if self._running is not None:
            os.kill(self._running, signal.SIGKILL)
        os._exit(AGAIN)


def _waited_for(pid: int) -> int:
    """The status of this child. As the first process of a container we are given orphans, too."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return status


def _exit_code(path: str) -> int | None:
    try:
        with open(path, "rb", buffering=0) as file:
            said = loads(file.read())
    except (OSError, ValueError):
        return None
    code = said.get("code") if isinstance(said, dict) else None
    return code if isinstance(code, int) else None
