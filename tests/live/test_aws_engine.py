"""The whole platform with ESTEIRA_ENGINE=aws: real pipelines through the state machine and Batch of the double."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.aws_double.running import AwsDouble, aws_double
from tests.live.platform import Platform, running
from tests.live.test_containers import FAN_OUT, SLOW_AT_FIRST, attempts, total_of, until_busy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsDouble]:
    with aws_double(tmp_path_factory.mktemp("aws")) as double:
        yield double


@pytest.fixture(scope="module")
def platform(aws: AwsDouble) -> Iterator[Platform]:
    with running(aws.settings) as platform:
        yield platform


def submitted(platform: Platform, items: int, extra: str = "pass", key: str = "") -> str:
    name = f"lines-{uuid4().hex[:8]}"
    platform.publish(FAN_OUT.format(name=name, extra=extra))
    files = [platform.upload(f"{n}.txt", b"line\n" * (n + 1))["id"] for n in range(items)]
    return str(platform.submit(name, files, key=key or uuid4().hex)["id"])


def test_job_runs_to_its_end_on_aws(aws: AwsDouble, platform: Platform) -> None:
    job_id = submitted(platform, 3)
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2 + 3
    assert sorted(name for name in aws.submitted() if job_id in name) == [f"{job_id}-r1-count", f"{job_id}-r1-total"]
    (execution,) = [one for one in aws.executions() if one["name"] == f"{job_id}-r1"]
    deadline = time.monotonic() + 30
    while execution["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
        (execution,) = [one for one in aws.executions() if one["name"] == f"{job_id}-r1"]
    assert execution["status"] == "SUCCEEDED"


def test_machine_that_goes_away_costs_an_attempt_and_no_result(
    aws: AwsDouble, platform: Platform, tmp_path: Path
) -> None:
    job_id = submitted(platform, 2, SLOW_AT_FIRST.format(folder=tmp_path))
    for item in range(2):
        until_busy(tmp_path, item)
    assert aws.interrupt(job_id) == 2
    assert total_of(platform, job_id, timeout_s=120) == 1 + 2
    for item in range(2):
        assert attempts(platform, job_id, item) == [(1, "FAILED", "INTERRUPTED"), (2, "SUCCEEDED", "")]


def test_cancel_leaves_nothing_running_on_aws(aws: AwsDouble, platform: Platform, tmp_path: Path) -> None:
    job_id = submitted(platform, 2, SLOW_AT_FIRST.format(folder=tmp_path))
    until_busy(tmp_path, 0)
    assert platform.call("POST", f"/jobs/{job_id}/cancel").status_code == 202
    assert platform.wait(job_id, timeout_s=60)["state"] == "CANCELED"
    deadline = time.monotonic() + 60
    while aws.running() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert aws.running() == 0
