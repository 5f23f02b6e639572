from __future__ import annotations

import base64
import hashlib

import pytest

from orchestration.models import File, User, Workspace
from orchestration.storage.registry import get_storage
from tests.factories import make_file, make_job
from tests.frontend.ask import browser, fetch

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def test_download_is_an_attachment_with_name_length_and_digest(owner: User, lab: Workspace) -> None:
    data = b"a,b\n" * 100_000
    file = make_file(lab, owner, 'relatório "1".csv', data)
    got = fetch(owner, f"/files/{file.pk}/content")
    assert got.body == data
    assert got.headers["Content-Length"] == str(len(data))
    assert got.headers["Content-Disposition"] == "attachment; filename*=utf-8''relat%C3%B3rio%20%221%22.csv"
    assert got.headers["Content-Type"] == "application/octet-stream"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
    assert got.headers["Repr-Digest"] == f"sha-256=:{digest}:"


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ("bytes=0-3", 206, b"0123"),
        ("bytes=4-", 206, b"456789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=8-99", 206, b"89"),
        ("bytes=10-", 416, b""),
        ("bytes=-", 200, b"0123456789"),
        ("bytes=5-2", 200, b"0123456789"),
        ("bytes=0-1,4-5", 200, b"0123456789"),
        ("lines=1-2", 200, b"0123456789"),
    ],
)
def test_download_can_be_resumed(owner: User, lab: Workspace, asked: str, status: int, body: bytes) -> None:
    file = make_file(lab, owner, data=b"0123456789")
    got = fetch(owner, f"/files/{file.pk}/content", range=asked)
    assert (got.status, got.body) == (status, body)
    if status == 206:
        assert got.headers["Content-Length"] == str(len(body))


def test_resuming_another_file_starts_over(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, data=b"0123456789")
    got = fetch(owner, f"/files/{file.pk}/content", range="bytes=5-", **{"if-range": '"other"'})
    assert (got.status, got.body) == (200, b"0123456789")


def test_stranger_gets_no_byte(stranger: User, owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    assert fetch(stranger, f"/files/{file.pk}/content").status == 404
    assert fetch(stranger, f"/files/{file.pk}/preview").status == 404


def test_deleted_or_vanished_file_is_not_found(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    get_storage(file.storage).delete(file.key)
    assert fetch(owner, f"/files/{file.pk}/content").status == 404


@pytest.mark.parametrize("state", ["received", "quarantined"])
def test_file_that_did_not_pass_its_check_is_kept_back(owner: User, lab: Workspace, state: str) -> None:
    file = make_file(lab, owner, "x.html", b"<h1>x</h1>", scan_state=state)
    assert fetch(owner, f"/files/{file.pk}/content").status == 403
    assert fetch(owner, f"/files/{file.pk}/preview").status == 404
    assert "iframe" not in browser(owner).get(f"/files/{file.pk}/").content.decode()


@pytest.mark.parametrize(
    ("name", "data", "media_type"),
    [
        ("report.html", b"<script>alert(1)</script>", "text/html; charset=utf-8"),
        ("evil.svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
        ("notes.txt", b"<script>alert(1)</script>", "text/html; charset=utf-8"),
        ("photo.png", PNG, "image/png"),
    ],
)
def test_preview_can_run_and_load_nothing(owner: User, lab: Workspace, name: str, data: bytes, media_type: str) -> None:
    file = make_file(lab, owner, name, data)
    got = fetch(owner, f"/files/{file.pk}/preview")
    policy = got.headers["Content-Security-Policy"]
    assert policy.startswith("sandbox; default-src 'none';")
    assert "allow-scripts" not in policy
    assert "script-src" not in policy
    assert got.headers["Content-Type"] == media_type
    assert got.headers["X-Content-Type-Options"] == "nosniff"


def test_preview_of_a_text_is_escaped_and_cut(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "long.txt", b"<b>x</b>\n" + b"y" * 100_000)
    got = fetch(owner, f"/files/{file.pk}/preview").body.decode()
    assert "&lt;b&gt;x&lt;/b&gt;" in got
    assert "Only the beginning is shown" in got
    assert len(got) < 70_000


def test_file_without_a_preview_says_so(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "x.bin", b"\x00\x01\x02")
    assert "has no preview" in browser(owner).get(f"/files/{file.pk}/").content.decode()
    assert fetch(owner, f"/files/{file.pk}/preview").status == 404


def test_deleted_file_leaves_the_list(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, "old.csv")
    client = browser(owner)
    assert "old.csv" in client.get("/files/").content.decode()
    html = client.post(f"/files/{file.pk}/delete/", follow=True).content.decode()
    assert "old.csv is deleted." in html
    assert f'href="/files/{file.pk}/"' not in html
    assert File.objects.get(pk=file.pk).deleted_at is not None


def test_input_of_an_open_job_is_not_deleted(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner)
    make_job(owner, lab, inputs=[file])
    html = browser(owner).post(f"/files/{file.pk}/delete/", follow=True).content.decode()
    assert "an input of a job that has not finished" in html
    assert File.objects.get(pk=file.pk).deleted_at is None


def test_list_tells_uploads_from_results_and_hides_what_lies_between(owner: User, lab: Workspace) -> None:
    job = make_job(owner, lab, state="SUCCEEDED", name="Maker")
    make_file(lab, owner, "up.csv")
    make_file(lab, owner, "out.csv", kind="result", job=job, step="nothing")
    make_file(lab, owner, "between.csv", kind="intermediate", job=job, step="nothing")
    client = browser(owner)

    def shown(query: str) -> set[str]:
        html = client.get(f"/files/{query}").content.decode()
        return {name for name in ("up.csv", "out.csv", "between.csv") if f"<bdi>{name}</bdi>" in html}

    assert shown("") == {"up.csv", "out.csv"}
    assert shown("?kind=upload") == {"up.csv"}
    assert shown("?kind=result") == {"out.csv"}
    assert shown("?kind=intermediate") == {"up.csv", "out.csv"}
    assert shown(f"?job={job.pk}") == {"out.csv"}


def test_older_files_are_a_page_further(owner: User, lab: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frontend_app.views.files.PAGE", 2)
    files = [make_file(lab, owner, f"{n}.csv") for n in range(3)]
    client = browser(owner)
    html = client.get("/files/").content.decode()
    assert f"?before={files[1].pk}" in html
    assert "0.csv" in client.get(f"/files/?before={files[1].pk}").content.decode()


def test_page_of_a_quarantined_file_says_why_and_offers_no_download(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, scan_state="quarantined", scan_detail="Eicar")
    page = browser(owner).get(f"/files/{file.pk}/").content.decode()
    assert "was quarantined: Eicar. It cannot be fetched. Ask your administrator" in page
    assert ">Download<" not in page
    assert "Use in a new job" not in page


def test_page_of_a_file_that_is_being_checked_says_so(owner: User, lab: Workspace) -> None:
    file = make_file(lab, owner, scan_state="received", sha256="")
    page = browser(owner).get(f"/files/{file.pk}/").content.decode()
    assert "is still being checked. It can be fetched in a moment." in page
    assert "<dt>Check</dt><dd>waits to be checked</dd>" in page
    assert "waits to be checked" in browser(owner).get("/files/").content.decode()
    assert ">Download<" not in page
    assert "Use in a new job" in page
