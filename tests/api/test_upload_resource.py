"""The upload resource from its door: whole or not at all, in any order, any number of times."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest
from django.db.models import F

from orchestration.execution import abandoned
from orchestration.execution.finishing import local_parts
from orchestration.models import File, Upload, UploadPart, Workspace
from orchestration.services.tickets import issue_ticket
from orchestration.services.uploads.limits import MIB
from orchestration.states import UploadState
from tests.api.door import token_of
from tests.api.uploading import DATA, HINT, begin, complete, content, crc, pieces, put, send, sign
from tests.factories import join, make_user, make_workspace

if TYPE_CHECKING:
    from orchestration.models import User
    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db


def test_parts_in_any_order_become_the_file(ana: Visitor) -> None:
    upload = begin(ana, path="photos/2026")
    assert (upload["state"], upload["mode"], upload["part_count"], upload["received"]) == ("open", "parts", 3, "")
    send(ana, upload, numbers=(3, 1))
    seen = ana.json("GET", f"/uploads/{upload['id']}")
    assert (seen["received"], seen["received_bytes"]) == ("1,3", 6 * MIB)
    send(ana, upload, numbers=(2,))
    done = complete(ana, upload, crc64nvme=crc(DATA))
    assert (done["state"], done["file"]["crc64nvme"], done["file"]["path"]) == ("complete", crc(DATA), "photos/2026")
    assert content(done["file"]["id"]) == DATA
    assert not UploadPart.objects.exists()
    assert complete(ana, upload)["file"]["id"] == done["file"]["id"], "a repeated call says the same"


def test_complete_upload_whose_file_was_deleted_has_none(ana: Visitor) -> None:
    upload = begin(ana, b"x", crc64nvme=crc(b"x"))
    put(ana.door, upload["put"], b"x")
    file = complete(ana, upload)["file"]
    assert ana("DELETE", f"/files/{file['id']}").status_code == 204
    (listed,) = ana.json("GET", "/uploads?state=complete")["items"]
    shown, repeated = ana.json("GET", f"/uploads/{upload['id']}"), complete(ana, upload)
    assert [one["file"] for one in (listed, shown, repeated)] == [None] * 3
    assert {one["state"] for one in (listed, shown, repeated)} == {"complete"}
    ana.json("POST", f"/files/{file['id']}/undelete")
    assert ana.json("GET", f"/uploads/{upload['id']}")["file"]["id"] == file["id"]


def test_small_file_needs_one_put_and_no_signing(ana: Visitor) -> None:
    data = b"a,b\n1,2\n"
    upload = begin(ana, data, crc64nvme=crc(data), name="t.csv")
    assert upload["mode"] == "single"
    assert put(ana.door, upload["put"], data).status_code == 200
    done = complete(ana, upload)
    assert (done["file"]["media_type"], content(done["file"]["id"])) == ("text/csv", data)


def test_small_file_without_checksum_at_first_gets_it_from_its_bytes(ana: Visitor) -> None:
    upload = begin(ana, b"hello")
    assert upload["put"] is None
    send(ana, upload, b"hello")
    assert complete(ana, upload)["file"]["crc64nvme"] == crc(b"hello")


def test_empty_file_is_complete_at_once(ana: Visitor) -> None:
    upload = begin(ana, b"")
    assert (upload["state"], upload["file"]["size"]) == ("complete", 0)
    assert content(upload["file"]["id"]) == b""


def test_flipped_byte_is_refused_and_nothing_is_recorded(ana: Visitor) -> None:
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)
    damaged = part[:-1] + bytes([part[-1] ^ 1])
    answer = put(ana.door, signed, damaged)
    assert (answer.status_code, answer.json()["code"]) == (400, "checksum_mismatch")
    assert not UploadPart.objects.exists()
    assert put(ana.door, signed, part).status_code == 200, "the same URL takes the right bytes"


def test_flipped_byte_in_a_small_file_is_refused(ana: Visitor) -> None:
    upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))
    assert put(ana.door, upload["put"], b"hellp").status_code == 400
    assert complete(ana, upload, 409)["missing"] == "1"
    assert not File.objects.exists()


def test_wrong_bytes_never_land_over_a_part_that_counts(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload)
    other = bytes(HINT)
    assert put(ana.door, sign(ana, upload, 1, other), other).status_code == 200  # it is there, and not written again
    assert content(complete(ana, upload)["file"]["id"]) == DATA


def test_whole_file_checksum_that_differs_fails_the_upload_and_deletes_its_bytes(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload)
    assert complete(ana, upload, 422, crc64nvme=crc(b"other"))["code"] == "checksum_mismatch"
    row = Upload.objects.get()
    assert (row.state, row.failure_code) == (UploadState.FAILED, "checksum_mismatch")
    parts = local_parts(row)
    assert parts is not None
    assert parts.size(row.pk) is None
    assert not File.objects.exists()


def test_complete_names_the_parts_that_are_missing(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload, numbers=(2,))
    said = complete(ana, upload, 409)
    assert (said["code"], said["missing"]) == ("parts_missing", "1,3")


def test_url_is_for_these_bytes_only(ana: Visitor, door: Door) -> None:
    upload = begin(ana)
    part = pieces(upload)[1]
    signed = sign(ana, upload, 1, part)
    path, _, query = signed["url"].partition("?")
    fields = dict(parse_qsl(query))
    for field, value in (("l", "5"), ("o", "7"), ("c", crc(b"x")), ("k", "s"), ("e", "9999999999"), ("s", "0" * 64)):
        bad = f"{path}?{urlencode(fields | {field: value})}"
        headers = {"content-length": fields["l"]} if field != "l" else {"content-length": "5"}
        answer = door.send("PUT", bad, content=part[: int(headers["content-length"])])
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid"), field
    other = signed["url"].replace("/parts/1?", "/parts/2?")
    assert door.send("PUT", other, content=part).json()["code"] == "signature_invalid"
    assert door.send("PUT", signed["url"], content=part[:-1]).json()["code"] == "wrong_length"
    assert door.send("PUT", path, content=part).json()["code"] == "signature_invalid"


def test_url_expires(ana: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))
    monkeypatch.setattr("orchestration.services.uploads.signing.time.time", lambda: 9_999_999_999.0)
    assert put(ana.door, upload["put"], b"hello").json()["code"] == "signature_expired"


def test_body_without_length_is_refused(ana: Visitor) -> None:
    upload = begin(ana, b"hello", crc64nvme=crc(b"hello"))
    answer = ana.door.raw("PUT", upload["put"]["url"], chunks=[b"hello"])
    assert answer.status == 411


def test_same_key_is_the_same_upload_and_another_body_is_refused(ana: Visitor) -> None:
    options: dict[str, Any] = {"headers": {"Idempotency-Key": "k"}}
    body = {"name": "a", "size": 5, "workspace": "lab"}
    first = ana.json("POST", "/uploads", 201, json=body, **options)
    assert ana.json("POST", "/uploads", 200, json=body, **options)["id"] == first["id"]
    said = ana.json("POST", "/uploads", 422, json=body | {"size": 6}, **options)
    assert said["code"] == "idempotency_key_reused"


def test_same_key_in_another_workspace_is_another_body(ana: Visitor, owner: User) -> None:
    """Or the file would go where it is not expected, and a ticket of one workspace into another."""
    other = make_workspace("other")
    join(owner, other)
    body, headers = {"name": "a", "size": 5}, {"Idempotency-Key": "k"}
    ana.json("POST", "/uploads", 201, json=body | {"workspace": "lab"}, headers=headers)
    said = ana.json("POST", "/uploads", 422, json=body | {"workspace": other.slug}, headers=headers)
    assert said["code"] == "idempotency_key_reused"
    assert Upload.objects.count() == 1


def test_open_upload_is_found_again_by_its_fingerprint(ana: Visitor) -> None:
    first = begin(ana, fingerprint="a.bin|11|0|")
    send(ana, first, numbers=(2,))
    again = begin(ana, status=200, fingerprint="a.bin|11|0|", resume=True)
    assert (again["id"], again["received"]) == (first["id"], "2")
    listed = ana.json("GET", "/uploads?state=open&fingerprint=a.bin|11|0|")["items"]
    assert [u["id"] for u in listed] == [first["id"]]
    assert begin(ana, fingerprint="a.bin|11|0|")["id"] != first["id"], "only who asks to resume gets the old one"


def test_aborted_upload_takes_no_more(ana: Visitor) -> None:
    upload = begin(ana)
    signed = sign(ana, upload, 1, pieces(upload)[1])
    for _ in range(2):
        assert ana("DELETE", f"/uploads/{upload['id']}").status_code == 204
    assert put(ana.door, signed, pieces(upload)[1]).json()["code"] == "upload_not_open"
    said = complete(ana, upload, 409)
    assert (said["code"], said["state"]) == ("upload_not_open", "aborted")


def test_complete_upload_cannot_be_aborted(ana: Visitor) -> None:
    upload = begin(ana, b"x", crc64nvme=crc(b"x"))
    put(ana.door, upload["put"], b"x")
    complete(ana, upload)
    assert ana("DELETE", f"/uploads/{upload['id']}").status_code == 409
    assert File.objects.count() == 1


def test_unknown_size_is_known_at_the_end(ana: Visitor) -> None:
    upload = begin(ana, size=None)
    assert upload["part_count"] is None
    first, second = DATA[: 5 * MIB], DATA[5 * MIB : 7 * MIB]
    assert put(ana.door, sign(ana, upload, 1, first), first).status_code == 200
    assert put(ana.door, sign(ana, upload, 2, second, size=2 * MIB), second).status_code == 200
    assert complete(ana, upload, 422, size=1)["code"] == "invalid"
    done = complete(ana, upload, size=7 * MIB)
    assert content(done["file"]["id"]) == DATA[: 7 * MIB]


def test_other_people_do_not_see_an_upload(ana: Visitor, door: Door) -> None:
    upload = begin(ana)
    teammate = make_user("tom")
    join(teammate, Workspace.objects.get(slug="lab"))
    for user in (teammate, make_user("zoe")):
        who = door.as_(user)
        assert who("GET", f"/uploads/{upload['id']}").status_code == 404
        assert who("DELETE", f"/uploads/{upload['id']}").status_code == 404
        assert who("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 404
        assert who.json("GET", "/uploads")["items"] == []


def test_ticket_is_for_its_workspace(door: Door, owner: User, lab: Workspace, ana: Visitor) -> None:
    other = make_workspace("other")
    join(owner, other)
    there = begin(ana, workspace=other.slug)
    headers = {"Authorization": f"Ticket {issue_ticket(owner, lab)}"}
    body = {"name": "a", "size": 1}
    made = door.send("POST", "/api/v1/uploads", json=body, headers=headers)
    assert (made.status_code, made.json()["workspace"]) == (201, "lab")
    assert door.send("GET", f"/api/v1/uploads/{there['id']}", headers=headers).status_code == 404
    assert (
        door.send("POST", "/api/v1/uploads", json=body | {"workspace": other.slug}, headers=headers).status_code == 404
    )
    listed = door.send("GET", "/api/v1/uploads", headers=headers).json()["items"]
    assert [u["id"] for u in listed] == [made.json()["id"]]
    assert door.send("GET", "/api/v1/jobs", headers=headers).status_code == 401


def test_completion_that_was_killed_is_finished_by_the_sweep(ana: Visitor) -> None:
    upload = begin(ana)
    send(ana, upload)
    Upload.objects.update(state=UploadState.COMPLETING, crc64nvme=crc(DATA), expires_at=None)
    assert abandoned.finish_silent() == 0, "it may still be under way"
    Upload.objects.update(touched_at=F("touched_at") - timedelta(minutes=3))
    assert abandoned.finish_silent() == 1
    assert content(str(File.objects.get().pk)) == DATA


def test_token_needs_the_scope_to_upload(door: Door, owner: User) -> None:
    reader = token_of(owner, ("read",))
    answer = door.send("POST", "/api/v1/uploads", reader, json={"name": "a", "size": 1})
    assert answer.status_code == 403


def test_batch_that_goes_on_with_an_upload_says_what_is_there(ana: Visitor) -> None:
    data = b"hello"
    wanted = {"name": "a.txt", "size": len(data), "fingerprint": "a", "crc64nvme": crc(data), "resume": True}
    for expected in ("", "1"):
        (one,) = ana.json("POST", "/uploads:batch", json={"uploads": [wanted]})["results"]
        assert one["upload"]["received"] == expected
        put(ana.door, one["upload"]["put"], data)
