"""Download all, and the chosen files of a list."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient

from tests.factories import make_file, make_job
from tests.frontend.ask import browser, fetch

if TYPE_CHECKING:
    from orchestration.models import Job, User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(owner: User, lab: Workspace) -> Job:
    job = make_job(owner, lab, state="SUCCEEDED")
    for name in ("a.txt", "b.txt"):
        make_file(lab, owner, name=name, data=name.encode(), kind="result", job=job, step="nothing", item_index=0)
    return job


def names(body: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return [name for name in archive.namelist() if name not in {"esteira-manifest.json", "ro-crate-metadata.json"}]


def test_job_s_page_offers_all_results_at_once(owner: User, lab: Workspace, job: Job) -> None:
    path = f"/jobs/{job.pk}/results.zip"
    assert path in browser(owner).get(f"/jobs/{job.pk}/").content.decode()
    assert path not in browser(owner).get(f"/jobs/{make_job(owner, lab).pk}/").content.decode()
    got = fetch(owner, path)
    assert names(got.body) == ["a.txt", "b.txt"]
    assert got.headers["Content-Length"] == str(len(got.body))
    assert "attachment" in got.headers["Content-Disposition"]


def test_archive_of_a_job_goes_on_where_it_broke_off(owner: User, job: Job) -> None:
    path = f"/jobs/{job.pk}/results.zip"
    whole = fetch(owner, path)
    rest = fetch(owner, path, Range="bytes=40-", **{"If-Range": whole.headers["ETag"]})
    assert (rest.status, rest.body) == (206, whole.body[40:])
    assert fetch(owner, path, Range="bytes=9999999-").status == 416
    head = browser(owner).head(path)
    assert (head.status_code, head["Content-Length"]) == (200, str(len(whole.body)))


def test_stranger_finds_no_archive(stranger: User, owner: User, lab: Workspace, job: Job) -> None:
    assert browser(stranger).get(f"/jobs/{job.pk}/results.zip").status_code == 404
    assert browser(owner).get(f"/jobs/{make_job(owner, lab).pk}/results.zip").status_code == 404


def test_job_with_a_file_that_is_held_back_says_why(owner: User, job: Job) -> None:
    job.outputs.update(scan_state="quarantined")
    response = browser(owner).get(f"/jobs/{job.pk}/results.zip", follow=True)
    assert "was quarantined" in response.content.decode()


def post(user: User, **fields: Any) -> Any:
    async def go() -> Any:
        client = AsyncClient()
        await client.aforce_login(user)
        response: Any = await client.post("/files/zip/", fields)
        parts = [part async for part in response.streaming_content] if response.streaming else []
        return response, b"".join(parts)

    return async_to_sync(go)()


def test_chosen_files_come_in_one_archive(owner: User, stranger: User, lab: Workspace) -> None:
    files = [make_file(lab, owner, name=f"{n}.csv") for n in range(3)]
    page = browser(owner).get("/files/").content.decode()
    assert 'formaction="/files/zip/"' in page
    chosen = [str(file.pk) for file in files[:2]]
    assert names(post(owner, file=chosen)[1]) == ["0.csv", "1.csv"]
    for who, ids in ((stranger, chosen), (owner, []), (owner, ["nonsense"])):
        response, _ = post(who, file=ids)
        assert (response.status_code, response["Location"]) == (302, "/files/")
