"""Whole objects: PUT, GET, HEAD, DELETE, tags."""

from __future__ import annotations

from dataclasses import replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Final

from tests.s3_double import checksums, documents
from tests.s3_double.errors import Refused
from tests.s3_double.requests import Piece, Reply
from tests.s3_double.store import SSE, Version, encryption_of, etag_for, kept_headers

if TYPE_CHECKING:
    from tests.s3_double.requests import Request
    from tests.s3_double.store import Bucket, Store

OVERRIDES: Final = {
    f"response-{name}": name
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}


def put_object(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    if request.body.length > store.rules.max_put_size:
        raise Refused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    store.check_encryption(request)
    store.check_precondition(request, bucket)
    headers, path = kept_headers(request), store.new_path()
    declared = request.headers.keys() & {checksums.HEADER + name for name in checksums.ALGORITHMS}
    names = () if store.rules.no_crc64 or declared or request.header("x-amz-trailer") else ("crc64nvme",)
    try:
        got = request.body.save(path, names, with_md5=headers[SSE] != "aws:kms")
        with store.lock:
            store.check_precondition(request, bucket)  # somebody else may have been quicker
            version = Version(
                key=request.key,
                id=bucket.new_version_id(),
                at=store.moment(),
                size=got.size,
                etag=etag_for(got.md5, headers),
                pieces=(Piece(path, 0, got.size),),
                sums=got.sums,
                headers=headers,
            )
            bucket.add(version)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return Reply(
        headers={
            "ETag": f'"{version.etag}"',
            **sums_of(version),
            **encryption_of(headers),
            **version_of(bucket, version),
        }
    )


def sums_of(version: Version) -> dict[str, str]:
    if not version.sums:
        return {}
    return {checksums.HEADER + n: v for n, v in version.sums.items()} | {"x-amz-checksum-type": version.sum_type}


def version_of(bucket: Bucket, version: Version) -> dict[str, str]:
    return {"x-amz-version-id": version.id} if bucket.versioning else {}


def _wanted(store: Store, request: Request) -> tuple[Bucket, Version]:
    bucket = store.bucket(request.bucket)
    if request.param("versionId"):
        version = bucket.version(request.key, request.param("versionId"))
        if version.is_marker:
            raise Refused("MethodNotAllowed", "A delete marker is not read", headers={"x-amz-delete-marker": "true"})
        return bucket, version
    current = bucket.current(request.key)
    if current is None:
        marker = {"x-amz-delete-marker": "true"} if request.key in bucket.versions else None
        raise Refused("NoSuchKey", "The specified key does not exist.", headers=marker, Key=request.key)
    return bucket, current


def get_object(store: Store, request: Request) -> Reply:
    bucket, version = _wanted(store, request)
    headers = version.headers | {
        "ETag": f'"{version.etag}"',
        "Last-Modified": format_datetime(version.at, usegmt=True),
        "Accept-Ranges": "bytes",
        **version_of(bucket, version),
    }
    if version.tags:
        headers["x-amz-tagging-count"] = str(len(version.tags))
    if request.header("if-match") not in {"", headers["ETag"], "*"}:
        raise Refused(
            "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", Condition="If-Match"
        )
    headers |= {name: request.param(param) for param, name in OVERRIDES.items() if request.param(param)}
    first, last = _range(request.header("range"), version.size)
    status = 200
    if request.header("range"):
        status, headers["Content-Range"] = 206, f"bytes {first}-{last}/{version.size}"
    elif request.header("x-amz-checksum-mode").upper() == "ENABLED":
        headers |= sums_of(version)
    return Reply(status, headers, pieces=_cut(version.pieces, first, last + 1))


def _range(text: str, size: int) -> tuple[int, int]:
    if not text:
        return 0, size - 1
    first, _, last = text.removeprefix("bytes=").partition("-")
    if not text.startswith("bytes=") or "," in text or not (first + last).isdecimal():
        raise Refused("InvalidArgument", f"Not one range: {text}")
    begin, end = (int(first), min(int(last or size), size - 1)) if first else (max(size - int(last), 0), size - 1)
    if begin > end:
        raise Refused(
            "InvalidRange", "The requested range is not satisfiable", headers={"Content-Range": f"bytes */{size}"}
        )
    return begin, end


def _cut(pieces: tuple[Piece, ...], begin: int, end: int) -> list[Piece]:
    found, at = [], 0
    for piece in pieces:
        first, last = max(begin - at, 0), min(end - at, piece.size)
        if first < last:
            found.append(Piece(piece.path, piece.offset + first, last - first))
        at += piece.size
    return found


def delete_object(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    with store.lock:
        return Reply(204, remove(store, bucket, request.key, request.param("versionId")))


def remove(store: Store, bucket: Bucket, key: str, version_id: str) -> dict[str, str]:
    """One version for good, or a marker over all of them. What the answer says about it."""
    if version_id:
        try:
            version = bucket.version(key, version_id)
        except Refused:
            return {"x-amz-version-id": version_id}
        bucket.remove(version)
        _forget(version)
        return {"x-amz-version-id": version_id} | ({"x-amz-delete-marker": "true"} if version.is_marker else {})
    if not bucket.versioning:
        for version in bucket.versions.pop(key, []):
            _forget(version)
        return {}
    marker = Version(key=key, id=bucket.new_version_id(), at=store.moment(), is_marker=True)
    bucket.add(marker)
    return {"x-amz-version-id": marker.id, "x-amz-delete-marker": "true"}


def _forget(version: Version) -> None:
    for piece in version.pieces:
        piece.path.unlink(missing_ok=True)


def delete_objects(store: Store, request: Request) -> Reply:
    if not checksums.declared(request.headers) and not request.header("content-md5"):
        raise Refused("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
    bucket = store.bucket(request.bucket)
    root = documents.read(request.body.read())
    deleted = []
    with store.lock:
        for item in root.findall("Object"):
            key, version_id = item.findtext("Key", ""), item.findtext("VersionId", "")
            said = remove(store, bucket, key, version_id)
            is_marker = "x-amz-delete-marker" in said or None
            deleted.append(
                {
                    "Key": key,
                    "VersionId": version_id or None,
                    "DeleteMarker": is_marker,
                    "DeleteMarkerVersionId": said["x-amz-version-id"] if is_marker else None,
                }
            )
    if root.findtext("Quiet") == "true":
        deleted = []
    return Reply(body=documents.write("DeleteResult", {"Deleted": deleted}))


def get_tags(store: Store, request: Request) -> Reply:
    bucket, version = _wanted(store, request)
    tags = [{"Key": key, "Value": value} for key, value in version.tags]
    return Reply(headers=version_of(bucket, version), body=documents.write("Tagging", {"TagSet": {"Tag": tags}}))


def put_tags(store: Store, request: Request) -> Reply:
    root = documents.read(request.body.read())
    tags = [(tag.findtext("Key", ""), tag.findtext("Value", "")) for tag in root.iter("Tag")]
    with store.lock:
        bucket, version = _wanted(store, request)
        bucket.replace(version, replace(version, tags=tags))
    return Reply(headers=version_of(bucket, version))
