"""The whole platform on object storage: files go to it and come from it, and never through the web process."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from orchestration import crc64
from tests.live.browsing import wait_until
from tests.live.on_buckets import RESULTS, UPLOADS
from tests.live.platform import ROOT, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_double.server import S3Double

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

MIB = 1 << 20
CONTROL_BYTES = MIB
"""For some hundreds of calls with their headers; the files have ten times as much."""
STEP = 4 << 10
WINDOW = 16
COPY = """\
pipeline: copy
version: 1.0.0
title: Copy every file
steps:
  - name: copy
    for_each: input
    command:
      - python
      - -c
      - |
        import os, pathlib, shutil
        for path in pathlib.Path(os.environ["ESTEIRA_INPUTS"]).glob("*.bin"):
            shutil.copyfile(path, pathlib.Path(os.environ["ESTEIRA_OUTPUTS"], "copy-of-" + path.name))
"""


def crc(data: bytes) -> str:
    return crc64.to_text(crc64.update(data))


def put(part: dict[str, Any], data: bytes) -> None:
    answer = httpx.put(part["url"], headers=part["headers"], content=data, trust_env=False)
    assert answer.status_code == 200, answer.text


def send_in_parts(platform: Platform, name: str, data: bytes) -> str:
    wanted = {"name": name, "size": len(data), "part_size_hint": 5 * MIB}
    upload = platform.call("POST", "/uploads", json=wanted).json()
    assert (upload["transport"], upload["mode"], upload["part_count"]) == ("direct", "parts", 3)
    size = upload["part_size"]
    pieces = {n: data[(n - 1) * size : n * size] for n in range(1, upload["part_count"] + 1)}
    asked = {"parts": [{"number": n, "crc64nvme": crc(piece)} for n, piece in pieces.items()]}
    for part in platform.call("POST", f"/uploads/{upload['id']}/parts", json=asked).json()["parts"]:
        put(part, pieces[part["number"]])
    assert platform.call("GET", f"/uploads/{upload['id']}").json()["received"] == "1-3"
    return file_of(platform, upload["id"])


def file_of(platform: Platform, upload_id: str) -> str:
    """Completed by the worker: asked again until it is."""
    for _ in range(60):
        answer = platform.call("POST", f"/uploads/{upload_id}/complete", json={})
        if answer.status_code == 200:
            return str(answer.json()["file"]["id"])
        assert answer.status_code == 202, answer.text
        import time

        time.sleep(int(answer.headers["retry-after"]) / 4)
    raise AssertionError(f"never completed\n{platform.logs()}")


def send_batch(platform: Platform, files: dict[str, bytes]) -> list[str]:
    wanted = [{"name": name, "size": len(data), "crc64nvme": crc(data)} for name, data in files.items()]
    results = platform.call("POST", "/uploads:batch", json={"uploads": wanted}).json()["results"]
    for result, data in zip(results, files.values(), strict=True):
        put(result["upload"]["put"], data)
    ids = [result["upload"]["id"] for result in results]
    done = platform.call("POST", "/uploads:complete", json={"ids": ids}).json()["results"]
    assert [one["upload"]["state"] for one in done] == ["complete"] * len(files), done
    return [one["upload"]["file"]["id"] for one in done]


def test_no_byte_of_a_file_passes_the_web_process(direct: Platform, s3: S3Double) -> None:
    data = random.Random(5).randbytes(11 * MIB)
    small = {f"{n}.bin": random.Random(n).randbytes(40_000 + n) for n in range(3)}
    direct.publish(COPY)
    assert direct.relay is not None
    before = len(direct.relay.seen_in), len(direct.relay.seen_out)
    of_others = Counter(s3.ledger.bytes_in)

    inputs = [send_in_parts(direct, "big.bin", data), *send_batch(direct, small)]
    job = direct.wait(direct.submit("copy", inputs, key=uuid4().hex)["id"], timeout_s=120)
    assert job["state"] == "SUCCEEDED", f"{job['failure_detail']}\n{direct.logs()}"

    wanted = {f"copy-of-{name}": content for name, content in ({"big.bin": data} | small).items()}
    assert {file["name"]: file["sha256"] for file in job["results"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in wanted.items()
    }
    for file in job["results"]:
        answer = direct.call("GET", f"/files/{file['id']}/content")
        assert answer.status_code == 307, answer.text
        assert answer.content == b""
        address = answer.headers["location"]
        assert address.startswith(s3.endpoint)
        assert httpx.get(address, trust_env=False).content == wanted[file["name"]]

    through = bytes(direct.relay.seen_in[before[0] :]), bytes(direct.relay.seen_out[before[1] :])
    sent = sum(len(content) for content in wanted.values())
    print(f"files: {sent:,} bytes; through the web process: {len(through[0]):,} in, {len(through[1]):,} out")
    assert sum(map(len, through)) < CONTROL_BYTES
    for content in wanted.values():
        windows = [content[start : start + WINDOW] for start in range(0, len(content), STEP)]
        assert not [window for window in windows if window in through[0] or window in through[1]]
    taken = Counter(s3.ledger.bytes_in)
    taken.subtract(of_others)
    assert taken["UploadPart"] == len(data), "every part once"
    assert taken["PutObject"] == sent + sum(map(len, small.values())), "small files and outputs, once each"


def test_everything_is_pinned_to_the_version_that_was_completed(direct: Platform, s3: S3Double) -> None:
    direct.publish(COPY)
    (file_id,) = send_batch(direct, {"a.bin": b"the right bytes"})
    ((storage, key, version),) = direct.sql(
        "SELECT storage, key, version FROM orchestration_file WHERE id = %s", file_id
    )
    from tests.s3_double.fixtures import client_for

    assert storage == "uploads"
    client_for(s3).put_object(Bucket=UPLOADS, Key=f"esteira/uploads/{key}", Body=b"somebody else's")
    assert version
    wait_until(lambda: bool(direct.call("GET", f"/files/{file_id}").json()["sha256"]), "the examination")
    answer = direct.call("GET", f"/files/{file_id}/content")
    assert httpx.get(answer.headers["location"], trust_env=False).content == b"the right bytes"
    job = direct.wait(direct.submit("copy", [file_id], key=uuid4().hex)["id"], timeout_s=60)
    assert job["state"] == "SUCCEEDED", job["failure_detail"]
    assert job["results"][0]["sha256"] == hashlib.sha256(b"the right bytes").hexdigest()


def test_command_sends_runs_and_fetches_by_the_bucket(direct: Platform, s3: S3Double, tmp_path: Path) -> None:
    direct.publish(COPY)
    data = random.Random(9).randbytes(MIB + 1)
    (tmp_path / "mine.bin").write_bytes(data)
    assert direct.relay is not None
    before = len(direct.relay.seen_in) + len(direct.relay.seen_out)
    env = {**os.environ, "ESTEIRA_URL": direct.url, "ESTEIRA_TOKEN": direct.token, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "api_app.client", "run", "copy", str(tmp_path / "mine.bin")]
    command += ["--download", str(tmp_path / "results")]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + direct.logs()
    (found,) = tmp_path.rglob("copy-of-mine.bin")
    assert found.read_bytes() == data
    assert len(direct.relay.seen_in) + len(direct.relay.seen_out) - before < MIB // 4


def copies_of(platform: Platform, files: dict[str, bytes]) -> dict[str, bytes]:
    """Sends them and runs a job on them while the bucket is bad; what comes back, by name."""
    platform.publish(COPY)
    ids = []
    for name, data in files.items():
        body = {"name": name, "size": len(data), "crc64nvme": crc(data)}
        upload = platform.call("POST", "/uploads", json=body, headers={"Idempotency-Key": uuid4().hex}).json()
        while not is_there(upload["put"], data):
            pass
        ids.append(file_of(platform, upload["id"]))
    job = platform.wait(platform.submit("copy", ids, key=uuid4().hex)["id"], timeout_s=90)
    assert job["state"] == "SUCCEEDED", f"{job['failure_detail']}\n{platform.logs()}"
    unseen = "SELECT count(*) FROM orchestration_file WHERE sha256 = ''"
    wait_until(lambda: platform.sql(unseen) == [(0,)], "the examination")
    return {file["name"]: fetched(platform, file["id"]) for file in job["results"]}


def is_there(signed: dict[str, Any], data: bytes) -> bool:
    try:
        answer = httpx.put(signed["url"], headers=signed["headers"], content=data, trust_env=False)
    except httpx.TransportError:
        return False
    assert answer.status_code in {200, 412, 503}, answer.text
    return answer.status_code != 503


def fetched(platform: Platform, file_id: str) -> bytes:
    address = platform.call("GET", f"/files/{file_id}/content").headers["location"]
    while (answer := httpx.get(address, trust_env=False)).status_code == 503:
        pass
    return answer.content


@pytest.fixture
def files(s3: S3Double) -> Iterator[dict[str, bytes]]:
    s3.ledger.clear()
    yield {f"{n}.bin": random.Random(n).randbytes(30_000 + n) for n in range(4)}
    s3.faults.clear()


def test_job_in_a_throttled_bucket_is_slower_and_loses_nothing(
    direct: Platform, s3: S3Double, files: dict[str, bytes]
) -> None:
    copies_of(direct, {name: data[::-1] for name, data in files.items()})  # other bytes: equal ones are stored once
    calm = s3.ledger.count()
    s3.ledger.clear()
    s3.faults.throttle(share=0.2, seed=18)
    made = copies_of(direct, files)
    assert made == {f"copy-of-{name}": data for name, data in files.items()}
    assert sum(call.status == 503 for call in s3.ledger.calls) > 0.1 * calm, "it was throttled"
    made_of = Counter((call.operation, call.status) for call in s3.ledger.calls)
    assert s3.ledger.count() <= 1.3 * calm, f"each refusal costs about one more call, and no storm: {made_of}, {calm}"


def test_output_whose_answer_was_lost_is_sent_again_and_there_once(
    direct: Platform, s3: S3Double, files: dict[str, bytes]
) -> None:
    """The second PUT finds the first one's object in its way (F19)."""
    s3.faults.lose_reply("PutObject", times=len(files) + 2)
    made = copies_of(direct, files)
    assert made == {f"copy-of-{name}": data for name, data in files.items()}
    puts = [(call.bucket, call.status) for call in s3.ledger.of("PutObject")]
    assert puts.count((UPLOADS, 0)) >= 1
    assert puts.count((RESULTS, 0)) >= 1, "an answer to a step was lost"
    assert puts.count((RESULTS, 412)) == puts.count((RESULTS, 0))
    assert all(len(versions) == 1 for versions in s3.store.bucket(RESULTS).versions.values())


