"""Files: seen by those who may, fetched whole or in part, never run by a browser."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest

from orchestration.models import File
from tests.factories import make_file, make_job

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Visitor

pytestmark = pytest.mark.django_db
DATA = bytes(range(256)) * 10


@pytest.fixture
def file(owner: User, lab: Workspace) -> File:
    return make_file(lab, owner, name="Relatório “1”.txt", data=DATA, media_type="text/plain")


def test_files_are_listed_newest_first_page_by_page(ana: Visitor, owner: User, lab: Workspace) -> None:
    names = [make_file(lab, owner, name=f"{n}.csv").name for n in range(5)]
    seen: list[str] = []
    cursor = ""
    for _ in range(3):
        page = ana.json("GET", f"/files?limit=2{cursor}")
        seen += [f["name"] for f in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == names[::-1]
    assert page["next_cursor"] is None
    assert ana("GET", "/files?cursor=what").status_code == 422
    assert ana("GET", "/files?limit=100000").status_code == 422


def test_teammate_sees_the_file_and_a_stranger_does_not(file: File, ana: Visitor, bruno: Visitor, eva: Visitor) -> None:
    assert ana.json("GET", f"/files/{file.pk}")["kind"] == "upload"
    assert bruno("GET", f"/files/{file.pk}/content").content == DATA
    for method, path in (("GET", ""), ("GET", "/content"), ("HEAD", "/content"), ("DELETE", "")):
        assert eva(method, f"/files/{file.pk}{path}").status_code == 404
    assert eva.json("GET", "/files")["items"] == []


def test_content_comes_with_headers_that_no_browser_runs(ana: Visitor, file: File) -> None:
    answer = ana("GET", f"/files/{file.pk}/content")
    assert answer.content == DATA
    want = {
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
        "cache-control": "private, no-store",
        "content-type": "text/plain",
        "accept-ranges": "bytes",
        "etag": f'"{file.sha256}"',
        "repr-digest": f"sha-256=:{base64.b64encode(bytes.fromhex(file.sha256)).decode()}:",
    }
    assert {k: answer.headers[k] for k in want} == want
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="Relat_rio _1_.txt"; ')
    assert disposition.endswith("filename*=UTF-8''Relat%C3%B3rio%20%E2%80%9C1%E2%80%9D.txt")


@pytest.mark.parametrize("media_type", ["text/html", "image/svg+xml", "application/xml", "text/javascript", "a/b"])
def test_type_that_could_run_is_served_as_bytes(ana: Visitor, file: File, media_type: str) -> None:
    File.objects.update(media_type=media_type)
    assert ana("GET", f"/files/{file.pk}/content").headers["content-type"] == "application/octet-stream"


def test_head_says_the_same_without_the_bytes(ana: Visitor, file: File) -> None:
    answer = ana("HEAD", f"/files/{file.pk}/content")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(DATA))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=2550-", 2550, 2560), ("bytes=-5", 2555, 2560),
     ("bytes=0-99999", 0, 2560), ("bytes=-99999", 0, 2560)],
)  # fmt: skip
def test_one_range_is_sent_in_part(ana: Visitor, file: File, asked: str, start: int, stop: int) -> None:
    answer = ana("GET", f"/files/{file.pk}/content", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/2560"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=5-2", "lines=0-1", "bytes=", "bytes=-", "bytes=a-b"])
def test_range_we_do_not_serve_is_answered_whole(ana: Visitor, file: File, asked: str) -> None:
    answer = ana("GET", f"/files/{file.pk}/content", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, DATA)


@pytest.mark.parametrize("asked", ["bytes=2560-", "bytes=9999-10000", "bytes=-0"])
def test_range_beyond_the_end_is_refused(ana: Visitor, file: File, asked: str) -> None:
    answer = ana("GET", f"/files/{file.pk}/content", headers={"Range": asked})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */2560")


def test_a_thousand_ranges_cost_nothing(ana: Visitor, file: File) -> None:
    begin = time.process_time()
    many = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 2000, 2))
    assert ana("GET", f"/files/{file.pk}/content", headers={"Range": many}).status_code == 200
    assert time.process_time() - begin < 0.2


def test_resume_is_whole_again_when_the_file_is_another(ana: Visitor, file: File) -> None:
    path = f"/files/{file.pk}/content"
    fits = ana("GET", path, headers={"Range": "bytes=5-", "If-Range": f'"{file.sha256}"'})
    other = ana("GET", path, headers={"Range": "bytes=5-", "If-Range": '"another"'})
    known = ana("GET", path, headers={"If-None-Match": f'"{file.sha256}"'})
    assert [a.status_code for a in (fits, other, known)] == [206, 200, 304]


def test_empty_file_is_fetched(ana: Visitor, owner: User, lab: Workspace) -> None:
    empty = make_file(lab, owner, name="empty", data=b"")
    answer = ana("GET", f"/files/{empty.pk}/content")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


def test_file_that_is_not_clean_is_not_handed_out(ana: Visitor, file: File) -> None:
    for state in ("received", "quarantined"):
        File.objects.update(scan_state=state)
        assert ana("GET", f"/files/{file.pk}/content").status_code == 409


def test_file_in_use_is_kept_and_another_is_deleted(ana: Visitor, owner: User, lab: Workspace, file: File) -> None:
    used = make_file(lab, owner)
    make_job(owner, lab, inputs=[used])
    assert ana.json("DELETE", f"/files/{used.pk}", 409)["code"] == "conflict"
    assert ana("DELETE", f"/files/{file.pk}").status_code == 204
    assert ana("GET", f"/files/{file.pk}").status_code == 404
    assert ana("GET", f"/files/{file.pk}/content").status_code == 404
