"""The whole platform on a storage that knows SHA-256 and not CRC64NVME: page and command send as ever."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.live.browsing import drop, expect_all_sent, make_file, sign_in, stored, wait_until
from tests.live.on_buckets import RESULTS, UPLOADS, on_s3
from tests.live.platform import ROOT, Platform, running
from tests.s3_double.server import S3Double

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import BrowserContext

pytestmark = [pytest.mark.xdist_group("other_checksums"), pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Double]:
    with S3Double(tmp_path_factory.mktemp("s3")) as double:
        double.rules.no_crc64 = True
        for bucket in (UPLOADS, RESULTS):
            double.add_bucket(bucket)
            double.allow_origin(bucket, "*")
        yield double


@pytest.fixture(scope="module")
def other(s3: S3Double) -> Iterator[Platform]:
    with running(on_s3(s3) | {"ESTEIRA_S3_CHECKSUM": "sha256"}) as platform:
        yield platform


def sums_of(s3: S3Double) -> list[str]:
    """The checksum that each PUT of a part or a file came with."""
    puts = [call for call in s3.ledger.calls if call.operation in {"UploadPart", "PutObject"}]
    return [name for call in puts for name in call.headers if name.startswith("x-amz-checksum-")]


def test_page_sends_large_and_small_files(
    other: Platform, s3: S3Double, context: BrowserContext, tmp_path: Path
) -> None:
    large, small = tmp_path / "large.bin", tmp_path / "small.bin"
    wanted = {large.name: make_file(large, 33 * MIB, 1), small.name: make_file(small, 70_000, 2)}
    page = context.new_page()
    sign_in(page, other)
    s3.ledger.clear()
    drop(page, large, small)
    expect_all_sent(page, 2)
    assert {name: stored(other, name)["sha256"] for name in wanted} == wanted
    assert set(sums_of(s3)) == {"x-amz-checksum-sha256"}


def test_command_sends_what_it_reads_from_files_and_from_a_pipe(other: Platform, s3: S3Double, tmp_path: Path) -> None:
    data = random.Random(9).randbytes(18 * MIB)
    (tmp_path / "mine.bin").write_bytes(data)
    env = {**os.environ, "ESTEIRA_URL": other.url, "ESTEIRA_TOKEN": other.token, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "api_app.client", "upload"]
    s3.ledger.clear()
    for more, sent in (([str(tmp_path / "mine.bin")], None), (["-", "--name", "piped.bin"], data)):
        done = subprocess.run([*command, *more], env=env, cwd=ROOT, input=sent, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode() + other.logs()
    digest = hashlib.sha256(data).hexdigest()
    for name in ("mine.bin", "piped.bin"):
        wait_until(lambda name=name: stored(other, name)["sha256"] == digest, name)  # type: ignore[misc]
    assert set(sums_of(s3)) == {"x-amz-checksum-sha256"}
