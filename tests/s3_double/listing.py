"""Lists of objects, versions and unfinished multipart uploads, page by page."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.s3_double import documents
from tests.s3_double.errors import Refused
from tests.s3_double.requests import Reply
from tests.s3_double.store import stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.s3_double.requests import Request
    from tests.s3_double.store import Multipart, Store, Version


def list_objects(store: Store, request: Request) -> Reply:
    """Version 2."""
    bucket, page, text = store.bucket(request.bucket), _page(store, request, "max-keys"), _encoder(request)
    prefix, delimiter = request.param("prefix"), request.param("delimiter")
    token = request.param("continuation-token")
    after = base64.urlsafe_b64decode(token).decode() if token else request.param("start-after")
    with store.lock:
        current = [version for key in sorted(bucket.versions) if (version := bucket.current(key))]
    entries: dict[str, Version | None] = {}  # None for a common prefix
    for version in current:
        if version.key.startswith(prefix):
            group = _group(version.key, prefix, delimiter)
            entries.setdefault(group or version.key, None if group else version)
    names = [name for name in entries if name > after]
    shown = names[:page]
    is_truncated = len(names) > len(shown)
    fields = {
        "Name": bucket.name,
        "Prefix": text(prefix),
        "Delimiter": text(delimiter) or None,
        "MaxKeys": page,
        "KeyCount": len(shown),
        "EncodingType": request.param("encoding-type") or None,
        "IsTruncated": is_truncated,
        "ContinuationToken": token or None,
        "NextContinuationToken": base64.urlsafe_b64encode(shown[-1].encode()).decode() if is_truncated else None,
        "Contents": [_object(version, text) for name in shown if (version := entries[name])],
        "CommonPrefixes": [{"Prefix": text(name)} for name in shown if entries[name] is None],
    }
    return Reply(body=documents.write("ListBucketResult", fields))


def _group(key: str, prefix: str, delimiter: str) -> str:
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + head + delimiter if found else ""


def _object(version: Version, text: Callable[[str], str]) -> dict[str, object]:
    return {
        "Key": text(version.key),
        "LastModified": stamp(version.at),
        "ETag": f'"{version.etag}"',
        "Size": version.size,
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": [name.upper() for name in version.sums],
        "ChecksumType": version.sum_type if version.sums else None,
    }


def list_versions(store: Store, request: Request) -> Reply:
    bucket, page, text = store.bucket(request.bucket), _page(store, request, "max-keys"), _encoder(request)
    prefix, marker = request.param("prefix"), (request.param("key-marker"), request.param("version-id-marker"))
    if request.param("delimiter"):
        raise Refused("NotImplemented", "Versions are listed without a delimiter")
    with store.lock:
        rows = [
            (version, version is versions[-1])
            for key, versions in sorted(bucket.versions.items())
            if key.startswith(prefix)
            for version in reversed(versions)
        ]
    rows = _after(rows, marker, lambda row: (row[0].key, row[0].id))
    shown = rows[:page]
    last = shown[-1][0] if len(rows) > len(shown) else None
    fields = {
        "Name": bucket.name,
        "Prefix": text(prefix),
        "KeyMarker": text(marker[0]),
        "VersionIdMarker": marker[1],
        "MaxKeys": page,
        "EncodingType": request.param("encoding-type") or None,
        "IsTruncated": last is not None,
        "NextKeyMarker": text(last.key) if last else None,
        "NextVersionIdMarker": last.id if last else None,
        "Version": [
            _object(version, text) | {"VersionId": version.id, "IsLatest": is_latest}
            for version, is_latest in shown
            if not version.is_marker
        ],
        "DeleteMarker": [
            {"Key": text(v.key), "VersionId": v.id, "IsLatest": is_latest, "LastModified": stamp(v.at)}
            for v, is_latest in shown
            if v.is_marker
        ],
    }
    return Reply(body=documents.write("ListVersionsResult", fields))


def list_multiparts(store: Store, request: Request) -> Reply:
    bucket, page, text = store.bucket(request.bucket), _page(store, request, "max-uploads"), _encoder(request)
    prefix, marker = request.param("prefix"), (request.param("key-marker"), request.param("upload-id-marker"))
    with store.lock:
        begun = sorted(bucket.multiparts.values(), key=lambda multipart: (multipart.key, multipart.at, multipart.id))
    rows = _after(
        [m for m in begun if m.key.startswith(prefix)], marker, lambda multipart: (multipart.key, multipart.id)
    )
    shown = rows[:page]
    last = shown[-1] if len(rows) > len(shown) else None
    fields = {
        "Bucket": bucket.name,
        "Prefix": text(prefix),
        "KeyMarker": text(marker[0]),
        "UploadIdMarker": marker[1],
        "MaxUploads": page,
        "EncodingType": request.param("encoding-type") or None,
        "IsTruncated": last is not None,
        "NextKeyMarker": text(last.key) if last else None,
        "NextUploadIdMarker": last.id if last else None,
        "Upload": [_begun(multipart, text) for multipart in shown],
    }
    return Reply(body=documents.write("ListMultipartUploadsResult", fields))


def _begun(multipart: Multipart, text: Callable[[str], str]) -> dict[str, object]:
    return {
        "Key": text(multipart.key),
        "UploadId": multipart.id,
        "Initiated": stamp(multipart.at),
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": multipart.algorithm.upper() or None,
        "ChecksumType": multipart.sum_type if multipart.algorithm else None,
    }


def _page(store: Store, request: Request, name: str) -> int:
    return min(request.number(name, 1000), store.rules.page_size)


def _encoder(request: Request) -> Callable[[str], str]:
    return quote if request.param("encoding-type") == "url" else str


def _after[T](rows: list[T], marker: tuple[str, str], place: Callable[[T], tuple[str, str]]) -> list[T]:
    """The rows behind the one that `marker` names; behind all of its key where it names no id."""
    key, identity = marker
    if not key:
        return rows
    for index, row in enumerate(rows):
        if identity and place(row) == marker:
            return rows[index + 1 :]
    return [row for row in rows if place(row)[0] > key]
