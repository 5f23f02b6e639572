"""A cancel ends every process of the job within 10 s, from each state and whatever the step does about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = pytest.mark.slow

PROMISE_S = 10.0

STUBBORN = """\
pipeline: stubborn
version: 1.0.0
title: Ignores SIGTERM and leaves a daemon behind
steps:
  - name: hold
    command:
      - python
      - -c
      - |
        import os, signal, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            sys.exit()
        print("holding", flush=True)
        time.sleep(600)
"""
LONG_LINE = """\
pipeline: long-line
version: 1.0.0
title: Waits behind others
steps:
  - name: wait
    for_each: input
    resources: {vcpu: 256}
    command: [sleep, "600"]
"""


def processes_of(platform: Platform, job_id: str) -> list[int]:
    marks = {
        f"ESTEIRA_ATTEMPT_ID={attempt}".encode()
        for (attempt,) in platform.sql("SELECT id FROM orchestration_attempt WHERE job_id = %s", job_id)
    }
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if marks & set((entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def cancel_and_time(platform: Platform, job_id: str) -> float:
    begin = time.monotonic()
    assert platform.call("POST", f"/jobs/{job_id}/cancel").status_code == 202
    assert platform.wait(job_id, timeout_s=20)["state"] == "CANCELED"
    while processes_of(platform, job_id):
        assert time.monotonic() - begin < 2 * PROMISE_S, "processes are left"
        time.sleep(0.05)
    return time.monotonic() - begin


def until(platform: Platform, job_id: str, *states: str) -> None:
    deadline = time.monotonic() + 30
    while platform.job(job_id)["state"] not in states:
        assert time.monotonic() < deadline, platform.job(job_id)
        time.sleep(0.02)


def test_step_that_ignores_sigterm_and_its_daemon_are_gone(platform: Platform) -> None:
    platform.publish(STUBBORN)
    file = platform.upload("a.txt", b"x")["id"]
    job = platform.submit("stubborn", [file], key=uuid4().hex)["id"]
    until(platform, job, "RUNNING")
    deadline = time.monotonic() + 20
    while len(processes_of(platform, job)) < 2:
        assert time.monotonic() < deadline, "the step never got going"
        time.sleep(0.05)
    assert cancel_and_time(platform, job) < PROMISE_S


def test_jobs_that_wait_for_room_are_canceled_at_once(platform: Platform) -> None:
    """The first takes the whole machine; the second waits for it with a reason; both go."""
    platform.publish(LONG_LINE)
    files = [platform.upload(f"{n}.txt", b"x")["id"] for n in range(3)]
    first = platform.submit("long-line", files, key=uuid4().hex)["id"]
    until(platform, first, "RUNNING")
    second = platform.submit("long-line", files, key=uuid4().hex)["id"]
    until(platform, second, "QUEUED")
    deadline = time.monotonic() + 10
    while platform.job(second)["waiting_reason"] != "capacity":
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert cancel_and_time(platform, second) < PROMISE_S
    assert platform.job(first)["state"] == "RUNNING", "nobody else was touched"
    assert cancel_and_time(platform, first) < PROMISE_S


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.05, 0.1, 0.2])
def test_cancel_at_any_moment_after_submit(platform: Platform, delay_s: float) -> None:
    platform.publish(STUBBORN)
    file = platform.upload("a.txt", b"x")["id"]
    job = platform.submit("stubborn", [file], key=uuid4().hex)["id"]
    time.sleep(delay_s)
    assert cancel_and_time(platform, job) < PROMISE_S
