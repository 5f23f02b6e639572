"""curl follows to the bucket by itself, and the web process never reads a byte of the file."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from orchestration.models import File
from tests.api.door import token_of
from tests.asgi.server import serving
from tests.factories import join, make_user, make_workspace
from tests.s3_double.fixtures import BUCKET, s3
from tests.s3_double.platform import environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_double.server import S3Double

__all__ = ["s3"]
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]
SIZE = 40_000_000
# Every byte that the process reads from a client's socket, head or body, whatever becomes of it.
COUNTED = """
real = serve.BoundedHttp.data_received
def counted(self, data):
    with open({path!r}, "a") as file:
        print(len(data), file=file)
    real(self, data)
serve.BoundedHttp.data_received = counted
"""


def test_curl_puts_forty_megabytes_past_the_application(s3: S3Double, tmp_path: Path) -> None:
    user = make_user()
    join(user, make_workspace())
    big, seen, heads = tmp_path / "big.bin", tmp_path / "seen", tmp_path / "heads"
    big.write_bytes(os.urandom(1_000_000) * 40)
    bearer = f"Authorization: Bearer {token_of(user)}"
    with serving(prelude=COUNTED.format(path=str(seen)), **environment(s3)) as server:
        seen.unlink(missing_ok=True)  # what the server has sent to itself to see whether it receives well
        url = f"{server.url}/api/v1/files/big.bin"
        # curl sends what it was not asked for after a second without an answer; this machine may be that busy.
        patient = ["curl", "-sS", "-L", "--fail-with-body", "--expect100-timeout", "60"]
        subprocess.run([*patient, "-T", str(big), "-D", str(heads), "-H", bearer, url], check=True, timeout=120)
        link = next(line for line in heads.read_text().splitlines() if line.lower().startswith("link:"))
        complete = server.url + link.partition("<")[2].partition(">")[0]
        command = ["curl", "-sS", "--fail-with-body", "-X", "POST", "-H", bearer, complete]
        done = json.loads(subprocess.run(command, check=True, timeout=60, capture_output=True).stdout)
    read = sum(int(line) for line in seen.read_text().split())
    assert read < 20_000, "heads of a few requests, and nothing of the file"
    (put,) = s3.ledger.of("PutObject")
    assert (put.status, put.bytes_in) == (200, SIZE)
    assert s3.ledger.bytes_out["GetObject"] == 0
    stored = s3.store.buckets[BUCKET].current(put.key)
    assert stored is not None
    file = File.objects.get(pk=done["file"]["id"])
    assert (file.size, file.version, file.crc64nvme) == (SIZE, stored.id, stored.sums["crc64nvme"])
