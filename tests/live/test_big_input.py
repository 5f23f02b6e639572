"""Large real work through the whole platform: it fits the memory of its step, and the web process stays flat."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.browsing import make_file, stored
from tests.live.platform import ROOT, Platform
from tests.pipelines.make_big import make_csv, make_images

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]

MIB = 1 << 20
WEB_GROWTH = 50 * MIB


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def web_stays_flat(platform: Platform) -> Iterator[None]:
    pid = platform.pid("web")
    before, peak = resident(pid), [0]
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.05):
            peak[0] = max(peak[0], resident(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    grown = peak[0] - before
    print(f"web process: {before // MIB} MiB, +{grown // MIB} MiB at most")
    assert grown < WEB_GROWTH, f"the web process grew by {grown // MIB} MiB"


def esteira_run(platform: Platform, pipeline: str, *paths: Path) -> dict[str, Any]:
    begin = time.monotonic()
    said = esteira(platform, "run", pipeline, *map(str, paths), "--watch", "--json")
    print(f"{pipeline}: {time.monotonic() - begin:.0f} s")
    job: dict[str, Any] = json.loads(said.splitlines()[-1])
    return job


def esteira(platform: Platform, *words: str) -> str:
    """What the command says."""
    env = {**os.environ, "ESTEIRA_URL": platform.url, "ESTEIRA_TOKEN": platform.token}
    command = [sys.executable, "-m", "api_app.client", *words]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:] + platform.logs()
    return done.stdout


def peak_of(platform: Platform, job_id: str) -> int:
    rows = platform.sql(
        "SELECT max((usage->>'max_rss_bytes')::float) FROM orchestration_attempt WHERE job_id = %s", job_id
    )
    return int(rows[0][0])


def test_large_table(platform: Platform, campaign: str, tmp_path: Path) -> None:
    table = tmp_path / "large.csv"
    make_csv(table, 1_024 * MIB if campaign == "full" else 64 * MIB)
    with web_stays_flat(platform):
        job = esteira_run(platform, "tabular-profile", table)
    peak = peak_of(platform, job["id"])
    print(f"peak memory of a step: {peak // MIB} MiB")
    assert peak < 2_048 * MIB
    assert any(file["name"].endswith("report.html") for file in job["results"])


def test_many_images(platform: Platform, campaign: str, tmp_path: Path) -> None:
    count = 2_000 if campaign == "full" else 40
    folder = tmp_path / "images"
    folder.mkdir()
    make_images(folder, count)
    with web_stays_flat(platform):
        job = esteira_run(platform, "image-set", folder)
    (fan_out, *_) = job["steps"]
    assert fan_out["items_total"] == count
    assert fan_out["items_succeeded"] == count


def test_large_upload_by_the_command(platform: Platform, campaign: str, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    sha256 = make_file(file, (10 << 30) if campaign == "full" else 256 * MIB, seed=10)
    begin = time.monotonic()
    with web_stays_flat(platform):
        said = esteira(platform, "upload", str(file), "--json")
    print(f"{file.stat().st_size // MIB:,} MiB by the command: {time.monotonic() - begin:.0f} s")
    assert said
    assert stored(platform, file.name)["sha256"] == sha256
