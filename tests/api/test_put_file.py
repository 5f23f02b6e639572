"""PUT of one file by its name: stored here, or sent on to object storage before a byte of it was read."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from orchestration import crc64
from orchestration.models import File, Upload
from orchestration.services.files import open_content
from orchestration.services.tickets import issue_ticket
from orchestration.services.uploads.limits import MOST_PART
from orchestration.states import UploadState
from orchestration.storage.s3 import S3DirectStorage
from tests.api.door import Answer, token_of
from tests.s3_double.fixtures import BUCKET
from tests.s3_double.platform import on_buckets
from tests.s3_double.signed import refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings

    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor
    from tests.s3_double.server import S3Double

pytestmark = pytest.mark.django_db
DATA = b"a,b\n1,2\n" * 1000
SUM = crc64.to_text(crc64.update(DATA))


def content(file: Any) -> bytes:
    with open_content(File.objects.get(pk=file["id"])) as source:
        return source.read()


def announce(door: Door, user: User, name: str, size: int, **headers: str) -> Answer:
    """A client that waits for `100 Continue`: it sends nothing, and leaves when it is asked for the body."""
    sent = {"host": "localhost", "authorization": f"Bearer {token_of(user)}", "content-length": str(size)} | headers
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return door.raw("PUT", f"/api/v1/files/{name}", headers=raw, leaves=True)


def test_file_is_stored_and_answered(ana: Visitor) -> None:
    answer = ana("PUT", "/files/vendas%20%C3%A7.csv?workspace=lab&path=2026/nov", content=DATA)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["name"], said["path"], said["size"]) == ("vendas ç.csv", "2026/nov", len(DATA))
    assert (said["sha256"], said["crc64nvme"]) == (hashlib.sha256(DATA).hexdigest(), SUM)
    assert ana.json("GET", answer.headers["location"].removeprefix("/api/v1"))["id"] == said["id"]
    assert answer.headers["repr-digest"].startswith("sha-256=:")
    assert content(said) == DATA


def test_json_is_a_file_like_any_other(ana: Visitor) -> None:
    answer = ana("PUT", "/files/a.json", content=b"{}", headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["size"]) == (201, 2)


def test_two_files_may_carry_one_name(ana: Visitor) -> None:
    assert len({ana.json("PUT", "/files/a.csv", 201, content=DATA)["id"] for _ in range(2)}) == 2


@pytest.mark.parametrize(
    ("path", "headers", "code"),
    [
        ("a.csv", {"x-amz-checksum-crc64nvme": crc64.to_text(0)}, "checksum_mismatch"),
        ("a.csv", {"Repr-Digest": "sha-256=:abc:"}, "invalid"),
        ("a/b.csv", {}, "invalid_name"),
        ("a%2Fb.csv", {}, "invalid_name"),
        ("", {}, "invalid_name"),
        ("a.csv?path=../x", {}, "invalid_name"),
    ],
)
def test_what_does_not_fit_leaves_nothing(ana: Visitor, path: str, headers: dict[str, str], code: str) -> None:
    assert ana.json("PUT", f"/files/{path}", 422, content=DATA, headers=headers)["code"] == code
    assert not Upload.objects.exists()


def test_ticket_may_put_and_do_nothing_else_with_files(door: Door, owner: User, lab: Workspace) -> None:
    headers = {"Authorization": f"Ticket {issue_ticket(owner, lab)}"}
    made = door.send("PUT", "/api/v1/files/a.csv", content=DATA, headers=headers)
    assert made.status_code == 201
    address = f"/api/v1/files/{made.json()['id']}"
    assert door.send("GET", address, headers=headers).status_code == 401
    assert door.send("DELETE", address, headers=headers).status_code == 401
    other = door.send("PUT", "/api/v1/files/a.csv?workspace=elsewhere", content=DATA, headers=headers)
    assert other.status_code == 404


def test_redirected_client_sends_to_the_bucket(
    ana: Visitor, door: Door, owner: User, direct: S3DirectStorage, s3: S3Double
) -> None:
    answer = announce(door, owner, "a.csv?workspace=lab&path=2026", len(DATA), expect="100-continue")
    assert answer.status == 307
    url, link = answer.header("location"), answer.header("link")
    assert url is not None
    assert link is not None
    assert url.startswith(f"{s3.endpoint}/{BUCKET}/")
    assert answer.header("connection") == "close", "what was announced is not read any more"
    assert httpx.put(url, content=DATA).status_code == 200

    target, _, rel = link.partition(">; ")
    assert rel == 'rel="complete"'
    done = ana.json("POST", target.removeprefix("</api/v1"))
    file = done["file"]
    assert (file["name"], file["path"], file["size"], file["crc64nvme"]) == ("a.csv", "2026", len(DATA), SUM)
    assert content(file) == DATA
    assert done["id"] in target


def test_httpx_follows_by_itself(ana: Visitor, direct: S3DirectStorage, s3: S3Double) -> None:
    headers = {"content-type": "text/csv", "x-amz-checksum-crc64nvme": SUM}
    answer = ana("PUT", "/files/a.csv", content=DATA, headers=headers)
    assert answer.status_code == 307
    again = {"content-type": "text/csv", "x-amz-checksum-crc64nvme": SUM}
    other = b"x" + DATA[1:]
    assert refusal(httpx.put(answer.headers["location"], content=other, headers=again)) == (400, "BadDigest")
    assert httpx.put(answer.headers["location"], content=DATA, headers=again).status_code == 200
    upload = answer.json()
    assert (upload["state"], upload["mode"], upload["transport"]) == ("open", "single", "direct")
    assert ana.json("POST", f"/uploads/{upload['id']}/complete")["file"]["crc64nvme"] == SUM


def test_store_that_sums_nothing_by_itself_is_said(
    ana: Visitor, direct: S3DirectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not Amazon's. Without a checksum nobody could tell later whether the bytes are still the same."""
    answer = ana("PUT", "/files/a.bin?workspace=lab", content=DATA)
    assert httpx.put(answer.headers["location"], content=DATA).status_code == 200
    stored = direct.stat(Upload.objects.get().key)
    assert stored is not None
    monkeypatch.setattr(S3DirectStorage, "stat", lambda *_: replace(stored, crc64nvme=None))
    said = ana.json("POST", f"/uploads/{answer.json()['id']}/complete", 409)
    assert (said["code"], said["state"]) == ("upload_not_open", "failed")
    assert "x-amz-checksum-crc64nvme" in said["detail"]


