"""kill -9 of web, worker, engine, PostgreSQL and runners in turn while many jobs run: each ends once, whole."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.live.oracle import Journal, check, platform_itself_finds_nothing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

WORK = """\
pipeline: a-little-work
version: 1.0.0
title: A little work
steps:
  - name: work
    for_each: input
    command: [sh, -c, "sleep 0.2; echo ::progress 0.5; cp $ESTEIRA_INPUTS/*.txt $ESTEIRA_OUTPUTS/out.txt"]
    retry: {attempts: 10, on: [interrupted, platform], backoff: 1s}
"""


def kill_a_runner(platform: Platform, dice: random.Random) -> bool:
    """A runner process itself, so that nobody reports for its step."""
    runners = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(platform.home / "work").encode() in command and b"runner.pyz" in command:
                runners.append(int(entry.name))
    if not runners:
        return False
    try:
        os.kill(dice.choice(runners), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_postgres(platform: Platform, _dice: random.Random) -> bool:
    pid = platform.postgres.status().pid
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    return True


def kill_child(name: str) -> Callable[[Platform, random.Random], bool]:
    def kill(platform: Platform, _dice: random.Random) -> bool:
        try:
            os.kill(platform.pid(name), signal.SIGKILL)
        except (LookupError, ProcessLookupError):
            return False
        return True

    return kill


KILLS: dict[str, Callable[[Platform, random.Random], bool]] = {
    "web": kill_child("web"),
    "worker": kill_child("worker"),
    "beat": kill_child("beat"),
    "engine": kill_child("engine"),
    "runner": kill_a_runner,
    "postgres": kill_postgres,
}


def is_ours(process: Path, platform: Platform, word: bytes) -> bool:
    try:
        ours = f"ESTEIRA_HOME={platform.home}".encode() in (process / "environ").read_bytes().split(b"\0")
        return ours and word in (process / "cmdline").read_bytes()
    except OSError:
        return False


def strike(platform: Platform, name: str, dice: random.Random) -> bool:
    """Kill it as soon as it is there to be killed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if KILLS[name](platform, dice):
            return True
        time.sleep(0.01)
    return False


def test_every_job_ends_exactly_once_whatever_is_killed(platform: Platform, campaign: str) -> None:
    dice = random.Random(int(os.environ.get("ESTEIRA_SEED", "1")))
    jobs = 200 if campaign == "full" else 40
    platform.publish(WORK)
    journal, job_ids = Journal(), []
    data = os.urandom(5_000)
    file = platform.upload("a.txt", data)["id"]
    journal.files[file] = hashlib.sha256(data).hexdigest()
    struck = dict.fromkeys(KILLS, 0)
    schedule = list(KILLS) * (3 if campaign == "full" else 1)
    dice.shuffle(schedule)
    every = max(1, jobs // len(schedule))

    for number in range(jobs):
        key = uuid4().hex
        job_ids.append(platform.submit("a-little-work", [file], key=key)["id"])
        journal.noted(key, job_ids[-1])
        if number % every == every // 2 and schedule:
            name = schedule.pop()
            struck[name] += strike(platform, name, dice)
    ends = {job_id: platform.wait(job_id, timeout_s=240)["state"] for job_id in job_ids}

    assert set(ends.values()) == {"SUCCEEDED"}, {s: list(ends.values()).count(s) for s in set(ends.values())}
    assert all(struck.values()), f"a fault that never struck proves nothing: {struck}"
    check(platform, journal)
    platform_itself_finds_nothing(platform)
    beats = [p for p in Path("/proc").iterdir() if p.name.isdigit() and is_ours(p, platform, b"project.work")]
    assert len(beats) == 2, f"one worker and one beat, no leftovers of killed ones: {beats}"
    results = platform.sql(
        "SELECT job_id, count(*), min(sha256) FROM orchestration_file WHERE job_id = ANY(%s) GROUP BY 1", job_ids
    )
    assert len(results) == jobs, "an output is lost"
    assert {(count, sha256) for _, count, sha256 in results} == {(1, journal.files[file])}
