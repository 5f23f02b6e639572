"""Many small files in one request: each is kept or refused as if it had come alone."""

from __future__ import annotations

import errno
import os
from itertools import batched
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.errors import Invalid, SignatureInvalid
from orchestration.execution.finishing import local_parts
from orchestration.models import File, Upload
from orchestration.services.uploads.bundle import LINE_MAX, Bundle
from orchestration.services.uploads.limits import BATCH_MAX, BUNDLED_MAX, MIB
from orchestration.storage import local_parts as local_parts_module
from tests.api.door import HOST
from tests.api.test_uploads import leftovers
from tests.api.uploading import begin, complete, content, crc, sign

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.api.door import Door, Visitor

pytestmark = pytest.mark.django_db

URL = "/api/v1/uploads:put"
FILES = [b"a", b"bb" * 500, bytes(range(256)) * 100]


def begun(ana: Visitor, files: Sequence[bytes] = FILES) -> list[Any]:
    wanted = [{"name": f"{n}.bin", "size": len(data), "crc64nvme": crc(data)} for n, data in enumerate(files)]
    return [one["upload"] for one in ana.json("POST", "/uploads:batch", json={"uploads": wanted})["results"]]


def body(uploads: Sequence[Any], files: Sequence[bytes] = FILES) -> bytes:
    return b"".join(
        f"{len(data)} {upload['put']['url']}\n".encode() + data for upload, data in zip(uploads, files, strict=True)
    )


def codes(answer: Any) -> list[str | None]:
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [one["index"] for one in results] == list(range(len(results)))
    return [one["problem"] and one["problem"]["code"] for one in results]


def completed(ana: Visitor, uploads: Sequence[Any]) -> list[Any]:
    ids = [upload["id"] for upload in uploads]
    return [one["upload"] for one in ana.json("POST", "/uploads:complete", json={"ids": ids})["results"]]


def test_files_arrive_together_and_become_files(ana: Visitor, door: Door) -> None:
    uploads, before = begun(ana), leftovers()

    assert codes(door.send("POST", URL, content=body(uploads))) == [None] * 3

    files = [upload["file"] for upload in completed(ana, uploads)]
    assert [content(file["id"]) for file in files] == FILES
    assert leftovers() == before


def test_sent_again_changes_nothing(ana: Visitor, door: Door) -> None:
    uploads = begun(ana)
    for _ in range(2):
        assert codes(door.send("POST", URL, content=body(uploads))) == [None] * 3
    completed(ana, uploads)
    assert File.objects.count() == 3


def test_one_flipped_byte_is_that_files_trouble_alone(ana: Visitor, door: Door) -> None:
    uploads = begun(ana)
    bad = [FILES[0], FILES[1][:-1] + b"X", FILES[2]]

    assert codes(door.send("POST", URL, content=body(uploads, bad))) == [None, "checksum_mismatch", None]

    ids = [upload["id"] for upload in uploads]
    results = ana.json("POST", "/uploads:complete", json={"ids": ids})["results"]
    assert [(one["problem"] or {}).get("code") for one in results] == [None, "parts_missing", None]
    assert File.objects.count() == 2


def test_signature_binds_the_upload_and_the_checksum(ana: Visitor, door: Door) -> None:
    (one, other, _), before = begun(ana), leftovers()
    url = one["put"]["url"]
    stolen = [url.replace(one["id"], other["id"]), url[:-1] + ("0" if url[-1] != "0" else "1"), "/api/v1/uploads"]

    sent = b"".join(f"1 {address}\na".encode() for address in stolen)

    assert codes(door.send("POST", URL, content=sent)) == ["signature_invalid"] * 3
    assert leftovers() == before


