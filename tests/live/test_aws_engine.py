"""The whole platform with ESTEIRA_ENGINE=aws: real pipelines through the state machine and Batch of the double."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pytest

from tests.live.test_containers import FAN_OUT, SLOW_AT_FIRST, attempts, total_of, until_busy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.aws_double.running import AwsDouble
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def platform(on_aws: Platform) -> Platform:
    return on_aws


def submitted(platform: Platform, items: int, extra: str = "pass", pipeline: str = FAN_OUT) -> str:
    name = f"lines-{uuid4().hex[:8]}"
    platform.publish(pipeline.format(name=name, extra=extra))
    files = [platform.upload(f"{n}.txt", b"line\n" * (n + 1))["id"] for n in range(items)]
    return str(platform.submit(name, files, key=uuid4().hex)["id"])


def until_over(aws: AwsDouble, name: str) -> str:
    """How the execution of this name ended."""
    deadline = time.monotonic() + 30
    while True:
        (execution,) = [one for one in aws.executions() if one["name"] == name]
        if execution["status"] != "RUNNING":
            return str(execution["status"])
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_job_runs_to_its_end_on_aws(aws: AwsDouble, platform: Platform) -> None:
    job_id = submitted(platform, 3)
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2 + 3
    assert sorted(name for name in aws.submitted() if job_id in name) == [f"{job_id}-r1-count", f"{job_id}-r1-total"]
    assert until_over(aws, f"{job_id}-r1") == "SUCCEEDED"


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


def reconcile(platform: Platform) -> None:
    """As the worker does every half a minute."""
    platform.manage("shell", "-v", "0", "-c", "from orchestration.tasks import reconcile; reconcile()")


def test_machine_that_goes_away_for_good_fails_the_job_and_says_so(
    aws: AwsDouble, platform: Platform, tmp_path: Path
) -> None:
    text = SLOW_AT_FIRST.format(folder=tmp_path)
    job_id = submitted(platform, 1, text, pipeline=FAN_OUT.replace("attempts: 3", "attempts: 1"))
    until_busy(tmp_path, 0)
    assert aws.interrupt(job_id) == 1
    reconcile(platform)
    job = platform.wait(job_id, timeout_s=90)
    assert (job["state"], job["failure_kind"]) == ("FAILED", "INTERRUPTED")
    assert attempts(platform, job_id) == [(1, "FAILED", "INTERRUPTED")]


def test_cancel_ends_what_runs_and_what_is_in_the_queue(aws: AwsDouble, platform: Platform, tmp_path: Path) -> None:
    running = submitted(platform, 1, SLOW_AT_FIRST.format(folder=tmp_path))
    until_busy(tmp_path, 0)
    aws.hold(is_held=True)
    try:
        waiting = submitted(platform, 2)
        deadline = time.monotonic() + 60
        while not any(waiting in name for name in aws.submitted()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for job_id in (running, waiting):
            asked = platform.call("POST", f"/jobs/{job_id}/cancel")
            assert (asked.status_code, asked.json()["canceling"]) == (202, True)
        for job_id in (running, waiting):
            assert platform.wait(job_id, timeout_s=90)["state"] == "CANCELED"
            assert not aws.unfinished(job_id)
    finally:
        aws.hold(is_held=False)


IMAGE: Final = f"registry.example/words@sha256:{'b' * 64}"
OWN_IMAGE: Final = """\
pipeline: {{name}}
version: 1.0.0
title: Programs that only its image has
steps:
  - name: shout
    image: {image}
    command: [shout]
  - name: whisper
    image: {image}
    command: [python, -c, "raise SystemExit('the platform has been asked')"]
  - name: total
    needs: [shout, whisper]
    command:
      - python
      - -c
      - |
        import os, pathlib, sys
        inputs = pathlib.Path(os.environ["ESTEIRA_INPUTS"])
        said = " ".join(sorted(path.read_text().strip() for path in inputs.glob("*/0/*.txt")))
        pathlib.Path(os.environ["ESTEIRA_OUTPUTS"], "said.txt").write_text(said)
