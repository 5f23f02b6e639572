"""The local engine for scenarios: the real supervisor in a thread of this process, with real runners."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import psycopg
from django.conf import settings
from django.db import OperationalError, connections

from orchestration.engines.base import AttemptReport
from orchestration.engines.local import supervisor as engine
from orchestration.engines.local.supervisor import Platform, Supervisor
from orchestration.execution.record import record
from orchestration.execution.sweep import advance_stalled
from orchestration.models import Attempt, Job
from orchestration.runner.build import build
from orchestration.services.runner import issue_token
from orchestration.states import ATTEMPT_FINISHED, AttemptState
from tests.orchestration.test_follow import address

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

POLL_S = 0.1


class Steered(Supervisor):
    """Whose rounds end when they are told to, and which may be told to take nothing."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform)
        self.is_held = False
        self.children: list[subprocess.Popen[bytes]] = []

    def rounds(self, stop: threading.Event) -> None:
        """As `run` does, without the signals, which belong to the main thread of a process."""
        while not stop.is_set():
            try:
                self._round()
            except (OperationalError, psycopg.OperationalError):
                self._start_over()
        self._drop_listener()
        connections.close_all()

    def _lease_and_start(self) -> bool:
        return False if self.is_held else super()._lease_and_start()

    def _watch_process(self, attempt_id: Any, fence: int, pid: int, **fields: Any) -> bool:
        if fields.get("child"):
            self.children.append(fields["child"])
        return super()._watch_process(attempt_id, fence, pid, **fields)


class LocalWorld:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._is_held = False
        self._begin()

    def _begin(self) -> None:
        self._stop = threading.Event()
        self.supervisor = Steered(self._platform)
        self.supervisor.is_held = self._is_held
        self._thread = threading.Thread(target=self.supervisor.rounds, args=(self._stop,), name="supervisor")
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        for process in list(self.supervisor._running.values()):
            process.kill()
            process.close()

    def hold(self, *, is_held: bool) -> None:
        self._is_held = self.supervisor.is_held = is_held

    def complain(self, reason: str) -> int:
        """It has nothing to say: what fits into the machine starts."""
        raise AssertionError(f"the local engine does not say {reason}")

    def kill_host(self, job: Job, step: str) -> int:
        live = set(Attempt.objects.live().filter(job=job, step=step).values_list("pk", flat=True))
        hit = [process for process in list(self.supervisor._running.values()) if process.attempt_id in live]
        for process in hit:
            process.kill()
        return len(hit)

    def kill_container(self, job: Job, step: str) -> int:
        """There are none: a runner has one attempt."""
        raise AssertionError(f"no container of {step} of {job} is here")

    def restart(self, *, meanwhile: Callable[[], object]) -> None:
        """Nothing is put in order: what the old one watched the new one must find."""
        self._stop.set()
        self._thread.join()
        old = self.supervisor
        meanwhile()
        self._begin()
        self._reap(old)

    def _reap(self, old: Steered) -> None:
        """Children of a supervisor that died are init's; here they are still this process's."""
        for child in old.children:
            threading.Thread(target=child.wait, daemon=True).start()

    def listen(self) -> None:
        """Nothing: runners report, and the supervisor sees for itself which of them have ended."""

    def set_news(self, *, times: int) -> None:
        """As above."""

    def tell_again(self, job: Job) -> None:
        """What a supervisor might say late of each attempt: it ended so, it was lost."""
        for attempt in Attempt.objects.filter(job=job, state__in=ATTEMPT_FINISHED).order_by("-id"):
            for state in (AttemptState(attempt.state), AttemptState.FAILED):
                kind = "INTERRUPTED" if state == AttemptState.FAILED else attempt.failure_kind
                record(AttemptReport(attempt.pk, state, fence=attempt.fence, failure_kind=kind, detail="Late."))

    def leftover(self, job: Job) -> int:
        mine = set(Attempt.objects.filter(job=job).values_list("pk", flat=True))
        return sum(process.attempt_id in mine for process in list(self.supervisor._running.values()))


@contextmanager
def local_world(folder: Path, server: str) -> Iterator[LocalWorld]:
    platform = Platform(
        record=record,
        advance_stalled=advance_stalled,
        issue_token=issue_token,
        database_url=address(),
        server=server,
        runner=build(folder / "runner.pyz"),
        home=settings.ESTEIRA_HOME,
    )
    with mock.patch.object(engine, "POLL_S", POLL_S):
        made = LocalWorld(platform)
        try:
            yield made
        finally:
            made.close()
