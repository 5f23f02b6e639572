"""SEC-070 to SEC-078 as far as a store that refuses like S3 can show them."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from orchestration.models import File, Upload
from tests.api.direct import DATA, begin, complete, content, crc, fetch, pieces, put, send, sign, work
from tests.factories import join, make_user
from tests.s3_double.fixtures import BUCKET
from tests.s3_double.signed import refusal

if TYPE_CHECKING:
    from orchestration.models import User, Workspace
    from tests.api.door import Door, Visitor
    from tests.s3_double.server import S3Double
    from tests.s3_double.store import Bucket

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("small_parts")]
SMALL = b"a,b\n1,2\n"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def small(who: Visitor, data: bytes = SMALL, **fields: Any) -> Any:
    return begin(who, data, crc64nvme=crc(data), name="t.csv", content_type="text/csv", **fields)


def changed(signed: Any, old: str, new: str) -> Any:
    assert old in signed["url"]
    return signed | {"url": signed["url"].replace(old, new)}


# SEC-070: the key is ours


def test_no_part_of_a_key_is_chosen_by_the_client(ana: Visitor, lab: Workspace) -> None:
    put(small(ana, path="photos/secret")["put"], SMALL)
    key = Upload.objects.get().key
    assert re.fullmatch(rf"{lab.pk}/[0-9a-f]{{2}}/{UUID}", key)
    batch = {"workspace": "lab", "uploads": [{"name": "secret", "size": 1, "crc64nvme": crc(b"x")}]}
    said = ana.json("POST", "/uploads:batch", json=batch)["results"][0]["upload"]
    assert re.fullmatch(rf"/{BUCKET}/uploads/{lab.pk}/b/{UUID}/{UUID}", urlsplit(said["put"]["url"]).path)


@pytest.mark.parametrize("name", ["key", "bucket", "version", "multipart_id", "storage"])
def test_request_that_names_a_place_in_the_bucket_is_refused(ana: Visitor, name: str) -> None:
    body = {"name": "a", "size": 5, "workspace": "lab", name: "x"}
    assert ana.json("POST", "/uploads", 422, json=body)["errors"][0]["loc"] == ["body", name]
    upload = small(ana)
    assert ana("POST", f"/uploads/{upload['id']}/complete", json={name: "x"}).status_code == 422


# SEC-071: what a signed PUT binds


def test_signed_put_binds_everything_there_is(ana: Visitor) -> None:
    single = small(ana)["put"]
    signed = asked(single["url"])
    names = "content-length;content-type;host;if-none-match;x-amz-checksum-crc64nvme"
    assert signed["X-Amz-SignedHeaders"] == names
    assert int(signed["X-Amz-Expires"]) <= 900
    assert set(single["headers"]) | {"host"} == set(names.split(";"))
    upload = begin(ana)
    part = asked(sign(ana, upload, 2, pieces(upload)[2])["url"])
    assert part["X-Amz-SignedHeaders"] == "content-length;host;x-amz-checksum-crc64nvme"
    assert (part["partNumber"], int(part["X-Amz-Expires"]) <= 900) == ("2", True)


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/html"},
        {"x-amz-checksum-crc64nvme": crc(b"other")},
        {"x-amz-acl": "public-read"},
        {"x-amz-server-side-encryption": "AES256"},
        {"x-amz-storage-class": "GLACIER"},
        {"x-amz-tagging": "GuardDutyMalwareScanStatus=NO_THREATS_FOUND"},
        {"x-amz-meta-a": "b"},
    ],
)
def test_other_header_than_signed_is_refused(ana: Visitor, bucket: Bucket, headers: dict[str, str]) -> None:
    assert put(small(ana)["put"], SMALL, **headers).status_code == 403
    assert not bucket.versions


def test_precondition_cannot_be_left_out(ana: Visitor, bucket: Bucket) -> None:
    signed = small(ana)["put"]
    del signed["headers"]["if-none-match"]
    assert refusal(put(signed, SMALL)) == (403, "SignatureDoesNotMatch")
    assert not bucket.versions


def test_url_is_for_this_place_this_part_and_this_quarter_of_an_hour(
    ana: Visitor, s3: S3Double, bucket: Bucket
) -> None:
    single, other = small(ana)["put"], small(ana)["put"]
    path, elsewhere = urlsplit(single["url"]).path, urlsplit(other["url"]).path
    upload = begin(ana)
    part = sign(ana, upload, 1, pieces(upload)[1])
    for signed, data in (
        (changed(single, path, elsewhere), SMALL),
        (changed(single, "X-Amz-Expires=900", "X-Amz-Expires=9000"), SMALL),
        (changed(single, "X-Amz-Signature=", "X-Amz-Signature=f"), SMALL),
        (changed(single, "content-type%3B", ""), SMALL),
        (changed(part, "partNumber=1", "partNumber=2"), pieces(upload)[1]),
        (changed(part, "uploadId=", "uploadId=f"), pieces(upload)[1]),
    ):
        assert refusal(put(signed, data)) == (403, "SignatureDoesNotMatch")
    s3.later(901)
    for signed, data in ((single, SMALL), (part, pieces(upload)[1])):
        answer = put(signed, data)
        assert refusal(answer) == (403, "AccessDenied")
        assert "Request has expired" in answer.text
    assert not bucket.versions


def test_other_length_than_signed_is_refused(ana: Visitor, bucket: Bucket) -> None:
    upload = begin(ana)
    part = sign(ana, upload, 1, pieces(upload)[1])
    for signed, data in ((small(ana)["put"], SMALL), (part, pieces(upload)[1])):
        for other in (data[:-1], data + b"x"):
            answer = put(signed, other, **{"content-length": str(len(other))})
            assert refusal(answer) == (403, "SignatureDoesNotMatch")
    assert not bucket.versions


def test_second_put_meets_the_first(ana: Visitor, bucket: Bucket) -> None:
    upload = small(ana)
    assert [put(upload["put"], SMALL).status_code for _ in range(2)] == [200, 412]
    file = complete(ana, upload)["file"]
    assert put(upload["put"], SMALL).status_code == 412, "also after the end"
    assert [len(versions) for versions in bucket.versions.values()] == [1]
    assert content(file) == SMALL


# SEC-072: see test_upload_direct_faults.py. SEC-073: whose upload it is


def test_only_its_own_user_can_sign_or_complete_an_upload(
    ana: Visitor, eva: Visitor, door: Door, lab: Workspace
) -> None:
    upload = begin(ana)
    send(ana, upload)
    teammate = make_user("tom")
    join(teammate, lab)
    parts = {"parts": [{"number": 1, "crc64nvme": crc(b"")}]}
    for who in (eva, door.as_(teammate)):
        assert who("POST", f"/uploads/{upload['id']}/complete", json={}).status_code == 404
        assert who("POST", f"/uploads/{upload['id']}/parts", json=parts).status_code == 404
        assert who("GET", f"/uploads/{upload['id']}").status_code == 404
        said = who.json("POST", "/uploads:complete", json={"ids": [upload["id"]]})["results"]
        assert said[0]["problem"]["code"] == "not_found"
        many = {"parts": [{"id": upload["id"], "number": 1, "crc64nvme": crc(b"")}]}
        assert who.json("POST", "/uploads:sign", json=many)["results"][0]["problem"]["code"] == "not_found"
    assert Upload.objects.get().state == "open"


# SEC-074: the end of a multipart upload


def test_parts_are_joined_by_us_with_size_checksum_and_precondition(ana: Visitor, s3: S3Double) -> None:
    upload = begin(ana)
    send(ana, upload)
    complete(ana, upload)
    (call,) = s3.ledger.of("CompleteMultipartUpload")
    assert {n: v for n, v in call.headers.items() if n.startswith(("x-amz-checksum", "x-amz-mp", "if-"))} == {
        "if-none-match": "*",
        "x-amz-checksum-crc64nvme": crc(DATA),
        "x-amz-checksum-type": "FULL_OBJECT",
        "x-amz-mp-object-size": str(len(DATA)),
    }
    (begun,) = s3.ledger.of("CreateMultipartUpload")
    assert begun.headers["x-amz-checksum-type"] == "FULL_OBJECT"


# SEC-075: nobody without a signature


def test_bucket_gives_nothing_to_nobody(ana: Visitor, s3: S3Double) -> None:
    upload = small(ana)
    put(upload["put"], SMALL)
    address = upload["put"]["url"].partition("?")[0]
    for answer in (httpx.get(address), httpx.get(f"{s3.endpoint}/{BUCKET}?list-type=2"), httpx.delete(address)):
        assert refusal(answer) == (403, "AccessDenied")


# SEC-076: downloads


def test_download_is_an_attachment_for_five_minutes_for_who_may_see_it(
    ana: Visitor, eva: Visitor, caplog: pytest.LogCaptureFixture, s3: S3Double
) -> None:
    caplog.set_level(logging.DEBUG, logger="orchestration")
    caplog.set_level(logging.DEBUG, logger="project")
    data = b"<script>alert(1)</script>"
    upload = begin(ana, data, crc64nvme=crc(data), name='x"; y.html', content_type="text/html")
    put(upload["put"], data)
    file = complete(ana, upload)["file"]
    assert ana("GET", f"/files/{file['id']}/content").status_code == 409, "not before it was examined"
    work()
    assert eva("GET", f"/files/{file['id']}/content").status_code == 404
    answer = ana("GET", f"/files/{file['id']}/content")
    url = answer.headers["location"]
    query = asked(url)
    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    assert int(query["X-Amz-Expires"]) <= 300
    assert query["versionId"] == File.objects.get().version
    got = httpx.get(url)
    assert got.content == data
    assert got.headers["content-disposition"].startswith("attachment;")
    assert got.headers["content-type"] == "application/octet-stream", "nothing that a browser would run"
    for old, new in (("attachment", "inline"), ("octet-stream", "html"), (query["versionId"], "null")):
        assert old in url
        assert refusal(httpx.get(url.replace(old, new))) == (403, "SignatureDoesNotMatch")
    assert "X-Amz-Signature" not in caplog.text
    s3.later(301)
    assert refusal(httpx.get(url)) == (403, "AccessDenied")


def test_deleted_file_is_not_signed_for(ana: Visitor) -> None:
    upload = small(ana)
    put(upload["put"], SMALL)
    file = complete(ana, upload)["file"]
    work()
    assert fetch(ana, file).content == SMALL
    assert ana("DELETE", f"/files/{file['id']}").status_code == 204
    assert ana("GET", f"/files/{file['id']}/content").status_code == 404


# SEC-077: what a page may send, where the bucket's rule is for our origin


def test_page_of_ours_may_send_and_another_may_not(ana: Visitor, s3: S3Double) -> None:
    s3.allow_origin(BUCKET, "https://app.example")
    signed = small(ana)["put"]
    ask = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": ",".join(signed["headers"])}
    assert httpx.options(signed["url"], headers=ask | {"Origin": "https://evil.example"}).status_code == 403
    assert httpx.options(signed["url"], headers=ask | {"Origin": "https://app.example"}).status_code == 200
    answer = put(signed, SMALL, origin="https://app.example")
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


# SEC-078: no form


def test_every_capability_is_a_put(ana: Visitor, viewer: User, door: Door) -> None:
    upload = begin(ana)
    capabilities = [small(ana)["put"], sign(ana, upload, 1, pieces(upload)[1])]
    for signed in capabilities:
        assert signed["method"] == "PUT"
        assert httpx.post(signed["url"], content=SMALL).status_code == 403
        assert httpx.get(signed["url"]).status_code == 403
    assert door.as_(viewer)("POST", "/uploads", json={"name": "a", "size": 1}).status_code == 403
