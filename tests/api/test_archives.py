"""Many files in one ZIP: whose they may be, what it says before it begins, and what it does when bytes are gone."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from orchestration.models import File
from orchestration.services import archives
from orchestration.storage.registry import get_storage
from tests.factories import make_file, make_job, make_workspace

if TYPE_CHECKING:
    import httpx

    from orchestration.models import Job, User, Workspace
    from orchestration.storage.s3 import S3DirectStorage
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db
BIG = bytes(range(256)) * 20_000


def result(job: Job, name: str, data: bytes = b"data", **fields: Any) -> File:
    values: dict[str, Any] = {"kind": "result", "job": job, "step": "nothing", "item_index": 0}
    return make_file(job.workspace, job.created_by, name=name, data=data, **(values | fields))


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    job = make_job(owner, lab, state="SUCCEEDED", name="Day / night")
    result(job, "report.html", b"<h1>")
    result(job, "pages/1.bin", BIG)
    result(job, "report.html", b"second", item_index=1)
    return job


def unpacked(answer: httpx.Response) -> dict[str, bytes]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        papers = {"esteira-manifest.json", "ro-crate-metadata.json"}
        return {name: archive.read(name) for name in archive.namelist() if name not in papers}


WANTED = {"pages/1.bin": BIG, "report.html": b"<h1>", "report-2.html": b"second"}


def test_all_results_come_in_one_archive(ana: Visitor, bruno: Visitor, eva: Visitor, job: Job) -> None:
    answer = ana("GET", f"/jobs/{job.pk}/results.zip")
    assert unpacked(answer) == WANTED
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith(f'attachment; filename="Day _ night-{job.pk.hex[-8:]}.zip"')
    assert answer.headers["cache-control"] == "private, no-store"
    assert unpacked(bruno("GET", f"/jobs/{job.pk}/results.zip")) == WANTED
    assert eva("GET", f"/jobs/{job.pk}/results.zip").status_code == 404


def test_head_says_the_length_and_opens_nothing(ana: Visitor, job: Job) -> None:
    answer = ana("HEAD", f"/jobs/{job.pk}/results.zip")
    whole = ana("GET", f"/jobs/{job.pk}/results.zip")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(whole.content))


def test_download_that_broke_off_goes_on(ana: Visitor, job: Job) -> None:
    path = f"/jobs/{job.pk}/results.zip"
    whole = ana("GET", path)
    etag = whole.headers["etag"]
    rest = ana("GET", path, headers={"Range": "bytes=1000-", "If-Range": etag})
    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    assert rest.headers["content-range"] == f"bytes 1000-{len(whole.content) - 1}/{len(whole.content)}"
    part = ana("GET", path, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    assert ana("GET", path, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416
    result(job, "another.txt")
    assert ana("GET", path, headers={"Range": "bytes=5-", "If-Range": etag}).status_code == 200


def test_chosen_results_keep_the_names_they_have_among_all(ana: Visitor, job: Job) -> None:
    second = File.objects.get(job=job, item_index=1)
    assert unpacked(ana("GET", f"/jobs/{job.pk}/results.zip?file={second.pk}")) == {"report-2.html": b"second"}
    File.objects.filter(job=job, name="report.html", item_index=0).update(deleted_at="2026-01-01T00:00Z")
    assert set(unpacked(ana("GET", f"/jobs/{job.pk}/results.zip"))) == {"pages/1.bin", "report-2.html"}


def test_file_of_another_job_is_no_result_of_this_one(ana: Visitor, owner: User, lab: Workspace, job: Job) -> None:
    other = result(make_job(owner, lab, state="SUCCEEDED"), "x")
    for pk in (other.pk, uuid4()):
        assert ana("GET", f"/jobs/{job.pk}/results.zip?file={pk}").status_code == 404


def test_job_without_results_has_no_archive(ana: Visitor, owner: User, lab: Workspace) -> None:
    answer = ana.json("GET", f"/jobs/{make_job(owner, lab).pk}/results.zip", 404)
    assert answer["detail"] == "This job has no results yet."


def test_any_files_come_in_one_archive(ana: Visitor, owner: User, lab: Workspace) -> None:
    files = [
        make_file(lab, owner, name="a.csv", data=b"1", path="photos/2026"),
        make_file(lab, owner, name="a.csv", data=b"2"),
        make_file(lab, owner, name="a.csv", data=b"3"),
    ]
    ids = [str(file.pk) for file in files]
    got = unpacked(ana("POST", "/files:zip", json={"ids": [*ids, ids[0]]}))
    assert got == {"photos/2026/a.csv": b"1", "a.csv": b"2", "a-2.csv": b"3"}


def test_archive_has_no_file_of_somebody_else(eva: Visitor, ana: Visitor, owner: User, lab: Workspace) -> None:
    mine = make_file(lab, owner)
    theirs = make_file(make_workspace("far"), owner)
    assert eva("POST", "/files:zip", json={"ids": [str(mine.pk)]}).status_code == 404
    assert ana("POST", "/files:zip", json={"ids": [str(mine.pk), str(theirs.pk)]}).status_code == 404
    assert ana("POST", "/files:zip", json={"ids": []}).status_code == 422


def test_file_that_is_not_clean_keeps_the_archive_back(ana: Visitor, owner: User, lab: Workspace) -> None:
    held = make_file(lab, owner, scan_state="quarantined", scan_detail="Eicar")
    answer = ana.json("POST", "/files:zip", 409, json={"ids": [str(held.pk)]})
    assert "quarantined" in answer["detail"]


def test_more_files_than_one_archive_takes_are_refused(ana: Visitor, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    assert "at most 2 files" in ana.json("GET", f"/jobs/{job.pk}/results.zip", 422)["detail"]


def test_bytes_that_are_gone_are_an_error_and_never_a_short_archive(ana: Visitor, job: Job) -> None:
    first = File.objects.get(job=job, name="pages/1.bin")
    get_storage(first.storage).delete(first.key)
    assert ana("GET", f"/jobs/{job.pk}/results.zip").status_code == 500


def test_archive_that_breaks_in_its_middle_is_not_ended_well(ana: Visitor, job: Job) -> None:
    result(job, "zz.bin", b"gone", item_index=7)
    gone = File.objects.get(name="zz.bin")
    get_storage(gone.storage).delete(gone.key)
    token = [(b"host", b"localhost"), (b"authorization", f"Bearer {ana.token}".encode())]
    answer = ana.door.raw("GET", f"/api/v1/jobs/{job.pk}/results.zip", headers=token)
    assert answer.status == 200
    assert not answer.is_complete
    assert len(answer.body) < int(answer.header("content-length") or 0)


def test_archive_of_files_in_a_bucket_comes_through_the_application(
    direct: S3DirectStorage, ana: Visitor, owner: User, lab: Workspace
) -> None:
    job = make_job(owner, lab, state="SUCCEEDED")
    result(job, "big.bin", BIG)
    result(job, "small.txt", b"small")
    assert unpacked(ana("GET", f"/jobs/{job.pk}/results.zip")) == {"big.bin": BIG, "small.txt": b"small"}