"""


def test_step_in_its_own_image_runs_with_the_programs_of_that_image(aws: AwsDouble, platform: Platform) -> None:
    aws.add_program(IMAGE, "shout", '#!/bin/sh\necho LOUD > "$ESTEIRA_OUTPUTS/loud.txt"\n')
    aws.add_program(IMAGE, "python", '#!/bin/sh\necho quiet > "$ESTEIRA_OUTPUTS/quiet.txt"\n')
    job_id = submitted(platform, 1, pipeline=OWN_IMAGE.format(image=IMAGE))
    job = platform.wait(job_id, timeout_s=90)
    assert job["state"] == "SUCCEEDED", job
    (said,) = [file for file in job["results"] if file["name"].endswith("said.txt")]
    assert platform.content(said["id"]) == b"LOUD quiet"


FAILS_AT_FIRST = (
    "import os, pathlib, sys; mark = pathlib.Path('{folder}', os.environ['ESTEIRA_ITEM']); first = not mark.exists(); "
    "mark.touch(); first and os.environ['ESTEIRA_ITEM'] != '0' and sys.exit(3)"
)


def test_retry_submits_the_items_that_failed_and_no_others(aws: AwsDouble, platform: Platform, tmp_path: Path) -> None:
    job_id = submitted(platform, 3, FAILS_AT_FIRST.format(folder=tmp_path))
    job = platform.wait(job_id, timeout_s=90)
    assert (job["state"], job["failure_kind"]) == ("FAILED", "USER_CODE")
    assert not any(name == f"{job_id}-r1-total" for name in aws.submitted())
    assert platform.call("POST", f"/jobs/{job_id}/retry").status_code == 202
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2 + 3
    assert [len(attempts(platform, job_id, item)) for item in range(3)] == [1, 2, 2]
    assert {f"{job_id}-r2-count", f"{job_id}-r2-total"} <= set(aws.submitted())


def test_job_is_resumed_from_our_own_record_after_aws_has_forgotten_it(
    aws: AwsDouble, platform: Platform, tmp_path: Path
) -> None:
    job_id = submitted(platform, 2, FAILS_AT_FIRST.format(folder=tmp_path))
    assert platform.wait(job_id, timeout_s=90)["state"] == "FAILED"
    until_over(aws, f"{job_id}-r1")
    aws.forget(f"{job_id}-r1")
    assert not any(job_id in one["name"] for one in aws.executions())
    assert platform.call("POST", f"/jobs/{job_id}/retry").status_code == 202
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2
    assert [len(attempts(platform, job_id, item)) for item in range(2)] == [1, 2]
    assert sorted(name for name in aws.submitted() if job_id in name) == [f"{job_id}-r2-count", f"{job_id}-r2-total"]


def test_rerun_of_chosen_items_is_an_array_of_just_these(aws: AwsDouble, platform: Platform, tmp_path: Path) -> None:
    tolerant = FAN_OUT.replace("    command:", "    tolerate: {{failed_items: 90%}}\n    command:", 1)
    job_id = submitted(platform, 5, FAILS_AT_FIRST.format(folder=tmp_path), pipeline=tolerant)
    assert total_of(platform, job_id, timeout_s=90) == 1
    asked = platform.call("POST", f"/jobs/{job_id}/rerun-items", json={"step": "count", "items": [1, 4]})
    assert asked.status_code == 202
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2 + 5
    asked = platform.call("POST", f"/jobs/{job_id}/rerun-items", json={"step": "count", "items": [3]})
    assert asked.status_code == 202
    assert total_of(platform, job_id, timeout_s=90) == 1 + 2 + 5 + 4
    assert [len(attempts(platform, job_id, item)) for item in range(5)] == [1, 2, 1, 2, 2]
    arrays = {name: size for name, size in aws.arrays().items() if job_id in name}
    assert arrays == {f"{job_id}-r1-count": 5, f"{job_id}-r2-count": 2}, "one item needs no array"
    assert f"{job_id}-r3-count" in aws.submitted()


def test_interruptions_on_spot_machines_end_on_demand(aws: AwsDouble, platform: Platform, tmp_path: Path) -> None:
    slow_twice = (
        "import os, pathlib, time; n = len(list(pathlib.Path('{folder}').glob('*'))); "
        "pathlib.Path('{folder}', str(n)).touch(); n < 2 and time.sleep(60)"
    )
    cheap = FAN_OUT.replace(
        "retry: {{attempts: 3, on: [interrupted], backoff: 1s}}",
        "retry: {{attempts: 1, backoff: 1s}}\n    spot: {{attempts: 2}}",
    )
    job_id = submitted(platform, 1, slow_twice.format(folder=tmp_path), pipeline=cheap)
    for n in range(2):
        until_busy(tmp_path, n)
        assert aws.interrupt(f"{job_id}-r1-count-SPOT") == 1
        reconcile(platform)
    assert total_of(platform, job_id, timeout_s=120) == 1
    assert attempts(platform, job_id) == [
        (1, "FAILED", "INTERRUPTED"),
        (2, "FAILED", "INTERRUPTED"),
        (3, "SUCCEEDED", ""),
    ]
    names = [name for name in aws.submitted() if job_id in name]
    assert names == [f"{job_id}-r1-count-SPOT", f"{job_id}-r1-count", f"{job_id}-r1-total"]


def test_hundred_identical_submissions_at_once_are_one_job_and_one_execution_though_answers_are_lost(
    aws: AwsDouble, platform: Platform
) -> None:
    """The same key a hundred times, and beside it others that nobody may mix up with it."""
    name = f"lines-{uuid4().hex[:8]}"
    platform.publish(FAN_OUT.format(name=name, extra="pass"))
    file, key = platform.upload("one.txt", b"line\n")["id"], uuid4().hex
    aws.lose(0.6)
    try:
        with ThreadPoolExecutor(100) as pool:
            same = list(pool.map(lambda _: platform.submit(name, [file], key=key)["id"], range(100)))
            others = list(pool.map(lambda _: platform.submit(name, [file], key=uuid4().hex)["id"], range(5)))
        assert len(set(same)) == 1
        job_ids = [same[0], *others]
        for job_id in job_ids:
            assert total_of(platform, job_id, timeout_s=150) == 1
    finally:
        aws.lose(0)
    assert platform.sql("SELECT count(*) FROM orchestration_job WHERE idempotency_key = %s", key) == [(1,)]
    ours = sorted(one["name"] for one in aws.executions() if one["name"][:36] in job_ids)
    assert ours == sorted(f"{job_id}-r1" for job_id in job_ids)
    steps = sorted(name for name in aws.submitted() if name[:36] in job_ids)
    assert steps == sorted(f"{job_id}-r1-{step}" for job_id in job_ids for step in ("count", "total"))
