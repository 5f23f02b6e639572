"""Multipart uploads: create, part, list, complete, abort."""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Final

from tests.s3_double import checksums, documents
from tests.s3_double.errors import Refused
from tests.s3_double.objects import version_of
from tests.s3_double.requests import Piece, Reply
from tests.s3_double.store import SSE, Multipart, UploadedPart, Version, encryption_of, etag_for, kept_headers, stamp

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from tests.s3_double.requests import Request
    from tests.s3_double.store import Bucket, Store

MAX_PARTS: Final = 10_000
TYPE: Final = "x-amz-checksum-type"


def create(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    store.check_encryption(request)
    algorithm = request.header("x-amz-checksum-algorithm").lower() or ("" if store.rules.no_crc64 else "crc64nvme")
    sum_type = request.header(TYPE) or ("FULL_OBJECT" if algorithm in {"", "crc64nvme"} else "COMPOSITE")
    if algorithm and algorithm not in checksums.ALGORITHMS:
        raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
    if algorithm and (sum_type == "FULL_OBJECT") != (algorithm == "crc64nvme"):
        raise Refused(
            "InvalidRequest", f"The {sum_type} checksum type cannot be used with the {algorithm} checksum algorithm."
        )
    multipart = Multipart(uuid.uuid4().hex, request.key, store.moment(), algorithm, sum_type, kept_headers(request))
    with store.lock:
        bucket.multiparts[multipart.id] = multipart
    said = {"x-amz-checksum-algorithm": algorithm.upper(), TYPE: sum_type} if algorithm else {}
    fields = {"Bucket": bucket.name, "Key": request.key, "UploadId": multipart.id}
    return Reply(
        headers=said | encryption_of(multipart.headers), body=documents.write("InitiateMultipartUploadResult", fields)
    )


def upload_part(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    number = request.number("partNumber", 0)
    if not 1 <= number <= MAX_PARTS:
        raise Refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    if request.header(SSE):
        raise Refused("InvalidArgument", f"{SSE} header is not supported for this operation.")
    multipart = bucket.multipart(request)
    if request.body.length > store.rules.max_put_size:
        raise Refused("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
    _right_algorithm(request, multipart)
    path = store.new_path()
    try:
        names = (multipart.algorithm,) if multipart.algorithm else ()
        got = request.body.save(path, names, with_md5=multipart.headers[SSE] != "aws:kms")
        part = UploadedPart(number, store.moment(), got.size, etag_for(got.md5, multipart.headers), got.sums, path)
        with store.lock:
            before = bucket.multipart(request).parts.get(number)  # raises when it was ended meanwhile
            multipart.parts[number] = part
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    if before:
        before.path.unlink(missing_ok=True)
    sums = {checksums.HEADER + name: value for name, value in part.sums.items()}
    return Reply(headers={"ETag": f'"{part.etag}"', **sums, **encryption_of(multipart.headers)})


def _right_algorithm(request: Request, multipart: Multipart) -> None:
    declared = checksums.declared(request.headers)
    name = declared[0] if declared else request.header("x-amz-trailer").removeprefix(checksums.HEADER)
    if name and multipart.algorithm and name != multipart.algorithm:
        raise Refused(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected: {multipart.algorithm}, actual: {name}",
        )


def list_parts(store: Store, request: Request) -> Reply:
    multipart = store.bucket(request.bucket).multipart(request)
    marker, page = request.number("part-number-marker", 0), _page(store, request, "max-parts")
    with store.lock:
        after = [part for number, part in sorted(multipart.parts.items()) if number > marker]
    shown = after[:page]
    fields = {
        "Bucket": request.bucket,
        "Key": request.key,
        "UploadId": multipart.id,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": shown[-1].number if shown else 0,
        "MaxParts": page,
        "IsTruncated": len(after) > len(shown),
        "StorageClass": "STANDARD",
        "ChecksumAlgorithm": multipart.algorithm.upper() or None,
        "ChecksumType": multipart.sum_type if multipart.algorithm else None,
        "Part": [_listed(part) for part in shown],
    }
    return Reply(body=documents.write("ListPartsResult", fields))


def _listed(part: UploadedPart) -> dict[str, object]:
    return {
        "PartNumber": part.number,
        "LastModified": stamp(part.at),
        "ETag": f'"{part.etag}"',
        "Size": part.size,
        **{checksums.member(name): value for name, value in part.sums.items()},
    }


def _page(store: Store, request: Request, name: str) -> int:
    return min(request.number(name, 1000), store.rules.page_size)


def complete(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    multipart = bucket.multipart(request)
    listed = documents.read(request.body.read(checked=False)).findall("Part")
    if not listed:
        raise Refused("MalformedXML", "The XML you provided was not well-formed or did not validate against our schema")
    with store.lock:
        bucket.multipart(request)
        parts = _chosen(store, multipart, listed)
        version = _joined(store, bucket, multipart, parts)
        _compare(store, request, version)
        store.check_precondition(request, bucket)
        bucket.add(version)
        del bucket.multiparts[multipart.id]
    for number in multipart.parts.keys() - {part.number for part in parts}:
        multipart.parts[number].path.unlink(missing_ok=True)
    fields = {
        "Location": f"http://{request.header('host')}{request.raw_path}",
        "Bucket": bucket.name,
        "Key": request.key,
        "ETag": f'"{version.etag}"',
        **{checksums.member(name): value for name, value in version.sums.items()},
        "ChecksumType": version.sum_type if version.sums else None,
    }
    headers = version_of(bucket, version) | encryption_of(version.headers)
    return Reply(headers=headers, body=documents.write("CompleteMultipartUploadResult", fields))


def _chosen(store: Store, multipart: Multipart, listed: list[Element]) -> list[UploadedPart]:
    numbers = [int(item.findtext("PartNumber", "0")) for item in listed]
    if numbers != sorted(set(numbers)):
        raise Refused("InvalidPartOrder", "The list of parts was not in ascending order.")
    chosen = [_same(multipart, number, item) for number, item in zip(numbers, listed, strict=True)]
    for part in chosen[:-1]:
        if part.size < store.rules.min_part_size:
            raise Refused(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                PartNumber=str(part.number),
                ProposedSize=str(part.size),
                MinSizeAllowed=str(store.rules.min_part_size),
            )
    return chosen


def _same(multipart: Multipart, number: int, item: Element) -> UploadedPart:
    part = multipart.parts.get(number)
    is_same = part is not None and item.findtext("ETag", "").strip('"') == part.etag
    for name in checksums.ALGORITHMS:
        given = item.findtext(checksums.member(name))
        if part is not None and given is not None and (name in part.sums or name == multipart.algorithm):
            is_same = is_same and given == part.sums.get(name)
    if part is None or not is_same:
        raise Refused("InvalidPart", "One or more of the specified parts could not be found.", PartNumber=str(number))
    return part


def _joined(store: Store, bucket: Bucket, multipart: Multipart, parts: list[UploadedPart]) -> Version:
    etags = hashlib.md5("".join(part.etag for part in parts).encode(), usedforsecurity=False).hexdigest()
    name, sums = multipart.algorithm, {}
    if name == "crc64nvme":
        sums[name] = checksums.combine((part.sums[name], part.size) for part in parts)
    elif name:
        sums[name] = checksums.composite(name, [part.sums[name] for part in parts])
    return Version(
        key=multipart.key,
        id=bucket.new_version_id(),
        at=store.moment(),
        size=sum(part.size for part in parts),
        etag=f"{etags}-{len(parts)}",
        pieces=tuple(Piece(part.path, 0, part.size) for part in parts),
        sums=sums,
        sum_type=multipart.sum_type,
        headers=multipart.headers,
        part_count=len(parts),
    )


def _compare(store: Store, request: Request, version: Version) -> None:
    """What the client says about the whole against what it is."""
    size = request.header("x-amz-mp-object-size")
    if size and int(size) != version.size and not store.rules.no_object_size:
        raise Refused("InvalidRequest", f"The x-amz-mp-object-size is {size}; the parts are {version.size} bytes")
    if request.header(TYPE) and version.sums and request.header(TYPE) != version.sum_type:
        raise Refused("InvalidRequest", f"The upload was created with checksum type {version.sum_type}")
    declared = checksums.declared(request.headers)
    if declared and declared[0] not in version.sums:
        raise Refused("InvalidRequest", f"The upload was not created with {declared[0]}")
    if declared and version.sums[declared[0]] != declared[1]:
        raise Refused("BadDigest", f"The {declared[0].upper()} you specified did not match what we computed.")


def abort(store: Store, request: Request) -> Reply:
    with store.lock:
        bucket = store.bucket(request.bucket)
        multipart = bucket.multipart(request)
        del bucket.multiparts[multipart.id]
    for part in multipart.parts.values():
        part.path.unlink(missing_ok=True)
    return Reply(204)