def test_storage_is_found_good_by_the_command(direct: Platform) -> None:
    said = [json.loads(line) for line in direct.manage("check_storage", "--json").splitlines()]
    assert {line["storage"] for line in said} == {"uploads", "results", "code"}
    assert [line["name"] for line in said if line["level"] != "ok"] == ["forgotten parts"], "no lifecycle rule is set"


def test_file_in_one_request_is_sent_to_the_right_door_before_it_is_read(direct: Platform) -> None:
    assert direct.relay is not None
    before = len(direct.relay.seen_in)
    answer = direct.call("POST", "/uploads", params={"name": "a.bin"}, content=b"x" * 100)
    assert (answer.status_code, answer.json()["code"]) == (413, "send_directly")
    assert "POST /api/v1/uploads" in answer.json()["detail"]
    assert len(direct.relay.seen_in) - before < 2_000
    assert direct.call("GET", "/uploads/config").json()["inline_max"] == 0


def test_empty_file_is_a_file_here_too(direct: Platform) -> None:
    upload = direct.call("POST", "/uploads", json={"name": "empty.bin", "size": 0}).json()
    assert (upload["state"], upload["file"]["size"]) == ("complete", 0)
    answer = direct.call("GET", f"/files/{upload['file']['id']}")
    assert answer.status_code == 200
