"""The supervisor's loop under faults, round by round; whole processes are killed in tests/live and tests/crash."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError, connection

from orchestration.engines.local import leases, processes
from orchestration.engines.local.supervisor import Platform, Supervisor
from orchestration.execution.dispatch import dispatch
from orchestration.execution.record import record
from orchestration.execution.sweep import advance_stalled
from orchestration.models import Attempt, User, Workspace
from orchestration.services.runner import issue_token
from tests.factories import make_file, publish_pipeline
from tests.orchestration.play import submitted
from tests.orchestration.test_follow import address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """With sleeping processes in the place of runners, and no pause after an error."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**_: Any) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[-1]

    monkeypatch.setattr(processes, "start", start)
    monkeypatch.setattr("orchestration.engines.local.supervisor.time.sleep", lambda _: None)
    monkeypatch.setattr("orchestration.engines.local.supervisor.POLL_S", 0.01)
    monkeypatch.setattr("orchestration.engines.local.supervisor.close_old_connections", lambda: None)
    platform = Platform(
        record=record,
        advance_stalled=advance_stalled,
        issue_token=issue_token,
        database_url=address(),
        server="http://127.0.0.1:1",
        runner=tmp_path / "runner.pyz",
        home=tmp_path,
    )
    supervisor = Supervisor(platform)
    yield supervisor
    supervisor._drop_listener()
    for process in list(supervisor._running.values()):
        process.kill()
        process.close()
    for child in started:
        child.kill()
        child.wait()


def queued(owner: User, lab: Workspace, number: int) -> None:
    version, file = publish_pipeline(), make_file(lab, owner)
    for _ in range(number):
        submitted(owner, version, (file,))
    dispatch()


def states() -> list[str]:
    return list(Attempt.objects.order_by("id").values_list("state", flat=True))


def test_database_gone_in_the_middle_of_starting_loses_no_attempt(
    supervisor: Supervisor, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(owner, lab, 3)
    real, calls = leases.note_process, []

    def once(*words: Any) -> None:
        calls.append(words)
        if len(calls) == 1:
            raise OperationalError("gone")
        real(*words)

    monkeypatch.setattr(leases, "note_process", once)
    with pytest.raises(OperationalError):
        supervisor._round()
    assert states() == ["STARTING"] * 3
    assert len(supervisor._running) == 1

    supervisor._start_over()
    supervisor._round()
    supervisor._round()
    assert states() == ["STARTING"] * 3
    assert len(supervisor._running) == 3, "those that were leased and not started were given back and started"
    assert not Attempt.objects.filter(failure_kind="INTERRUPTED").exists()


def test_no_room_for_a_process_gives_the_attempt_back(
    supervisor: Supervisor, owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(owner, lab, 1)

    def full(**_: Any) -> subprocess.Popen[bytes]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(processes, "start", full)
    supervisor._round()
    (attempt,) = Attempt.objects.all()
    assert attempt.state == "QUEUED"
    assert attempt.available_at > attempt.created_at, "not again at once"
    assert not supervisor._running


def test_lost_listener_is_replaced(supervisor: Supervisor, owner: User, lab: Workspace) -> None:
    supervisor._round()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND query LIKE 'LISTEN%%' AND pid <> pg_backend_pid()"
        )
    for _ in range(3):
        try:
            supervisor._round()
        except Exception:  # noqa: BLE001  as `run` does
            supervisor._start_over()
    queued(owner, lab, 1)
    supervisor._round()
    assert states() == ["STARTING"]


def test_adopting_twice_watches_once(supervisor: Supervisor, owner: User, lab: Workspace) -> None:
    queued(owner, lab, 1)
    supervisor._round()
    supervisor._start_over()
    supervisor._round()
    assert len(supervisor._running) == 1
    assert states() == ["STARTING"]
