"""A real job in containers that were started without an attempt, as on AWS Batch: the real runner and web process.

No local engine runs here, so every attempt is claimed. What Batch does is played: an array of children, a second
attempt after exit code 75, SIGTERM from a machine that goes away, SIGKILL from one that went.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from django.test import override_settings

from orchestration.engines.step_tokens import StepRight, issue_step_token
from orchestration.runner.build import build
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.slow]

FAN_OUT = """\
pipeline: {name}
version: 1.0.0
title: Count the lines of each file and add them up
steps:
  - name: count
    for_each: input
    retry: {{attempts: 3, on: [interrupted], backoff: 1s}}
    command:
      - python
      - -c
      - |
        {extra}
        import json, os, pathlib
        inputs = pathlib.Path(os.environ["ESTEIRA_INPUTS"])
        name = json.loads((inputs / "index.json").read_text())["files"][0]["path"]
        lines = len((inputs / name).read_bytes().splitlines())
        pathlib.Path(os.environ["ESTEIRA_OUTPUTS"], "lines.txt").write_text(str(lines))
        print("counted", lines, flush=True)
  - name: total
    needs: [count]
    command:
      - python
      - -c
      - |
        import os, pathlib
        found = pathlib.Path(os.environ["ESTEIRA_INPUTS"]).glob("count/*/lines.txt")
        total = sum(int(path.read_text()) for path in found)
        pathlib.Path(os.environ["ESTEIRA_OUTPUTS"], "total.txt").write_text(str(total))
"""
SLOW_AT_FIRST = (
    "import os, pathlib, time; mark = pathlib.Path('{folder}', os.environ['ESTEIRA_ITEM']); first = not mark.exists(); "
    "mark.touch(); first and time.sleep(60)"
)


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with running(with_engine=False) as platform:
        yield platform


class Batch:
    """Starts containers for a job's steps, as the state machine's Batch jobs would."""

    def __init__(self, platform: Platform, job_id: str, pyz: Path, folder: Path) -> None:
        self._platform, self._pyz, self._folder = platform, pyz, folder
        ((self._run, self._queued_at),) = platform.sql(
            "SELECT run, queued_at FROM orchestration_job WHERE id = %s", job_id
        )
        self._job_id = UUID(job_id)

    def start(self, step: str, child: int = 0, *, attempt: int = 1, per_child: int = 1) -> subprocess.Popen[str]:
        right = StepRight(self._job_id, self._run, step, per_child, self._queued_at + timedelta(days=1))
        return subprocess.Popen(
            [sys.executable, "-I", "-S", str(self._pyz), "--claim", "--work",
             str(self._folder / f"{step}-{child}-{attempt}")],
            env={
                "ESTEIRA_URL": self._platform.url,
                "ESTEIRA_STEP_TOKEN": signed(right),
                "AWS_BATCH_JOB_ID": f"{self._job_id}-{step}:{child}",
                "AWS_BATCH_JOB_ATTEMPT": str(attempt),
                "AWS_BATCH_JOB_ARRAY_INDEX": str(child),
            },
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def array(self, step: str, children: int, **options: int) -> list[int]:
        """All children at once; their exit codes."""
        started = [self.start(step, child, **options) for child in range(children)]
        return [ended(container) for container in started]


def signed(right: StepRight) -> str:
    """By the key of the platform, which is not this process's."""
    with override_settings(SECRET_KEY="only-for-tests-" + "1" * 32):
        return issue_step_token(right)


def ended(container: subprocess.Popen[str], seconds: float = 60) -> int:
    container.communicate(timeout=seconds)
    return container.returncode


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("image") / "runner.pyz")


def submitted(platform: Platform, folder: Path, items: int, pyz: Path, extra: str = "") -> tuple[str, Batch]:
    name = f"lines-{uuid4().hex[:8]}"
    platform.publish(FAN_OUT.format(name=name, extra=extra or "pass"))
    files = [platform.upload(f"{n}.txt", b"line\n" * (n + 1))["id"] for n in range(items)]
    job_id = platform.submit(name, files, key=uuid4().hex)["id"]
    deadline = time.monotonic() + 30
    while platform.job(job_id)["state"] == "WAITING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job_id, Batch(platform, job_id, pyz, folder)


def total_of(platform: Platform, job_id: str, *, timeout_s: float = 15) -> int:
    job = platform.wait(job_id, timeout_s=timeout_s)
    assert job["state"] == "SUCCEEDED", job
    (result,) = [file for file in job["results"] if file["name"].endswith("total.txt")]
    return int(platform.content(result["id"]))


def attempts(platform: Platform, job_id: str, item: int = 0) -> list[tuple[int, str, str]]:
    query = "SELECT number, state, failure_kind FROM orchestration_attempt WHERE job_id = %s AND step = 'count'"
    return [(n, s, k) for n, s, k in platform.sql(f"{query} AND item_index = %s ORDER BY number", job_id, item)]


def test_job_of_two_steps_runs_to_its_end_in_containers(platform: Platform, pyz: Path, tmp_path: Path) -> None:
    job_id, batch = submitted(platform, tmp_path, 5, pyz)
    assert batch.array("count", 3, per_child=2) == [0, 0, 0]
    assert ended(batch.start("total")) == 0
    assert total_of(platform, job_id) == 1 + 2 + 3 + 4 + 5
    rows = platform.sql("SELECT leased_by FROM orchestration_attempt WHERE job_id = %s AND step = 'count'", job_id)
    assert sorted({holder for (holder,) in rows}) == [f"batch:{job_id}-count:{child}#1" for child in range(3)]


def until_busy(folder: Path, item: int) -> None:
    deadline = time.monotonic() + 30
    while not (folder / str(item)).exists():
        assert time.monotonic() < deadline, "the step never got going"
        time.sleep(0.05)


def test_machine_that_goes_away_and_one_that_went_cost_an_attempt_and_no_result(
    platform: Platform, pyz: Path, tmp_path: Path
) -> None:
    job_id, batch = submitted(platform, tmp_path, 2, pyz, SLOW_AT_FIRST.format(folder=tmp_path))
    going, gone = batch.start("count", 0), batch.start("count", 1)
    for item in range(2):
        until_busy(tmp_path, item)
    going.send_signal(signal.SIGTERM)
    gone.kill()
    assert ended(going) == 75
    ended(gone)
    assert [state for _, state, _ in attempts(platform, job_id, 1)] == ["RUNNING"], "nobody knows of it yet"
    assert batch.array("count", 2, attempt=2) == [0, 0]
    assert ended(batch.start("total")) == 0
    assert total_of(platform, job_id) == 1 + 2
    for item in range(2):
        assert attempts(platform, job_id, item) == [(1, "FAILED", "INTERRUPTED"), (2, "SUCCEEDED", "")]


def test_cancel_reaches_the_container(platform: Platform, pyz: Path, tmp_path: Path) -> None:
    job_id, batch = submitted(platform, tmp_path, 2, pyz, SLOW_AT_FIRST.format(folder=tmp_path))
    running = batch.start("count", 0)
    until_busy(tmp_path, 0)
    assert platform.call("POST", f"/jobs/{job_id}/cancel").status_code == 202
    assert ended(running, 15) == 1
    assert ended(batch.start("count", 1)) == 1, "and one that comes later gets nothing"
    assert platform.wait(job_id, timeout_s=15)["state"] == "CANCELED"
    assert attempts(platform, job_id, 1) == [(1, "CANCELED", "")]
