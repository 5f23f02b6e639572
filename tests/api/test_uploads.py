"""Bytes in: what is announced is what must arrive, and nothing unfinished leaves a trace."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from api_app.one_request import name_from
from orchestration.models import File, Upload
from orchestration.services.tickets import issue_ticket
from tests.api.door import ALL_SCOPES, token_of
from tests.factories import join, make_workspace

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Answer, Door, Visitor

pytestmark = pytest.mark.django_db
DATA = b"a,b\n1,2\n"


def digest(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def leftovers() -> list[Path]:
    return list((Path(settings.ESTEIRA_HOME) / "storage" / "uploads" / "incoming").glob("*.part"))


@pytest.fixture(autouse=True)
def nothing_stays(db: None) -> object:
    before = set(leftovers())
    yield
    assert set(leftovers()) == before, "an unfinished upload left bytes"


def test_upload_is_answered_with_its_file_and_digest(ana: Visitor) -> None:
    headers = {"Content-Disposition": "attachment; filename*=UTF-8''Vendas%20%C3%A7.csv", "Repr-Digest": digest(DATA)}
    answer = ana("POST", "/uploads?workspace=lab", content=DATA, headers=headers)
    assert answer.status_code == 201, answer.text
    said = answer.json()
    assert (said["state"], said["file"]["name"], said["file"]["size"]) == ("complete", "Vendas ç.csv", 8)
    assert said["file"]["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert answer.headers["repr-digest"] == digest(DATA)
    assert ana("GET", answer.headers["location"].removeprefix("/api/v1")).status_code == 200
    assert Upload.objects.get(pk=said["id"]).file.pk == File.objects.get().pk


def test_empty_file_and_chunked_body_are_uploads_too(ana: Visitor) -> None:
    assert ana("POST", "/uploads?name=empty.txt", content=b"").json()["file"]["size"] == 0

    async def body() -> object:
        for _ in range(40):
            yield b"x" * 100_000

    answer = ana("POST", "/uploads?name=x.bin", content=body())
    assert answer.json()["file"]["size"] == 4_000_000
    assert answer.json()["file"]["sha256"] == hashlib.sha256(b"x" * 4_000_000).hexdigest()


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Repr-Digest": digest(b"other")}, "checksum_mismatch"),
        ({"Content-Digest": digest(b"other")}, "checksum_mismatch"),
        ({"Repr-Digest": digest(DATA), "Content-Digest": digest(b"other")}, "invalid"),
        ({"Repr-Digest": "sha-256=abc"}, "invalid"),
        ({"Repr-Digest": "sha-256=:AAAA:"}, "invalid"),
    ],
)
def test_digest_that_does_not_fit_or_cannot_be_read_leaves_no_row(
    ana: Visitor, headers: dict[str, str], code: str
) -> None:
    problem = ana.json("POST", "/uploads?name=a.csv", 422, content=DATA, headers=headers)
    assert problem["code"] == code
    assert not File.objects.exists()
    assert not Upload.objects.exists()


def test_digest_of_an_unknown_kind_is_passed_over(ana: Visitor) -> None:
    assert ana("POST", "/uploads?name=a", content=DATA, headers={"Repr-Digest": "md5=:AAAA:"}).status_code == 201


def by_hand(door: Door, user: User, announced: int, *chunks: bytes, leaves: bool = False) -> Answer:
    headers = [
        (b"host", b"localhost"),
        (b"authorization", f"Bearer {token_of(user)}".encode()),
        (b"content-length", str(announced).encode()),
    ]
    return door.raw("POST", "/api/v1/uploads?name=a.csv", headers=headers, chunks=chunks, leaves=leaves)


@pytest.mark.parametrize(("announced", "sent"), [(9, DATA), (7, DATA), (3_000_000, b"x" * 2_999_999)])
def test_length_other_than_announced_leaves_no_row(door: Door, owner: User, announced: int, sent: bytes) -> None:
    answer = by_hand(door, owner, announced, sent)
    assert answer.status == 422
    assert b"upload_refused" in answer.body
    assert not File.objects.exists()


@pytest.mark.parametrize("sent", [b"", b"x", b"x" * 1_048_576, b"x" * 1_500_000])
def test_client_that_leaves_midway_leaves_no_row(door: Door, owner: User, sent: bytes) -> None:
    answer = by_hand(door, owner, 2_000_000, sent, leaves=True)
    assert answer.status == 499, "nobody listens any more"
    assert not File.objects.exists()
    assert not Upload.objects.exists()


def test_file_over_the_limit_is_refused_before_its_bytes(
    ana: Visitor, door: Door, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "MAX_UPLOAD_BYTES", 5)
    assert ana.json("POST", "/uploads?name=a.csv", 413, content=DATA)["code"] == "too_large"

    async def body() -> object:
        yield DATA

    assert ana.json("POST", "/uploads?name=a.csv", 413, content=body())["code"] == "too_large"


@pytest.mark.parametrize("name", ["", "..", "a%2Fb", "a%00b", "%E2%80%AEgnp.exe"])
def test_bad_name_is_refused(ana: Visitor, name: str) -> None:
    assert ana.json("POST", f"/uploads?name={name}", 422, content=DATA)["code"] == "invalid_name"


def test_name_that_is_too_long_is_refused_with_the_limit(ana: Visitor) -> None:
    said = ana.json("POST", f"/uploads?name={'x' * 1025}", 422, content=DATA)
    assert (said["code"], said["errors"][0]["loc"]) == ("invalid", ["query", "name"])
    assert "1024" in said["errors"][0]["msg"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a.csv"', "a.csv"),
        ("attachment; filename=a.csv", "a.csv"),
        (r'attachment; filename="a \"b\".csv"', 'a "b".csv'),
        ("attachment; filename=\"plain\"; filename*=UTF-8''real", "real"),
        ("attachment; filename*=utf-8'en'%e2%82%ac", "€"),
        ("attachment", ""),
        ("", ""),
    ],
)
def test_name_is_read_from_content_disposition(header: str, name: str) -> None:
    assert name_from(header) == name


def test_ticket_uploads_into_its_workspace_and_does_nothing_else(door: Door, owner: User, lab: Workspace) -> None:
    join(owner, make_workspace("other"))
    ticket = {"Authorization": f"Ticket {issue_ticket(owner, lab)}"}
    answer = door.send("POST", "/api/v1/uploads?name=a.csv", content=DATA, headers=ticket)
    assert answer.status_code == 201, answer.text
    assert File.objects.get().workspace == lab
    elsewhere = door.send("POST", "/api/v1/uploads?name=a.csv&workspace=other", content=DATA, headers=ticket)
    assert elsewhere.status_code == 404
    assert door.send("GET", "/api/v1/files", headers=ticket).status_code == 401
    assert door.send("POST", "/api/v1/jobs", json={"pipeline": "noop"}, headers=ticket).status_code == 401
    forged = {"Authorization": f"Ticket {issue_ticket(owner, lab)[:-2]}xx"}
    assert door.send("POST", "/api/v1/uploads?name=a", content=DATA, headers=forged).status_code == 403


def test_stranger_cannot_upload_here_and_a_viewer_not_at_all(
    door: Door, eva: Visitor, stranger: User, owner: User
) -> None:
    assert eva("POST", "/uploads?name=a.csv&workspace=lab", content=DATA).status_code == 404
    owner.memberships.update(role="viewer")
    assert door.as_(owner)("POST", "/uploads?name=a.csv", content=DATA).status_code == 403
    without = tuple(s for s in ALL_SCOPES if s != "upload")
    assert door.as_(stranger, without)("POST", "/uploads?name=a.csv", content=DATA).status_code == 403


def test_form_around_a_file_is_refused_with_what_to_do(ana: Visitor) -> None:
    answer = ana("POST", "/uploads?name=a.csv", files={"file": ("a.csv", b"a,b")})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "curl -T" in answer.json()["detail"]
    assert not File.objects.exists()
