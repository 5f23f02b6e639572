"""Processes that serve nothing show that they go round by a file that they touch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from celery import Celery
from celery.signals import worker_ready
from django.conf import settings

from project import pulse
from project.clock import Clock
from project.management.commands.consume_events import consume

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ESTEIRA_PULSE", str(tmp_path / "pulse"))
    return tmp_path / "pulse"


def _asked(file: Path) -> int:
    command = [sys.executable, "-m", "project.pulse", "60"]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env={"ESTEIRA_PULSE": str(file)}, stderr=subprocess.DEVNULL, check=False
    ).returncode


def test_probe_passes_only_while_the_last_beat_is_young(file: Path) -> None:
    assert _asked(file) == 1, "never"
    pulse.beat()
    assert _asked(file) == 0
    long_ago = time.time() - 61
    os.utime(file, (long_ago, long_ago))
    assert _asked(file) == 1


def test_nothing_is_touched_where_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ESTEIRA_PULSE", raising=False)
    monkeypatch.chdir(tmp_path)
    pulse.beat()
    assert not list(tmp_path.iterdir())


def test_worker_beats_from_when_it_takes_messages(file: Path) -> None:
    again: list[tuple[float, Callable[[], None]]] = []
    timer = SimpleNamespace(call_repeatedly=lambda every_s, what: again.append((every_s, what)))
    consumer = type("Consumer", (), {"timer": timer})()
    worker_ready.send(sender=consumer)
    assert file.exists()
    assert again == [(pulse.EVERY_S, pulse.beat)]


def test_clock_beats_each_time_it_looks_at_its_schedule(file: Path, tmp_path: Path) -> None:
    assert settings.CELERY["beat_scheduler"] == f"{Clock.__module__}.{Clock.__qualname__}"
    app = Celery("empty", broker="memory://")
    clock = Clock(app=app, schedule_filename=str(tmp_path / "schedule"))
    file.unlink(missing_ok=True)
    clock.tick()
    assert file.exists()
    clock.close()


def test_consumer_beats_also_while_its_queue_is_away(file: Path) -> None:
    stop = threading.Event()

    class Away:
        def receive(self, **_: Any) -> list[Any]:
            from orchestration.errors import QueueUnavailable

            stop.set()
            raise QueueUnavailable

    consume(Away(), stop)  # type: ignore[arg-type]  # only what is asked
    assert file.exists()
