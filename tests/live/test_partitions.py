"""Processes paused and wires clogged in any order, between all parts of the platform; then it heals by itself (F43)."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
import pytest

from orchestration import crc64
from tests.live.apart import PROCESSES, Apart, Swizzle
from tests.live.browsing import wait_until
from tests.live.on_buckets import RESULTS, UPLOADS, on_s3
from tests.live.oracle import Journal, check, platform_itself_finds_nothing
from tests.live.platform import Platform, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.s3_double.server import S3Double

pytestmark = [pytest.mark.xdist_group("partitions"), pytest.mark.slow, pytest.mark.timeout(3600)]

MIB: Final = 1 << 20
CLIENTS: Final = 3
BUCKETS: Final = {"uploads": UPLOADS, "results": RESULTS}
WORK: Final = """\
pipeline: through-a-bad-network
version: 1.0.0
title: A little work
steps:
  - name: work
    for_each: input
    command: [sh, -c, "sleep 0.2; cp $ESTEIRA_INPUTS/*.bin $ESTEIRA_OUTPUTS/out.bin"]
    retry: {attempts: 10, on: [interrupted, platform], backoff: 1s}
"""


@pytest.fixture
def apart(s3: S3Double) -> Iterator[Platform]:
    with running(on_s3(s3), relayed=True, children_of=Apart) as platform:
        platform.publish(WORK)
        yield platform


def put(url: str, headers: dict[str, str], data: bytes) -> None:
    """As a client does it: again, until it is there."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            answer = httpx.put(url, headers=headers, content=data, timeout=10, trust_env=False)
        except httpx.TransportError:
            continue
        if answer.status_code in {200, 412}:
            return
        assert answer.status_code >= 500, answer.text
    raise AssertionError("the bucket never took it")


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


def send(platform: Platform, data: bytes) -> str:
    """One small file in one PUT, a large one in parts, which the worker joins."""
    asked: dict[str, Any] = {"name": "a.bin", "size": len(data), "crc64nvme": crc(data), "part_size_hint": 5 * MIB}
    begun = platform.call("POST", "/uploads", json=asked, headers={"Idempotency-Key": uuid4().hex})
    assert begun.status_code in {200, 201}, begun.text
    upload = begun.json()
    if upload["mode"] == "single":
        put(upload["put"]["url"], upload["put"]["headers"], data)
    else:
        size = upload["part_size"]
        for number in range(1, upload["part_count"] + 1):
            piece = data[(number - 1) * size : number * size]
            body = {"parts": [{"number": number, "crc64nvme": crc(piece)}]}
            (part,) = platform.call("POST", f"/uploads/{upload['id']}/parts", json=body).json()["parts"]
            put(part["url"], part["headers"], piece)
    done: list[Any] = []

    def is_complete() -> bool:
        answer = platform.call("POST", f"/uploads/{upload['id']}/complete", json={})
        assert answer.status_code in {200, 202}, answer.text
        done.append(answer.json()["file"])
        return answer.status_code == 200

    wait_until(is_complete, "the upload", patience_s=240)
    return str(done[-1]["id"])


def client(platform: Platform, journal: Journal, jobs: dict[str, str], over: Event, most: int, seed: int) -> None:
    """Sends a file and has a job done on it, until it is over; every promise is noted."""
    dice = random.Random(seed)
    for number in range(most):
        data = dice.randbytes(6 * MIB if number == 1 else dice.randint(1, 50_000))
        digest = hashlib.sha256(data).hexdigest()
        file = send(platform, data)
        journal.files[file] = digest
        key = uuid4().hex
        job = platform.submit("through-a-bad-network", [file], key=key)["id"]
        journal.noted(key, job)
        jobs[job] = digest
        if over.wait(dice.uniform(0.1, 0.5)) and number >= 1:
            return


def reader(s3: S3Double) -> Callable[[str, str, str], bytes | None]:
    """What lies in the buckets themselves, at exactly that version."""

    def read(storage: str, key: str, version: str) -> bytes | None:
        versions = s3.store.bucket(BUCKETS[storage]).versions.get(f"esteira/{storage}/{key}", [])
        found = [one for one in versions if one.id == version] if version else versions[-1:]
        return (
            b"".join(
                piece.path.read_bytes()[piece.offset : piece.offset + piece.size]
                for one in found
                for piece in one.pieces
            )
            if found
            else None
        )

    return read


