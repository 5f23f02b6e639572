"""Real files through the built-in pipelines as people send them: good and broken ones in one job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.pipelines.corpus_files import family, is_sentence

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.platform import Platform

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PIPELINES = {
    "tabular": "tabular-profile",
    "images": "image-set",
    "documents": "document-text",
    "archives": "inspect",
}


def run(platform: Platform, pipeline: str, paths: list[Path]) -> dict[str, Any]:
    """A job over those of the files whose type the pipeline takes; the others are refused at the door."""
    files = [platform.upload(path.name, path.read_bytes()) for path in paths]
    accepted = platform.call("GET", f"/pipelines/{pipeline}").json()["accepts"]["types"]
    inputs = [f["id"] for f in files if "*/*" in accepted or f["media_type"] in accepted]
    refused = [(f["name"], f["media_type"]) for f in files if f["id"] not in inputs]
    print(f"{pipeline}: {len(inputs)} files, refused at the door: {refused}")
    return platform.wait(platform.submit(pipeline, inputs, key=uuid4().hex)["id"], timeout_s=600)


def failed_items(platform: Platform, job_id: str) -> list[tuple[str, str, str]]:
    return platform.sql(
        "SELECT f.name, i.failure_kind, i.failure_detail FROM orchestration_item i"
        " JOIN orchestration_steprun s ON s.id = i.step_run_id"
        " JOIN orchestration_jobinput n ON n.job_id = s.job_id AND n.position = i.index"
        " JOIN orchestration_file f ON f.id = n.file_id"
        " WHERE s.job_id = %s AND i.state = 'FAILED'",
        job_id,
    )


@pytest.mark.parametrize("name", sorted(PIPELINES))
def test_real_files_go_through_and_broken_ones_fail_alone(platform: Platform, name: str, campaign: str) -> None:
    every = 1 if campaign == "full" else 5
    good, broken = family(name)[::every], family(f"broken/{name}")[::every]
    if name == "archives":
        broken = []  # `inspect` describes broken files too; what it refuses is in its own tests
    broken = broken[: len(good) - 1]
    job = run(platform, PIPELINES[name], [*good, *broken])

    failed = failed_items(platform, job["id"])
    assert job["state"] == "SUCCEEDED", (job["failure_detail"], failed)
    assert any(file["name"].endswith(".html") for file in job["results"])
    assert {file for file, _, _ in failed} <= {path.name for path in broken}, failed
    assert all(kind == "INPUT" and is_sentence(detail) for _, kind, detail in failed), failed


def test_single_broken_file_fails_its_job_with_a_sentence(platform: Platform, tmp_path: Path) -> None:
    broken = tmp_path / "not-really.pdf"
    broken.write_bytes(b"%PDF-1.7\n" + b"nothing of the kind\n" * 20)
    job = run(platform, "document-text", [broken])
    assert (job["state"], job["failure_kind"]) == ("FAILED", "INPUT")
    assert is_sentence(job["failure_detail"]), job["failure_detail"]
