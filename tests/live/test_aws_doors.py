"""Jobs on AWS as people reach them: by the `esteira` command and by the pages in a browser."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.live.browsing import PATIENCE_MS, sign_in, wait_until
from tests.live.platform import ROOT
from tests.live.test_aws_engine import FAILS_AT_FIRST, submitted
from tests.live.test_containers import FAN_OUT, SLOW_AT_FIRST, attempts, until_busy
from tests.scenarios.aws import as_event

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.aws_double.running import AwsDouble
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SUCCEEDED, FAILED, CANCELED = 0, 1, 3
PHONE_PX = 390
STUCK = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY - There are no machines of this kind just now."


@pytest.fixture
def platform(on_aws: Platform) -> Platform:
    return on_aws


class Terminal:
    """The command in a folder of its own."""

    def __init__(self, platform: Platform, folder: Path) -> None:
        self._env = {**os.environ, "ESTEIRA_URL": platform.url, "ESTEIRA_TOKEN": platform.token}
        self._env["PYTHONPATH"] = str(ROOT)
        self._folder = folder

    def __call__(self, *words: str, ends: int = SUCCEEDED) -> Any:
        """What its last line says, after it has ended with this exit code."""
        command = [sys.executable, "-m", "api_app.client", *words, "--json"]
        done = subprocess.run(command, env=self._env, cwd=self._folder, capture_output=True, text=True, check=False)
        assert done.returncode == ends, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def esteira(platform: Platform, tmp_path: Path) -> Terminal:
    return Terminal(platform, tmp_path)


def published(platform: Platform, extra: str) -> str:
    name = f"lines-{uuid4().hex[:8]}"
    platform.publish(FAN_OUT.format(name=name, extra=extra))
    return name


def lines(folder: Path, files: int) -> list[str]:
    paths = [folder / f"{n}.txt" for n in range(files)]
    for n, path in enumerate(paths):
        path.write_bytes(b"line\n" * (n + 1))
    return [str(path) for path in paths]


def sent(aws: AwsDouble, job_id: str) -> set[str]:
    """The Batch jobs that its runs have submitted: `r1-count`."""
    return {name.removeprefix(f"{job_id}-") for name in aws.submitted() if name.startswith(job_id)}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_command_runs_a_built_in_pipeline_and_brings_its_results(
    aws: AwsDouble, esteira: Terminal, tmp_path: Path
) -> None:
    paths = [tmp_path / "notes.txt", tmp_path / "noise.bin"]
    paths[0].write_text("uma linha\n" * 100)
    paths[1].write_bytes(bytes(range(256)) * 512)
    job = esteira("run", "inspect", *map(str, paths), "--download", "out")
    assert job["state"] == "SUCCEEDED"
    assert sent(aws, job["id"]) == {"r1-inspect", "r1-report"}
    came = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    came["SHA256SUMS"] = (tmp_path / "out" / "SHA256SUMS").read_bytes()
    assert {name: digest(data) for name, data in came.items()} == {one["name"]: one["sha256"] for one in job["results"]}
    sums = {f"{digest(path.read_bytes())}  {path.name}" for path in paths}
    assert set(came["SHA256SUMS"].decode().splitlines()) == sums


def test_command_reruns_one_failed_item_and_retries_the_rest(
    aws: AwsDouble, platform: Platform, esteira: Terminal, tmp_path: Path
) -> None:
    name = published(platform, FAILS_AT_FIRST.format(folder=tmp_path / "marks"))
    (tmp_path / "marks").mkdir()
    job_id = esteira("run", name, *lines(tmp_path, 3), "--watch", ends=FAILED)["id"]
    esteira("rerun-items", job_id, "--step", "count", "--item", "1", "--watch", ends=FAILED)
    assert [len(attempts(platform, job_id, item)) for item in range(3)] == [1, 2, 1]
    job = esteira("retry", job_id, "--watch")
    assert (job["state"], job["run"]) == ("SUCCEEDED", 3)
    assert [len(attempts(platform, job_id, item)) for item in range(3)] == [1, 2, 2]
    assert sent(aws, job_id) == {"r1-count", "r2-count", "r3-count", "r3-total"}
    esteira("download", job_id, "-o", "out")
    (total,) = (tmp_path / "out").rglob("total.txt")
    assert total.read_text() == str(1 + 2 + 3)


def test_command_cancels_what_runs(aws: AwsDouble, platform: Platform, esteira: Terminal, tmp_path: Path) -> None:
    (tmp_path / "marks").mkdir()
    name = published(platform, SLOW_AT_FIRST.format(folder=tmp_path / "marks"))
    job_id = esteira("run", name, *lines(tmp_path, 1))["id"]
    until_busy(tmp_path / "marks", 0)
    (asked,) = esteira("cancel", job_id)
    assert asked["canceling"]
    assert esteira("watch", job_id, ends=CANCELED)["state"] == "CANCELED"
    assert not aws.unfinished(job_id)


@pytest.mark.parametrize("button", ["Rerun 1 failed item", "Retry from the failed steps"])
def test_page_submits_shows_what_failed_and_goes_again(
    aws: AwsDouble, platform: Platform, page: Page, tmp_path: Path, button: str
) -> None:
    (tmp_path / "marks").mkdir()
    name = published(platform, FAILS_AT_FIRST.format(folder=tmp_path / "marks"))
    sign_in(page, platform, "/jobs/new/")
    page.set_input_files("#file-input", lines(tmp_path, 2))
    page.locator(".choice", has_text=name).click()
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url("**/jobs/*-*/", timeout=PATIENCE_MS)
    job_id = page.url.rstrip("/").rpartition("/")[2]
    state = page.locator("#job-state .chip")
    expect(state).to_have_text("Failed", timeout=PATIENCE_MS)
    expect(page.locator("#job-failures")).to_contain_text("1.txt")
    page.get_by_role("button", name=button).click()
    expect(state).to_have_text("Succeeded", timeout=PATIENCE_MS)
    expect(page.locator("#job-state")).to_contain_text("run 2")
    expect(page.locator("#job-results")).to_contain_text("total.txt")
    expect(page.locator("#job-failures")).to_be_hidden()
    assert [len(attempts(platform, job_id, item)) for item in range(2)] == [1, 2]
    assert sent(aws, job_id) == {"r1-count", "r2-count", "r2-total"}


def test_page_cancels_and_says_so_until_nothing_runs(
    aws: AwsDouble, platform: Platform, page: Page, tmp_path: Path
) -> None:
    job_id = submitted(platform, 1, SLOW_AT_FIRST.format(folder=tmp_path))
    until_busy(tmp_path, 0)
    page.goto(f"{platform.url}/jobs/{job_id}/")
    state = page.locator("#job-state .chip")
    expect(state).to_have_text("Running", timeout=PATIENCE_MS)
    page.locator("#do-cancel").click()
    page.locator("#confirm-yes").click()
    expect(state).to_have_text("Canceling")
    expect(state).to_have_text("Canceled", timeout=PATIENCE_MS)
    assert not aws.unfinished(job_id)


def test_page_says_on_a_phone_why_a_job_waits_for_a_machine(aws: AwsDouble, platform: Platform, page: Page) -> None:
    page.set_viewport_size({"width": PHONE_PX, "height": 844})
    aws.hold(is_held=True)
    try:
        job_id = submitted(platform, 1)
        wait_until(lambda: aws.complain(STUCK), "something in the queue")
        told = next(one for one in reversed(aws.news(after=0)) if one["jobName"].startswith(job_id))
        record = "from orchestration.services.events import record_event; record_event(body={!r})"
        platform.manage("shell", "-v", "0", "-c", record.format(as_event(told)))
        page.goto(f"{platform.url}/jobs/{job_id}/")
        expect(page.locator("#job-state .note")).to_contain_text("Step count: AWS has no machine free")
        expect(page.locator("#job-state .note")).to_contain_text(STUCK)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE_PX, "one long word moves the page"
    finally:
        aws.hold(is_held=False)
