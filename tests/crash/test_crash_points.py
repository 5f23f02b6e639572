"""Kill a process at every durable act in turn; restart; the oracle holds and the job ends by itself (T1)."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from orchestration.points import WIDTH
from tests.live.oracle import Journal, check
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEPS = """\
pipeline: crash-{name}
version: 1.0.0
title: Two steps
steps:
  - name: copy
    for_each: input
    command: [sh, -c, "cp $ESTEIRA_INPUTS/*.txt $ESTEIRA_OUTPUTS/; sleep {sleep}"]
    retry: {{attempts: 5, on: [interrupted, platform], backoff: 1s}}
  - name: report
    needs: [copy]
    command: [sh, -c, "cat $ESTEIRA_INPUTS/copy/*/*.txt > $ESTEIRA_OUTPUTS/all.txt"]
    retry: {{attempts: 5, on: [interrupted, platform], backoff: 1s}}
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    points = tmp_path_factory.mktemp("points") / "points"
    with running({"ESTEIRA_POINTS_FILE": str(points)}) as platform:
        platform.publish(STEPS.format(name="quick", sleep=0))
        platform.publish(STEPS.format(name="slow", sleep=30))
        yield platform


class Points:
    """The campaign's side of `orchestration.points`."""

    def __init__(self, platform: Platform) -> None:
        self.file = Path(platform.children.env["ESTEIRA_POINTS_FILE"])

    def arm(self, ordinal: int) -> None:
        Path(f"{self.file}.at").write_text(str(ordinal))
        self.file.write_bytes(b"")

    def passed(self) -> list[str]:
        data = self.file.read_bytes()
        return [data[i : i + WIDTH].decode().strip() for i in range(0, len(data), WIDTH)]


def run_job(platform: Platform, journal: Journal) -> None:
    """Upload, submit, wait. Everything is repeated until it is answered."""
    data = os.urandom(2_000)
    file = platform.upload("a.txt", data)
    journal.files[file["id"]] = hashlib.sha256(data).hexdigest()
    key = uuid4().hex
    for _ in range(2):
        job = platform.submit("crash-quick", [file["id"]], key=key)
        journal.noted(key, job["id"])
    done = platform.wait(job["id"])
    assert done["state"] == "SUCCEEDED", done
    report = next(f for f in done["results"] if f["name"] == "all.txt")
    assert platform.call("GET", f"/files/{report['id']}/content").content == data


def cancel_job(platform: Platform, journal: Journal) -> None:
    file = platform.upload("a.txt", b"x")
    key = uuid4().hex
    job = platform.submit("crash-slow", [file["id"]], key=key)
    journal.noted(key, job["id"])
    while platform.job(job["id"])["state"] in {"WAITING", "QUEUED", "STARTING"}:
        pass
    assert platform.call("POST", f"/jobs/{job['id']}/cancel").status_code in {202, 409}
    assert platform.wait(job["id"])["state"] == "CANCELED"


SCENARIOS: dict[str, Callable[[Platform, Journal], None]] = {"run": run_job, "cancel": cancel_job}


def strike(
    platform: Platform, play: Callable[[Platform, Journal], None], points: Points, journal: Journal, ordinal: int
) -> str:
    """Play with a kill at this point; the point's name.

    A run with fewer points, as timing has it, is played again with the kill at its end.
    """
    for _ in range(3):
        points.arm(ordinal)
        play(platform, journal)
        passed = points.passed()
        if len(passed) >= ordinal:
            return passed[ordinal - 1]
        ordinal = len(passed)
    return ""


@pytest.mark.slow
@pytest.mark.timeout(3_000)
@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_killed_at_any_point_the_platform_heals(
    platform: Platform, scenario: str, campaign: str, record_property: Callable[[str, object], None]
) -> None:
    play, points, journal = SCENARIOS[scenario], Points(platform), Journal()
    points.arm(0)
    play(platform, journal)
    known = points.passed()
    assert len(known) > 5, f"the points are not wired: {known}"

    seed = int(os.environ.get("ESTEIRA_SEED", "1"))
    ordinals = list(range(1, len(known) + 1))
    if campaign != "full":
        ordinals = sorted(random.Random(seed).sample(ordinals, 2))
    struck = []
    for wanted in ordinals:
        name = strike(platform, play, points, journal, wanted)
        assert name, "a kill that never struck proves nothing"
        struck.append(name)
        try:
            check(platform, journal)
        except AssertionError as exc:
            raise AssertionError(f"after a kill at {name} (number {wanted}): {exc}\n{platform.logs()}") from exc
    points.arm(0)
    record_property("struck", sorted(set(struck)))
    print(f"{scenario}: {len(struck)} kills at {len(set(struck))} points: {', '.join(sorted(set(struck)))}")