def test_address_of_another_length_or_of_a_part_is_refused(ana: Visitor, door: Door) -> None:
    uploads = begun(ana)
    parts = begin(ana, b"x" * (5 * MIB + 1))
    first, last = sign(ana, parts, 1, b"x" * 5 * MIB), sign(ana, parts, 2, b"x")

    sent = f"2 {uploads[0]['put']['url']}\naa1 {last['url']}\nx".encode()
    assert codes(door.send("POST", URL, content=sent)) == ["wrong_length"] * 2

    answer = door.send("POST", URL, content=f"{5 * MIB} {first['url']}\n".encode())
    assert answer.status_code == 422
    assert "send it alone" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"", "file 1"),
        (b"{}", "file 1"),
        (b"hello\n", "File 1 does not begin"),
        (b"-1 /x\n", "File 1 does not begin"),
        (b"x" * (LINE_MAX + 1), "File 1 does not begin"),
        (b"5 /x\nabc", "middle of file 1"),
    ],
)
def test_what_is_no_bundle_is_refused(door: Door, sent: bytes, said: str) -> None:
    answer = door.send("POST", URL, content=sent)
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


def test_what_came_before_the_cut_has_arrived(ana: Visitor, door: Door) -> None:
    uploads = begun(ana)
    answer = door.send("POST", URL, content=body(uploads)[:-1])
    assert answer.status_code == 422
    assert "middle of file 3" in answer.json()["detail"]
    assert [upload["state"] for upload in completed(ana, uploads[:2])] == ["complete"] * 2


def test_length_is_asked_for(ana: Visitor, door: Door) -> None:
    sent = body(begun(ana))
    headers = [(b"host", HOST.encode()), (b"transfer-encoding", b"chunked")]
    assert door.raw("POST", URL, headers=headers, chunks=(sent,)).status == 411


def test_body_has_a_bound(door: Door) -> None:
    assert door.raw("POST", URL, headers=[(b"host", HOST.encode()), (b"content-length", b"9000000")]).status == 413


def test_full_disk_is_said_of_each_file_and_leaves_nothing(
    ana: Visitor, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploads = begun(ana)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as broken:
        broken.setattr(local_parts_module, "write_at", full)
        assert codes(door.send("POST", URL, content=body(uploads))) == ["storage_full"] * 3
    assert codes(door.send("POST", URL, content=body(uploads))) == [None] * 3
    assert [content(upload["file"]["id"]) for upload in completed(ana, uploads)] == FILES


def test_upload_that_ended_takes_nothing(ana: Visitor, door: Door) -> None:
    (upload,) = begun(ana, [b"abc"])
    assert codes(door.send("POST", URL, content=body([upload], [b"abc"]))) == [None]
    complete(ana, upload)
    before = Upload.objects.get().touched_at
    assert codes(door.send("POST", URL, content=body([upload], [b"abc"]))) == [None]
    assert (Upload.objects.get().touched_at, File.objects.count()) == (before, 1)
    parts = local_parts(Upload.objects.get())
    assert parts is not None
    parts.drop(Upload.objects.get().pk)  # the sweep's work: bytes that came after the end


def test_config_says_how_much(ana: Visitor) -> None:
    assert ana.json("GET", "/uploads/config")["bundle_max"] == 8 * MIB


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 3_000), min_size=1, max_size=6),
    cut=st.integers(1, 5_000),
)
def test_body_may_be_cut_anywhere(lengths: list[int], cut: int) -> None:
    """Addresses that nobody signed: where each file begins and ends is what this is about."""
    sent = b"".join(f"{length} /address\n".encode() + b"\n1 /x\n"[:1] * length for length in lengths)
    bundle = Bundle()
    for piece in batched(sent, cut, strict=False):
        bundle.write(bytes(piece))
    bundle.close()
    assert [type(outcome) for outcome in bundle.outcomes] == [SignatureInvalid] * len(lengths)


def test_number_of_files_has_a_bound() -> None:
    """Who may send nothing must not be answered a million times."""
    bundle = Bundle()
    bundle.write(b"0 /x\n" * BATCH_MAX)
    with pytest.raises(Invalid, match="at most 1,000 files"):
        bundle.write(b"0 /x\n")


def test_memory_is_one_file_and_no_more() -> None:
    bundle = Bundle()
    with pytest.raises(Invalid, match="send it alone"):
        bundle.write(f"{BUNDLED_MAX + 1} /address\n".encode())
