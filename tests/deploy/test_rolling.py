"""Processes are exchanged one after another under load: no request fails, no job is lost, watchers come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.deploy.fleet import fleet
from tests.deploy.load import Load, until

if TYPE_CHECKING:
    from tests.deploy.fleet import Fleet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHORT = """\
pipeline: short-work
version: 1.0.0
title: Short work
steps:
  - name: work
    command: [sh, -c, "cp $ESTEIRA_INPUTS/*.txt $ESTEIRA_OUTPUTS/out.txt"]
    retry: {attempts: 10, on: [interrupted, platform], backoff: 1s}
"""
LONG = """\
pipeline: long-work
version: 1.0.0
title: As long as all is exchanged
steps:
  - name: work
    command: [sh, -c, "while [ ! -e %s ]; do sleep 0.2; done"]
    timeout: 15m
    retry: {attempts: 10, on: [interrupted, platform], backoff: 1s}
"""


def prepared(some: Fleet) -> str:
    """The id of a file to run on."""
    some.publish(SHORT)
    some.publish(LONG % (some.home / "over"))
    answer = httpx.post(
        f"{some.url}/api/v1/uploads?name=a.txt",
        headers={"Authorization": f"Bearer {some.token}"},
        content=b"a" * 5_000,
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["file"]["id"])


def all_ended(some: Fleet) -> bool:
    return not some.sql(
        "SELECT 1 FROM orchestration_job WHERE state NOT IN ('SUCCEEDED', 'FAILED', 'CANCELED', 'TIMED_OUT')"
    )


def nothing_was_lost(some: Fleet, load: Load, *, rolls: int) -> None:
    seen = load.seen
    assert not seen.failed, f"{len(seen.failed)} of {seen.asked}: {seen.failed[:5]}"
    assert len(seen.jobs) == len(set(seen.jobs)) > 10
    states = dict(some.sql("SELECT id::text, state FROM orchestration_job"))
    lost = [job_id for job_id in seen.jobs if states.get(job_id) != "SUCCEEDED"]
    assert not lost, [(job_id, states.get(job_id)) for job_id in lost[:5]]
    assert seen.watched[-1:] == ["SUCCEEDED"]
    assert set(seen.closed) == {1012}
    assert len(seen.closed) >= rolls, "watchers were sent elsewhere, and came back"
    print(f"{seen.asked} requests, 0 failed; {len(seen.jobs)} jobs, 0 lost; {len(seen.closed)} sockets came back")


def test_rolling_update_loses_no_request_and_no_job(campaign: str) -> None:
    rounds = 6 if campaign == "full" else 1
    with fleet() as some:
        hosts = [some.start_web(), some.start_web()]
        some.start_beat()
        some.start_worker("worker 0")
        some.start_engine()
        file_id = prepared(some)
        with Load(some, "short-work", file_id) as load:
            until(lambda: len(load.seen.jobs) > 3, 120, "the load did not begin")
            for number in range(rounds):
                for host in list(hosts):
                    hosts.append(some.start_web())
                    hosts.remove(host)
                    some.end_web(host)
                some.start_worker(f"worker {number + 1}")
                some.end(f"worker {number}")
            until(lambda: len(load.seen.jobs) > 15, 120, "the load went on")
            (some.home / "over").touch()
        until(lambda: all_ended(some), 240, some.logs())
        nothing_was_lost(some, load, rolls=2 * rounds)
