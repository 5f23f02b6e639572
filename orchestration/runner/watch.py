"""Watches the running step until it has ended: its words, its limits, and whoever wants it to stop."""

from __future__ import annotations

import os
import resource
import select
import time

from .quick import signal
from .tree import proportional_bytes
from .usage import Disk, size_in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .log import Lines, Log
    from .order import Limits
    from .process import Child
    from .report import Reporter
    from .standing import Standing
    from .tree import Process, Tree
    from .work import Folders

FIRST_LOOK_S = 0.02
LOOK_S = 0.25
READ = 64 << 10
READS_AT_ONCE = 16
LAST_READS = 64
DISK_AT_END_S = 2.0
TIME, RESOURCES, CANCEL, OVER = "time", "resources", "cancel", "over"


class Ended:
    """How the step ended. `reason` is why the runner stopped it, None when it ended by itself."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self.sentence = ""
        self.exit_code: int | None = None
        self.signal: int | None = None
        self.full_file = False
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.max_rss_bytes = 0


class Watch:
    def __init__(
        self,
        child: Child,
        tree: Tree,
        limits: Limits,
        standing: Standing,
        reporter: Reporter,
        folders: Folders,
    ) -> None:
        self._child = child
        self._tree = tree
        self._limits = limits
        self._standing = standing
        self._reporter = reporter
        self._disk = Disk(folders.outputs, (folders.scratch, folders.tmp), limits.file_size_bytes)
        self._began = time.monotonic()
        self._ended = Ended()
        self._kill_at: float | None = None
        self._next_look = self._began + FIRST_LOOK_S
        self._look_s = FIRST_LOOK_S
        self._silent = False  # the step has closed its stdout and stderr
        self.own_processes = 0  # of the sandbox, not of the step

    def run(self, log: Log, lines: Lines) -> Ended:
        """Until nothing of the step is left and all of its words are read."""
        poll = select.poll()
        poll.register(self._child.out, select.POLLIN)
        poll.register(self._standing.bell.fd, select.POLLIN)
        while not self._main_ended():
            self._tick()
            for fd, _ in poll.poll(self._timeout_ms()):
                if fd == self._standing.bell.fd:
                    self._standing.bell.quiet()
                    continue
                self._read(log, lines)
                if self._silent:
                    poll.unregister(fd)
        self._ended.wall_s = time.monotonic() - self._began
        if not self._tree.kill():
            log.write(b"[esteira] A process of the step could not be ended: it hangs inside the kernel.\n")
        # All writers are gone, so what is in the pipe is all there will be. The bound is for a stray.
        for _ in range(LAST_READS):
            if not self._read(log, lines):
                break
        os.close(self._child.out)
        lines.close()
        return self._sum_up()

    def _main_ended(self) -> bool:
        self._tree.reap()
        return self._child.pid in self._tree.statuses

    def _timeout_ms(self) -> int:
        until = min(self._next_look, self._kill_at or self._next_look)
        return max(0, int((until - time.monotonic()) * 1000) + 1)

    def _read(self, log: Log, lines: Lines) -> bool:
        """Takes what is in the pipe. False when it is empty for now or for good."""
        for _ in range(READS_AT_ONCE):
            try:
                data = os.read(self._child.out, READ)
            except BlockingIOError:
                return False
            if not data:
                self._silent = True
                return False
            log.write(data)
            lines.feed(data)
        return True

    def _tick(self) -> None:
        standing, now = self._standing, time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self._tree.kill()
        if standing.over is not None:
            self._stop(OVER, "", 0)
        elif standing.cancel:
            self._stop(CANCEL, "", standing.grace_s(self._limits.cancel_grace_s))
        if now < self._next_look:
            return
        self._look_s = min(2 * self._look_s, LOOK_S)
        self._look(now)
        self._next_look = time.monotonic() + self._look_s
        self._reporter.start_when_due()

    def _look(self, now: float) -> None:
        limits = self._limits
        if now - self._began >= limits.wall_s:
            sentence = f"The step ran longer than its limit of {limits.wall_s:g} seconds."
            self._stop(TIME, sentence, limits.stop_grace_s)
        processes = self._own()
        if len(processes) > limits.processes:
            sentence = f"The step had {len(processes)} processes at once; its limit is {limits.processes}."
            self._stop(RESOURCES, sentence, 0)
        self._look_at_memory(processes)
        self._look_at_disk()

    def _own(self) -> list[Process]:
        """Of the step, without what we started around it."""
        return [process for process in self._tree.processes() if process.depth > self.own_processes]

    def _look_at_memory(self, processes: list[Process]) -> None:
        used, limit = sum(process.rss for process in processes), self._limits.memory_bytes
        if used > limit:
            used = proportional_bytes(processes)
        if used > limit:
            # While processes end, the same pages are counted for one after the other: only what lasts is too much.
            used = min(used, proportional_bytes(self._own()))
        self._standing.memory_bytes = used
        self._ended.max_rss_bytes = max(self._ended.max_rss_bytes, used)
        if used > limit:
            sentence = f"The step used {size_in_words(used)} of {size_in_words(limit)} memory and was stopped."
            self._stop(RESOURCES, sentence, 0)

    def _look_at_disk(self) -> None:
        disk, limits = self._disk, self._limits
        disk.advance()
        for used, limit, what in (
            (disk.outputs_bytes, limits.output_bytes, "outputs take"),
            (disk.bytes, limits.disk_bytes, "files take"),
        ):
            if used > limit:
                sentence = f"The step's {what} {size_in_words(used)}; the limit is {size_in_words(limit)}."
                self._stop(RESOURCES, sentence, 0)

    def _stop(self, reason: str, sentence: str, grace_s: float) -> None:
        """The first reason counts; a later one can only make the end come sooner."""
        now = time.monotonic()
        ended = self._ended
        if ended.reason is None:
            ended.reason, ended.sentence = reason, sentence
            self._kill_at = now + grace_s
            if grace_s:
                self._tree.terminate(self.own_processes)
        elif self._kill_at is not None:
            self._kill_at = min(self._kill_at, now + grace_s)
        if not grace_s:
            self._kill_at = None
            self._tree.kill()

    def _sum_up(self) -> Ended:
        ended = self._ended
        status = self._tree.statuses[self._child.pid]
        if os.WIFSIGNALED(status):
            ended.signal = os.WTERMSIG(status)
        else:
            code = os.WEXITSTATUS(status)
            if self.own_processes and signal.SIGHUP <= code - 128 < signal.NSIG:
                ended.signal = code - 128  # bwrap tells like a shell how its child ended
            else:
                ended.exit_code = code
        if ended.reason is None and ended.exit_code != 0:
            self._disk.finish(DISK_AT_END_S)
            ended.full_file = self._disk.full_file
        # Also of the processes that ended as orphans. The sandbox's probe is in it, some milliseconds.
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        ended.cpu_s = children.ru_utime + children.ru_stime
        ended.max_rss_bytes = max(ended.max_rss_bytes, children.ru_maxrss * 1024)
        return ended
