"""Runs attempts on this machine and never loses one: leases, starts, watches, re-adopts.

One loop in one thread. Truth is the rows; a NOTIFY wakes the loop early, a poll every second makes sure. Killed
at any line, the next supervisor finds every attempt it had by its lease and goes on.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import select
import signal
import socket
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import psycopg
from django.db import OperationalError, close_old_connections

from orchestration import tracing
from orchestration.engines.base import AttemptReport
from orchestration.engines.leasing import lost_report
from orchestration.engines.local import leases, processes
from orchestration.engines.local.adapter import limits
from orchestration.models.traced import attempt_place
from orchestration.points import point
from orchestration.states import AttemptState, FailureKind
from orchestration.wake import ENGINE_CHANNEL

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path
    from uuid import UUID

    from orchestration.models import Attempt

log = logging.getLogger(__name__)

POLL_S: Final = 1.0
RENEW_S: Final = 5.0
STALLED_S: Final = 2.0
# After a cancel the runner grants the step 5 s; what still runs after this is killed from outside.
KILL_AFTER_S: Final = 7.0
NO_ROOM_WAIT: Final = timedelta(seconds=10)
# What PostgreSQL's text cannot hold.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Platform:
    """What the supervisor needs from the layers above it."""

    record: Callable[[AttemptReport], bool]
    advance_stalled: Callable[[], int]
    issue_token: Callable[[UUID, int], str]
    database_url: str
    server: str
    runner: Path
    home: Path


class Supervisor:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._work = platform.home / "work"
        place = hashlib.sha256(str(platform.home).encode()).hexdigest()[:12]
        self.name = f"{socket.gethostname()}:{place}"
        self._running: dict[int, processes.Process] = {}
        self._poller = select.poll()
        self._listener: psycopg.Connection | None = None
        self._listens_on = -1
        self._adopted = False
        self._limits = limits()
        self._renewed = self._looked = 0.0
        self._stop = False
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poller.register(self._wake_r, select.POLLIN)

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then stop what runs, so that nothing is left behind."""
        self._only_one()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        while not self._stop:
            try:
                self._round()
            except (OperationalError, psycopg.OperationalError) as exc:
                log.warning("database away", extra={"error": str(exc)})
                self._start_over()
            except Exception:
                # The steps that run must not lose their supervisor over one bad row or a full disk; nobody above
                # could do better than to start over, which is what happens here, without letting go of them.
                log.exception("round failed")
                self._start_over()
        self._stop_all()

    def _round(self) -> None:
        if not self._adopted:
            self._adopt()
            self._adopted = True
        self._tick()
        self._wait()

    def _start_over(self) -> None:
        """After an error some attempts may be leased and not started: the next round looks for them."""
        self._adopted = False
        self._drop_listener()
        close_old_connections()
        time.sleep(0.5)

    def _on_signal(self, *_: object) -> None:
        self._stop = True

    def _only_one(self) -> None:
        """Two supervisors for one folder would each think the other's attempts theirs."""
        self._platform.home.mkdir(parents=True, exist_ok=True)
        self._lock = (self._platform.home / "engine.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"Another local engine already runs for {self._platform.home}.") from None

    def _adopt(self) -> None:
        """What was leased in our name and is not watched: take it over, or say that it is lost."""
        ours = {(process.attempt_id, process.fence) for process in self._running.values()}
        for attempt in leases.mine(self.name):
            if (attempt.pk, attempt.fence) in ours:
                continue
            pid = processes.find(attempt.pk, attempt.fence, attempt.pid, attempt.pid_started)
            if pid is not None and self._watch(attempt, pid):
                log.info("adopted", extra={"attempt_id": str(attempt.pk), "pid": pid})
                continue
            self._gone(attempt)
        self._clear_work()

    def _clear_work(self) -> None:
        """Folders of attempts that reported their end while no supervisor was there to clear up after them."""
        ours = {process.work for process in self._running.values()}
        for work, attempt_id, fence in processes.work_folders(self._work):
            if work in ours:
                continue
            pid = processes.find(attempt_id, fence, None, "")
            if pid is None or not self._watch_process(attempt_id, fence, pid):
                processes.kill_leftovers(attempt_id)
                processes.remove_work(work)

    def _watch(self, attempt: Attempt, pid: int, child: subprocess.Popen[bytes] | None = None) -> bool:
        return self._watch_process(
            attempt.pk, attempt.fence, pid, vcpu=attempt.vcpu, memory_bytes=attempt.memory_bytes, child=child
        )

    def _watch_process(self, attempt_id: UUID, fence: int, pid: int, **fields: Any) -> bool:
        """False: it is gone already."""
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        work = processes.work_folder(self._work, attempt_id, fence)
        self._running[pidfd] = processes.Process(attempt_id, fence, work, pid, pidfd, **fields)
        self._poller.register(pidfd, select.POLLIN)
        return True

    def _gone(self, attempt: Attempt) -> None:
        """A leased attempt without a process."""
        processes.kill_leftovers(attempt.pk)
        processes.remove_work(processes.work_folder(self._work, attempt.pk, attempt.fence))
        if attempt.state == AttemptState.STARTING and leases.give_back(attempt):
            return
        self._platform.record(lost_report(attempt.pk, attempt.fence))

    def _tick(self) -> None:
        self._listen()
        now = time.monotonic()
        if now - self._renewed >= RENEW_S:
            leases.renew(self.name, [p.attempt_id for p in self._running.values()])
            for attempt_id, fence in leases.expired():
                self._platform.record(lost_report(attempt_id, fence, only_if_expired=True))
            self._renewed = now
        if now - self._looked >= STALLED_S:
            self._platform.advance_stalled()
            self._looked = now
        self._stop_canceled()
        while self._lease_and_start():
            pass
        close_old_connections()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = psycopg.connect(self._platform.database_url, autocommit=True)
            self._listener.execute(f"LISTEN {ENGINE_CHANNEL}")
            self._listens_on = self._listener.fileno()
            self._poller.register(self._listens_on, select.POLLIN)
        for _ in self._listener.notifies(timeout=0):
            pass

    def _drop_listener(self) -> None:
        if self._listener is None:
            return
        # A lost connection no longer knows its own descriptor.
        with suppress(KeyError, ValueError):
            self._poller.unregister(self._listens_on)
        self._listener.close()
        self._listener, self._listens_on = None, -1

    def _lease_and_start(self) -> bool:
        """Whether there may be more to take at once."""
        vcpus = self._limits[0] - sum(p.vcpu for p in self._running.values())
        memory = self._limits[1] - sum(p.memory_bytes for p in self._running.values())
        if vcpus <= 0 or memory <= 0:
            return False
        taken = leases.take(self.name, vcpus=vcpus, memory_bytes=memory, limits=self._limits)
        for attempt in taken:
            self._start(attempt)
        return bool(taken)

    def _start(self, attempt: Attempt) -> None:
        point("engine.leased")
        work = processes.work_folder(self._work, attempt.pk, attempt.fence)
        token = self._platform.issue_token(attempt.pk, attempt.fence)
        try:
            place = attempt_place(attempt)
            with tracing.span("start of the runner", under=place) if place else nullcontext():
                child = processes.start(
                    runner=self._platform.runner, server=self._platform.server, work=work, token=token
                )
        except OSError as exc:
            # No room for a folder or a process: it may be there later.
            log.warning("runner not started", extra={"attempt_id": str(attempt.pk), "error": str(exc)})
            processes.remove_work(work)
            leases.give_back(attempt, wait=NO_ROOM_WAIT)
            return
        point("engine.started")
        started = processes.started_at(child.pid)
        self._watch(attempt, child.pid, child)
        leases.note_process(attempt.pk, attempt.fence, child.pid, started)

    def _stop_canceled(self) -> None:
        if not self._running:
            return
        canceled = leases.canceling([p.attempt_id for p in self._running.values()])
        for process in self._running.values():
            if process.attempt_id in canceled:
                process.ask_to_stop()
            if process.stopping_since and time.monotonic() - process.stopping_since > KILL_AFTER_S:
                process.kill()

    def _wait(self) -> None:
        """Sleep until a hint, the end of a runner, a signal, or the next poll."""
        for fd, _ in self._poller.poll(POLL_S * 1000):
            if fd == self._wake_r:
                os.read(self._wake_r, 512)
            elif fd in self._running:
                self._ended(fd)

    def _ended(self, pidfd: int) -> None:
        """A runner is gone. It has reported; or its exit file, or its silence, speaks for it."""
        process = self._running[pidfd]
        # If the database is away this raises, and the pidfd stays readable: the next round comes back to it.
        attempt = leases.still_live(process.attempt_id, process.fence)
        if attempt is not None:
            self._platform.record(self._unreported(process, attempt))
        self._poller.unregister(pidfd)
        del self._running[pidfd]
        process.close()

    def _unreported(self, process: processes.Process, attempt: Attempt) -> AttemptReport:
        said = process.exit_report()
        if attempt.job.cancel_requested_at is not None:
            return AttemptReport(attempt_id=attempt.pk, fence=process.fence, state=AttemptState.CANCELED)
        if said.get("detail"):
            return AttemptReport(
                attempt_id=attempt.pk,
                fence=process.fence,
                state=AttemptState.FAILED,
                failure_kind=FailureKind.PLATFORM,
                detail=_UNSTORABLE.sub("\ufffd", str(said["detail"])),
            )
        return lost_report(attempt.pk, attempt.fence)

    def _stop_all(self) -> None:
        """An orderly stop: runners end their steps and report; the attempts are tried again at the next start."""
        self._drop_listener()
        for process in self._running.values():
            process.ask_to_stop()
        self._wait_for_all(KILL_AFTER_S)
        for process in self._running.values():
            process.kill()
        self._wait_for_all(2.0)

    def _wait_for_all(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._running and time.monotonic() < deadline:
            try:
                self._wait()
            except (OperationalError, psycopg.OperationalError):
                time.sleep(0.2)  # their ends are found by the next supervisor
