"""What attacks a pipeline or decays on the disk goes in by the door, and hurts nobody but its own job (F17, F34)."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.pipelines.corpus_files import CORPUS, is_sentence

if TYPE_CHECKING:
    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20


def run(platform: Platform, pipeline: str, name: str, data: bytes) -> dict[str, Any]:
    file = platform.upload(name, data)
    return platform.wait(platform.submit(pipeline, [file["id"]], key=uuid4().hex)["id"], timeout_s=200)


def report(platform: Platform, job: dict[str, Any]) -> str:
    (file,) = [file for file in job["results"] if file["name"].endswith(".html")]
    return platform.call("GET", f"/files/{file['id']}/content").text


def still_works(platform: Platform) -> bool:
    return bool(run(platform, "inspect", "after.txt", b"still here\n")["state"] == "SUCCEEDED")


def stored(platform: Platform, file_id: str) -> Path:
    ((key,),) = platform.sql("SELECT key FROM orchestration_file WHERE id = %s", file_id)
    return Path(platform.home) / "storage" / "uploads" / str(key)


def bomb() -> bytes:
    packed = io.BytesIO()
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("zeros", "w") as out,
    ):
        for _ in range(1024):
            out.write(bytes(MIB))
    return packed.getvalue()


def crowd() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"{number:05}"), b"")
    return packed.getvalue()


def test_bomb_of_a_gibibyte_is_told_and_not_unpacked(platform: Platform) -> None:
    data = bomb()
    assert len(data) < 2 * MIB
    job = run(platform, "inspect", "bomb.zip", data)
    assert job["state"] == "SUCCEEDED", job["failure_detail"]
    assert "times its size" in report(platform, job)
    assert still_works(platform)


def test_archive_of_seventy_thousand_entries_is_bounded(platform: Platform) -> None:
    job = run(platform, "inspect", "crowd.zip", crowd())
    assert job["state"] == "SUCCEEDED", job["failure_detail"]
    assert "more than 20,000 entries" in report(platform, job)
    assert still_works(platform)


def test_flood_of_pixels_fails_its_own_job_with_a_sentence(platform: Platform) -> None:
    flood = (CORPUS / "broken" / "images" / "pixel-flood.png").read_bytes()
    job = run(platform, "image-set", "flood.png", flood)
    assert (job["state"], job["failure_kind"]) == ("FAILED", "INPUT")
    assert is_sentence(job["failure_detail"]), job["failure_detail"]
    assert still_works(platform)


def test_byte_that_flips_in_the_storage_after_the_check_fails_the_job(platform: Platform) -> None:
    file = platform.upload("decayed.csv", b"a,b\n1,2\n" * 1000)
    assert file["scan_state"] == "clean"
    path = stored(platform, file["id"])
    right = path.read_bytes()
    wrong = bytearray(right)
    wrong[-2] ^= 1
    path.chmod(0o644)
    path.write_bytes(wrong)
    path.chmod(0o444)
    job = platform.wait(platform.submit("inspect", [file["id"]], key=uuid4().hex)["id"], timeout_s=200)
    assert (job["state"], job["failure_kind"]) == ("FAILED", "PLATFORM")
    assert "decayed.csv are not those of the work order" in job["failure_detail"]
    assert not job["results"]
    # Other tests of this platform look whether every byte is still what it was.
    path.chmod(0o644)
    path.write_bytes(right)
    path.chmod(0o444)
    assert still_works(platform)
