"""A worker ends within its grace, whatever its tasks are at, and gives back what it can."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest
from django.utils import timezone

from orchestration import going
from orchestration.execution.retention import purge_files
from orchestration.models import File
from tests.asgi.server import ROOT, environment
from tests.factories import join, make_file, make_user, make_workspace
from tests.live.platform import free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# With a task that no end reaches: what hangs in a library does so, too.
STUCK: Final = """\
import sys, time
from project.celery import app

@app.task(name="stuck")
def stuck():
    print("begun", file=sys.__stdout__, flush=True)  # the other is a log
    time.sleep(600)

stuck.delay()
app.start(sys.argv[1:])
"""


def test_task_that_does_not_end_holds_the_worker_for_its_grace_and_no_longer(tmp_path: Path) -> None:
    words = ["worker", "--pool", "threads", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    env = environment(free_port(), tmp_path) | {"ESTEIRA_GRACE_S": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, *words],
        env=env,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as worker:
        assert worker.stdout is not None
        try:
            assert any(line == "begun\n" for line in worker.stdout)
            worker.send_signal(signal.SIGTERM)
            said = worker.communicate(timeout=30)[1]
        finally:
            worker.kill()
    assert worker.returncode == os.EX_TEMPFAIL, said
    (event,) = [json.loads(line) for line in said.splitlines() if "worker ends before its tasks" in line]
    assert event["tasks"] == ["stuck"]


def test_what_is_left_of_a_sweep_is_found_by_whoever_comes_next() -> None:
    user, workspace = make_user(), make_workspace()
    join(user, workspace)
    long_ago = timezone.now() - timedelta(days=60)
    for name in ("a", "b"):
        make_file(workspace, user, name, deleted_at=long_ago, expires_at=long_ago)
    going.tell()
    try:
        assert purge_files() == 0
    finally:
        going.tell(to_end=False)
    assert File.objects.exclude(key="").count() == 2
    assert purge_files() == 2
