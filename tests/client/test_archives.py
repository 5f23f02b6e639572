"""esteira download --zip: whole or not at all, and on from where it broke."""

import hashlib
from pathlib import Path

import pytest

from api_app.client import Client
from tests.client.conftest import Command
from tests.client.fake_faults import hang_up
from tests.client.fake_server import Handler, Platform

BIG = bytes(range(256)) * 12_000


def half_an_archive(handler: Handler) -> bool:
    whole = handler.platform.contents[handler.path.split("/")[-2]]
    handler.send_response(200)
    handler.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest()}"')
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    handler.wfile.write(whole[: len(whole) // 2])
    handler.wfile.flush()
    return hang_up()(handler)


@pytest.fixture
def job(platform: Platform) -> str:
    made = platform.add_job(state="SUCCEEDED", finished_at="2026-01-01T00:00:00Z")
    platform.script.clear()
    platform.contents[made["id"]] = BIG
    return str(made["id"])


def test_results_come_as_one_file(command: Command, job: str) -> None:
    done = command("download", job, "--zip", "all.zip")
    assert done.code == 0, done.err
    assert Path("all.zip").read_bytes() == BIG
    assert "Downloaded all.zip (2.9 MiB)." in done.err
    assert [one.name for one in Path().iterdir()] == ["all.zip"]


def test_archive_goes_on_where_it_broke(client: Client, platform: Platform, job: str, tmp_path: Path) -> None:
    path = f"/jobs/{job}/results.zip"
    platform.fail(f"GET {path}", half_an_archive)
    assert client.download_archive(job, tmp_path / "all.zip").read_bytes() == BIG
    first, second = platform.calls("GET", path)
    assert "range" not in first
    assert second["range"] == f"bytes={len(BIG) // 2}-"


def test_archive_of_other_results_begins_anew(client: Client, platform: Platform, job: str, tmp_path: Path) -> None:
    def half_then_other(handler: Handler) -> bool:
        done = half_an_archive(handler)
        platform.contents[job] = BIG[::-1]
        return done

    platform.fail(f"GET /jobs/{job}/results.zip", half_then_other)
    assert client.download_archive(job, tmp_path / "all.zip").read_bytes() == BIG[::-1]


def test_nothing_is_written_over(command: Command, job: str) -> None:
    Path("all.zip").write_text("mine")
    done = command("download", job, "--zip", "all.zip")
    assert (done.code, Path("all.zip").read_text()) == (2, "mine")
    assert "all.zip is there already" in done.err
    assert command("download", job, "--zip", "x.zip", "-o", "x").code == 2


def test_folder_that_is_not_there_is_said(command: Command, job: str) -> None:
    done = command("download", job, "--zip", "nowhere/all.zip")
    assert done.code == 2
    assert "Cannot write nowhere/all.zip (No such file or directory)." in done.err
