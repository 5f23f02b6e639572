"""One attempt from the token to the exit file: asks for work, does it, hands over, reports."""

from __future__ import annotations

import os

from . import ends
from .ends import Result
from .log import Lines, Log
from .order import CONTAINER, Order, PlatformFault
from .process import NotStarted, OomScore, Start, resolve, start
from .protocol import Again, Backoff, Fenced, Platform, Refused, Silent
from .quick import dumps
from .report import Phase, Reporter, send_log
from .standing import Canceled, Standing
from .tree import PR_SET_DUMPABLE, Tree, prctl
from .watch import Watch
from .work import Fetch, Folders, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .cli import Options
    from .watch import Ended

PATH = "/usr/local/bin:/usr/bin:/bin"
PROTOCOL = "1"
# Of a container's environment: whoever started it has said these.
NOT_THE_IMAGES = ("ESTEIRA_", "AWS_", "ECS_")
# After a cancel without a work order there is little to report, and somebody is waiting.
SHORT_PATIENCE_S = 10.0


class Attempt:
    def __init__(self, options: Options, token: str, standing: Standing | None = None) -> None:
        self._options = options
        self._standing = standing or Standing()
        self._folders = Folders(options.work)
        self._platform = Platform(options.server, token, options.patience_s)
        self._result: Result | None = None
        self._log: Log | None = None
        self._reporter: Reporter | None = None
        self._phases: list[dict[str, Any]] | None = None

    def run(self) -> int:
        """Returns the runner's exit code; the exit file has been written."""
        # Nobody but root may read the token out of this process's memory, the step least of all.
        self._oom = OomScore()
        prctl(PR_SET_DUMPABLE, 0)
        self._standing.listen()
        self._folders.forget_exit()
        try:
            code, detail = self._run()
        except Fenced as fenced:
            code, detail = ends.FENCED, str(fenced)
        except Refused as refused:
            code, detail = ends.REFUSED, str(refused)
        except Silent as silent:
            code, detail = ends.SILENT, str(silent)
        self._platform.close()
        self._folders.unseal()
        self._write_exit(code, detail)
        return code

    def _run(self) -> tuple[int, str]:
        try:
            result = self._perform()
        except PlatformFault as fault:
            result = Result("failed", "PLATFORM", str(fault))
        except (Fenced, Refused, Silent):
            raise
        except Canceled:
            result = Result("canceled")
        except Exception as fault:  # noqa: BLE001 - it is reported, and told to whoever started us
            self._standing.over = None
            result = Result("failed", "PLATFORM", f"A fault of the runner: {type(fault).__name__}: {fault}")
            self._report(result)
            _complain(fault)
            return ends.FAULT, result.detail
        self._report(result)
        return ends.REPORTED, result.detail

    def _perform(self) -> Result:
        order = self._ask()
        self._folders.make()
        self._log = log = Log(self._folders.log, order.limits.log_bytes)
        self._reporter = reporter = Reporter(self._platform, log, self._standing, order.heartbeat_s)
        self._standing.on_alive = reporter.start_when_due
        self._standing.alive()
        bwrap = self._walls(order)
        with self._phase("inputs"):
            self._fetch(order, may_link=bwrap is not None)
        tree = Tree(order.attempt_id)
        try:
            with self._phase("command"):
                ended, lines = self._execute(order, tree, bwrap)
        except NotStarted as wrong:
            return Result("failed", "USER_CODE", str(wrong))
        finally:
            tree.kill()
        self._standing.memory_bytes = 0
        if self._standing.over is not None:
            raise self._standing.over
        result = ends.judge(ended, lines.error, log.last_line())
        if result.outcome == "succeeded":
            with self._phase("outputs"):
                self._hand_over(order, result)
        return result

    def _phase(self, name: str) -> Phase:
        return Phase(name, self._phases)

    def _ask(self) -> Order:
        body = {"runner": PROTOCOL, "host": os.uname().nodename, "pid": os.getpid()}
        order = Order(self._platform.call("start", body, self._pause_before_start))
        self._platform.patience_s = order.patience_s
        if order.traceparent and self._phases is None:
            self._phases = []
        if order.cancel:
            self._standing.cancel = self._standing.canceled = True
        return order

    def _renew(self, order: Order) -> None:
        """New URLs for the same files. Asked again, the platform says the same order."""
        again = self._ask()
        if order.code is not None and again.code is not None:
            order.code.url = again.code.url
        urls = {source.path: source.url for source in again.inputs}
        for source in order.inputs:
            source.url = urls.get(source.path, source.url)

    def _pause_before_start(self, seconds: float) -> None:
        self._standing.pause(seconds)
        if self._standing.cancel:
            self._platform.patience_s = SHORT_PATIENCE_S
            raise Canceled

    def _walls(self, order: Order) -> str | None:
        """The sandbox's program when there is one to be used."""
        note = "isolation: plain subprocess, for trusted code only"
        if order.isolation == CONTAINER:
            note = "isolation: the step's own container"
        elif order.isolation != "none":
            from . import sandbox  # noqa: PLC0415

            bwrap = sandbox.find()
            if bwrap is not None and sandbox.works(bwrap, self._options.probe_cache):
                return bwrap
            if order.isolation == "bubblewrap":
                raise PlatformFault("This step needs bubblewrap, which does not work on this machine.")
        if self._log is not None:
            self._log.note(note)
        return None

    def _fetch(self, order: Order, *, may_link: bool) -> None:
        folders = self._folders
        fetch = Fetch(self._standing, order.patience_s, may_link=may_link, renew=lambda: self._renew(order))
        try:
            if order.code is not None:
                from .bundle import unpack  # noqa: PLC0415

                unpack(fetch.bytes(order.code, os.path.join(folders.root, "code.zip")), folders.code)
            fetch.inputs(order, folders)
            folders.seal(folders.inputs)
            folders.seal(folders.code)
        except OSError as wrong:
            raise PlatformFault(f"The attempt's folder cannot be filled: {wrong}.") from wrong

    def _execute(self, order: Order, tree: Tree, bwrap: str | None) -> tuple[Ended, Lines]:
        what = self._command(order)
        if bwrap is not None:
            from . import sandbox  # noqa: PLC0415

            what = sandbox.wrap(bwrap, what, order, self._folders)
        if self._log is None or self._reporter is None:
            raise RuntimeError("no log")
        # A fork copies one thread only, and whatever the other one had locked stays locked in the child.
        self._reporter.stop()
        self._standing.check()
        child = start(what, self._oom)
        for fd in what.keep:
            os.close(fd)
        watch = Watch(child, tree, order.limits, self._standing, self._reporter, self._folders)
        if bwrap is not None:
            from .sandbox import OWN_PROCESSES  # noqa: PLC0415

            watch.own_processes = OWN_PROCESSES
        lines = Lines(self._standing)
        return watch.run(self._log, lines), lines

    def _command(self, order: Order) -> Start:
        env = self._environment(order)
        command = order.command[0]
        if command == "python" and order.python is not None:
            path = order.python
            if not os.access(path, os.X_OK):
                raise PlatformFault("The platform's Python is not there.")
        else:
            path = resolve(command, env["PATH"], self._folders.scratch)
        what = Start(path, order.command, env, self._folders.scratch)
        what.file_size_bytes = order.limits.file_size_bytes
        return what

    def _environment(self, order: Order) -> dict[str, str]:
        folders = self._folders
        own = self._image(order)
        env = {
            **own,
            **order.env,
            "ESTEIRA_INPUTS": folders.inputs,
            "ESTEIRA_PARAMS": folders.params,
            "ESTEIRA_OUTPUTS": folders.outputs,
            "ESTEIRA_ITEM": str(order.item),
            "ESTEIRA_ATTEMPT_ID": order.attempt_id,
            "PATH": f"{os.path.dirname(order.python)}:{PATH}" if order.python else own.get("PATH", PATH),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "HOME": folders.scratch,
            "TMPDIR": folders.scratch,
        }
        if order.traceparent:
            env["TRACEPARENT"] = order.traceparent
        if order.code is not None:
            env["PYTHONPATH"] = folders.code
        return env

    @staticmethod
    def _image(order: Order) -> dict[str, str]:
        """What the step's own image says to its programs, without what this container was told about us and AWS."""
        if order.isolation != CONTAINER or order.python is not None:
            return {}
        return {name: value for name, value in os.environ.items() if not name.startswith(NOT_THE_IMAGES)}

    def _hand_over(self, order: Order, result: Result) -> None:
        """Turns `result` into a failure when the outputs are unfit."""
        folder = self._folders.outputs
        if os.path.isdir(folder) and not os.listdir(folder):
            return
        from .outputs import Handover, Unfit, collect  # noqa: PLC0415

        try:
            outputs = collect(folder, order.limits, self._standing)
            Handover(self._platform, self._standing).all(outputs)
        except Unfit as unfit:
            result.outcome, result.failure_kind, result.detail = "failed", unfit.failure_kind, str(unfit)
        except PlatformFault as fault:
            result.outcome, result.failure_kind, result.detail = "failed", "PLATFORM", str(fault)
        except Canceled:
            result.outcome = "canceled"
        else:
            result.outputs = [output.result() for output in outputs]

    def _report(self, result: Result) -> None:
        """Log first, so that nobody sees a finished attempt with half a log."""
        self._result = result
        standing = self._standing
        standing.on_alive = None
        if self._reporter is not None:
            self._reporter.stop()
        if self._log is not None:
            self._flush(self._log)
        told = {"phases": self._phases} if self._phases else {}
        self._platform.call("finish", {**result.body(), **told}, standing.pause)

    def _flush(self, log: Log) -> None:
        backoff = Backoff(self._platform.patience_s)
        while log.sent < log.size:
            try:
                send_log(self._platform, log)
                backoff.worked()
            except Again as reason:
                self._standing.pause(backoff.again(reason))

    def _write_exit(self, code: int, detail: str) -> None:
        result = self._result
        content: dict[str, Any] = {
            "code": code,
            "outcome": result.outcome if result else "failed",
            "reported": code in (ends.REPORTED, ends.FAULT),
            "detail": detail,
            "failure_kind": "PLATFORM" if code in (ends.REFUSED, ends.SILENT) else result and result.failure_kind,
        }
        replace(self._folders.exit, dumps(content))


def _complain(fault: Exception) -> None:
    import sys  # noqa: PLC0415
    import traceback  # noqa: PLC0415

    traceback.print_exception(type(fault), fault, fault.__traceback__, file=sys.stderr)