def nothing_is_left_in_the_buckets(platform: Platform, s3: S3Double) -> None:
    """I2 and I12, two days later: what was cut off has been swept, and only what a row knows is there."""
    before = datetime.now(UTC) - timedelta(days=2)
    for name in BUCKETS.values():
        bucket = s3.store.bucket(name)
        for versions in bucket.versions.values():
            versions[:] = [dataclasses.replace(version, at=before) for version in versions]
        for multipart in bucket.multiparts.values():
            multipart.at = before
    sweeps = "from orchestration import tasks; tasks.sweep_incoming(); tasks.sweep_storage()"
    platform.manage("shell", "-v", "0", "-c", sweeps)
    known = {
        (row[0], f"esteira/{row[0]}/{row[1]}") for row in platform.sql("SELECT storage, key FROM orchestration_file")
    }
    alive = {
        f"esteira/uploads/{key}" for (key,) in platform.sql("SELECT key FROM orchestration_upload WHERE state = 'open'")
    }
    code = {
        f"esteira/code/{sha256[:2]}/{sha256}"
        for (sha256,) in platform.sql("SELECT bundle_sha256 FROM orchestration_pipelineversion")
    }
    for storage, name in BUCKETS.items():
        bucket = s3.store.bucket(name)
        stray = [key for key in bucket.versions if (storage, key) not in known and key not in alive | code]
        assert not stray, f"I2: objects that no row knows: {stray}"
        forgotten = [one.key for one in bucket.multiparts.values() if one.key not in alive]
        assert not forgotten, f"I12: multipart uploads that nobody will end: {forgotten}"


def one_seed(platform: Platform, s3: S3Double, seed: int, *, rounds: int, longest_s: float, most: int) -> None:
    assert isinstance(platform.children, Apart)
    assert platform.relay is not None
    links = platform.children.links | {"everybody to web": platform.relay}
    for link in links.values():
        link.withheld = 0
    swizzle = Swizzle(platform, links, random.Random(seed), longest_s)
    journal, jobs, over = Journal(), dict[str, str](), Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(client, platform, journal, jobs, over, most, seed * 100 + n) for n in range(CLIENTS)]
        try:
            swizzle.play(rounds)
        finally:
            over.set()
        for one in clients:
            one.result()

    ends = {job: platform.wait(job, timeout_s=150) for job in jobs}
    said = {job: (end["state"], end["failure_detail"]) for job, end in ends.items() if end["state"] != "SUCCEEDED"}
    assert not said, f"I3: {said}\n{platform.logs()}"
    for job, digest in jobs.items():
        assert [file["sha256"] for file in ends[job]["results"]] == [digest], f"I4: {job} has other results"
    unseen = "SELECT count(*) FROM orchestration_file WHERE sha256 = ''"
    wait_until(lambda: platform.sql(unseen) == [(0,)], "every file to be examined", patience_s=60)
    check(platform, journal, reader(s3))
    platform_itself_finds_nothing(platform)
    assert not platform.sql("SELECT id, state FROM orchestration_upload WHERE state NOT IN ('complete', 'open')")
    nothing_is_left_in_the_buckets(platform, s3)
    felt = swizzle.stopped | {name: link.withheld for name, link in links.items()}
    print(f"seed {seed}: {len(jobs)} jobs; stopped or withheld: {felt}")
    assert set(swizzle.stopped) == set(PROCESSES)
    quiet = {name for name, times in felt.items() if not times}
    assert len(quiet) <= 2, f"a fault that never struck proves nothing: {quiet}"


def test_platform_heals_unattended_after_any_partition(apart: Platform, s3: S3Double, campaign: str) -> None:
    first = int(os.environ.get("ESTEIRA_SEED", "1"))
    if campaign == "full":
        for seed in range(first, first + 30):
            one_seed(apart, s3, seed, rounds=4, longest_s=6, most=12)
    else:
        one_seed(apart, s3, first, rounds=3, longest_s=1.5, most=5)