@pytest.mark.parametrize("size", [len(DATA) - 1, len(DATA) + 1])
def test_url_is_for_the_announced_length(door: Door, owner: User, direct: S3DirectStorage, size: int) -> None:
    url = announce(door, owner, "a.csv", size).header("location")
    assert url is not None
    assert refusal(httpx.put(url, content=DATA)) == (403, "SignatureDoesNotMatch")


def test_five_gib_are_one_put_and_more_are_an_upload(door: Door, owner: User, direct: S3DirectStorage) -> None:
    assert announce(door, owner, "a.bin", MOST_PART).status == 307
    assert Upload.objects.get().mode == "single"
    refused = announce(door, owner, "b.bin", MOST_PART + 1)
    assert (refused.status, refused.header("link")) == (413, '</api/v1/uploads>; rel="alternate"')
    assert b"POST /api/v1/uploads" in refused.body
    assert Upload.objects.count() == 1


def test_body_of_unknown_length_is_an_upload(ana: Visitor, direct: S3DirectStorage) -> None:
    async def body() -> Any:
        yield DATA

    answer = ana("PUT", "/files/a.csv", content=body())
    assert (answer.status_code, answer.json()["code"]) == (413, "send_directly")
    assert answer.headers["link"] == '</api/v1/uploads>; rel="alternate"'
    assert not Upload.objects.exists()


def test_empty_file_needs_no_redirect(ana: Visitor, direct: S3DirectStorage) -> None:
    said = ana.json("PUT", "/files/empty.txt", 201, content=b"")
    assert (said["size"], content(said)) == (0, b"")


@contextmanager
def with_key(s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    s3.rules.require_kms = "key/1"
    with on_buckets(s3, settings, monkeypatch, ESTEIRA_S3_KMS_KEY="key/1"):
        yield


def test_bucket_with_a_key_of_its_own_says_which_headers_to_send(
    ana: Visitor, s3: S3Double, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with with_key(s3, settings, monkeypatch):
        said = ana.json("PUT", "/files/a.csv", 422, content=DATA)
        assert "x-amz-server-side-encryption-aws-kms-key-id: key/1" in said["detail"]
        assert Upload.objects.get().state == UploadState.ABORTED, "no room is kept for it"
        headers = {
            "x-amz-server-side-encryption": "aws:kms",
            "x-amz-server-side-encryption-aws-kms-key-id": "key/1",
        }
        answer = ana("PUT", "/files/a.csv", content=DATA, headers=headers)
        assert httpx.put(answer.headers["location"], content=DATA, headers=headers).status_code == 200
        assert ana.json("POST", f"/uploads/{answer.json()['id']}/complete")["state"] == "complete"


def test_quota_and_role_are_asked_before_anybody_is_sent_on(
    ana: Visitor, lab: Workspace, direct: S3DirectStorage, door: Door, stranger: User
) -> None:
    lab.quota_bytes = 10
    lab.save(update_fields=["quota_bytes"])
    assert ana.json("PUT", "/files/a.csv", 403, content=DATA)["code"] == "quota_exceeded"
    eva = door.as_(stranger)
    assert eva("PUT", "/files/a.csv?workspace=lab", content=DATA).status_code == 404
    assert not Upload.objects.exists()
