"""More outputs than one batch of slots holds: each keeps its own bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = pytest.mark.slow

PIPELINE = """\
pipeline: many-outputs
version: 1.0.0
title: Many small files
steps:
  - name: write
    command:
      - python
      - -c
      - |
        import os, pathlib
        out = pathlib.Path(os.environ["ESTEIRA_OUTPUTS"])
        for n in range(1100):
            (out / f"{n:04}.txt").write_text(str(n))
"""


def test_more_outputs_than_one_batch(platform: Platform) -> None:
    platform.publish(PIPELINE)
    file = platform.upload("a.txt", b"x")["id"]
    job = platform.wait(platform.submit("many-outputs", [file], key=uuid4().hex)["id"], timeout_s=60)
    assert job["state"] == "SUCCEEDED", job["failure_detail"]
    rows = platform.sql("SELECT name, sha256, storage, key FROM orchestration_file WHERE job_id = %s", job["id"])
    assert len(rows) == 1_100
    for name, sha256, storage, key in rows:
        data = (platform.home / "storage" / storage / key).read_bytes()
        assert data == str(int(name[:4])).encode()
        assert hashlib.sha256(data).hexdigest() == sha256
