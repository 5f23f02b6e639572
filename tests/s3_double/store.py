"""What the store holds: buckets, versions, parts; and what it is like."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Final

from tests.s3_double.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_double.requests import Piece, Request

MIB: Final = 1 << 20
GIB: Final = 1 << 30
SSE: Final = "x-amz-server-side-encryption"
SSE_KEY: Final = "x-amz-server-side-encryption-aws-kms-key-id"
KEPT: Final = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)


@dataclass
class Rules:
    """What this store is like. A test changes it at any time."""

    min_part_size: int = 5 * MIB
    max_put_size: int = 5 * GIB
    page_size: int = 1000
    require_kms: str = ""  # the key id without which nothing may be written
    no_crc64: bool = False  # a store that does not know CRC64NVME: ignores what it is told, answers none
    no_checksums: bool = False  # one that knows Content-MD5 and no other checksum
    no_if_none_match: bool = False  # one that ignores preconditions
    no_object_size: bool = False  # one that ignores x-amz-mp-object-size


@dataclass(frozen=True)
class Version:
    key: str
    id: str
    at: datetime
    size: int = 0
    etag: str = ""
    pieces: tuple[Piece, ...] = ()
    sums: dict[str, str] = field(default_factory=dict)
    sum_type: str = "FULL_OBJECT"
    headers: dict[str, str] = field(default_factory=dict)
    part_count: int = 0
    is_marker: bool = False
    tags: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class UploadedPart:
    number: int
    at: datetime
    size: int
    etag: str
    sums: dict[str, str]
    path: Path


@dataclass
class Multipart:
    id: str
    key: str
    at: datetime
    algorithm: str
    sum_type: str
    headers: dict[str, str]
    parts: dict[int, UploadedPart] = field(default_factory=dict)


@dataclass
class Bucket:
    name: str
    documents: dict[str, bytes] = field(default_factory=dict)
    versioning: str = ""
    versions: dict[str, list[Version]] = field(default_factory=dict)  # of each key, the newest last
    multiparts: dict[str, Multipart] = field(default_factory=dict)

    def current(self, key: str) -> Version | None:
        versions = self.versions.get(key)
        return versions[-1] if versions and not versions[-1].is_marker else None

    def version(self, key: str, version_id: str) -> Version:
        for version in self.versions.get(key, []):
            if version.id == version_id:
                return version
        raise Refused("NoSuchVersion", "The specified version does not exist.", Key=key, VersionId=version_id)

    def add(self, version: Version) -> None:
        kept = self.versions.setdefault(version.key, [])
        if version.id == "null":
            kept[:] = [other for other in kept if other.id != "null"]
        kept.append(version)

    def remove(self, version: Version) -> None:
        kept = self.versions[version.key]
        kept.remove(version)
        if not kept:
            del self.versions[version.key]

    def replace(self, old: Version, new: Version) -> None:
        kept = self.versions[old.key]
        kept[kept.index(old)] = new

    def new_version_id(self) -> str:
        return uuid.uuid4().hex if self.versioning == "Enabled" else "null"

    def multipart(self, request: Request) -> Multipart:
        found = self.multiparts.get(request.param("uploadId"))
        if found is None or found.key != request.key:
            raise Refused(
                "NoSuchUpload", "The specified multipart upload does not exist.", UploadId=request.param("uploadId")
            )
        return found


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.buckets: dict[str, Bucket] = {}
        self.rules = Rules()
        self.lock = RLock()  # over what is remembered, never while bytes move
        self.ahead_s = 0.0

    def now(self) -> float:
        return time.time() + self.ahead_s

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now(), UTC)

    def bucket(self, name: str) -> Bucket:
        if name not in self.buckets:
            raise Refused("NoSuchBucket", "The specified bucket does not exist", BucketName=name)
        return self.buckets[name]

    def new_path(self) -> Path:
        return self.folder / uuid.uuid4().hex

    def check_precondition(self, request: Request, bucket: Bucket) -> None:
        wanted = request.header("if-none-match")
        if not wanted or self.rules.no_if_none_match:
            return
        if wanted != "*":
            raise Refused("NotImplemented", "If-None-Match takes * only", Header="If-None-Match")
        if bucket.current(request.key):
            raise Refused(
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
                Condition="If-None-Match",
            )

    def check_encryption(self, request: Request) -> None:
        """As a bucket policy denies what does not ask for the right key."""
        key = self.rules.require_kms
        if key and (request.header(SSE), request.header(SSE_KEY)) != ("aws:kms", key):
            raise Refused("AccessDenied", "Access Denied: this bucket takes objects encrypted with its own key only")


def kept_headers(request: Request) -> dict[str, str]:
    """What is said again with every GET and HEAD."""
    kept = {n: v for n, v in request.headers.items() if n in KEPT or n.startswith("x-amz-meta-")}
    kept.setdefault("content-type", "binary/octet-stream")
    if kept.get("content-encoding") == "aws-chunked":
        del kept["content-encoding"]
    kept[SSE] = request.header(SSE) or "AES256"
    if request.header(SSE_KEY):
        kept[SSE_KEY] = request.header(SSE_KEY)
    return kept


def encryption_of(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith(SSE)}


def etag_for(md5: str, headers: dict[str, str]) -> str:
    """Under KMS it is no MD5, and nobody may take it for one."""
    return uuid.uuid4().hex if headers[SSE] == "aws:kms" else md5


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
