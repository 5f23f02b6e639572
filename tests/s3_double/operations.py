"""From method, path and query to the operation, by the name that AWS gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.s3_double import buckets, cors, listing, multipart, objects
from tests.s3_double.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.s3_double.requests import Reply, Request
    from tests.s3_double.store import Store


@dataclass(frozen=True, slots=True)
class Operation:
    name: str
    call: Callable[[Store, Request], Reply]


def _document(method: str, name: str) -> dict[tuple[str, str, frozenset[str]], Operation]:
    title = {
        "cors": "BucketCors",
        "lifecycle": "BucketLifecycle" if method == "DELETE" else "BucketLifecycleConfiguration",
        "ownershipControls": "BucketOwnershipControls",
        "policy": "BucketPolicy",
        "publicAccessBlock": "PublicAccessBlock",
        "encryption": "BucketEncryption",
    }[name]
    make = {"GET": buckets.getter, "PUT": buckets.putter, "DELETE": buckets.deleter}[method]
    verb = method.capitalize()
    return {("bucket", method, frozenset({name})): Operation(f"{verb}{title}", make(name))}


OPERATIONS: Final[dict[tuple[str, str, frozenset[str]], Operation]] = {
    ("service", "GET", frozenset()): Operation("ListBuckets", buckets.list_buckets),
    ("bucket", "PUT", frozenset()): Operation("CreateBucket", buckets.create_bucket),
    ("bucket", "HEAD", frozenset()): Operation("HeadBucket", buckets.head_bucket),
    ("bucket", "DELETE", frozenset()): Operation("DeleteBucket", buckets.delete_bucket),
    ("bucket", "GET", frozenset({"list-type"})): Operation("ListObjectsV2", listing.list_objects),
    ("bucket", "GET", frozenset({"versions"})): Operation("ListObjectVersions", listing.list_versions),
    ("bucket", "GET", frozenset({"uploads"})): Operation("ListMultipartUploads", listing.list_multiparts),
    ("bucket", "POST", frozenset({"delete"})): Operation("DeleteObjects", objects.delete_objects),
    **{
        k: v
        for name in buckets.MISSING
        for method in ("GET", "PUT", "DELETE")
        for k, v in _document(method, name).items()
    },
    **_document("PUT", "encryption"),
    **_document("DELETE", "encryption"),
    ("bucket", "GET", frozenset({"encryption"})): Operation("GetBucketEncryption", buckets.get_encryption),
    ("bucket", "GET", frozenset({"versioning"})): Operation("GetBucketVersioning", buckets.get_versioning),
    ("bucket", "PUT", frozenset({"versioning"})): Operation("PutBucketVersioning", buckets.put_versioning),
    ("key", "PUT", frozenset()): Operation("PutObject", objects.put_object),
    ("key", "GET", frozenset()): Operation("GetObject", objects.get_object),
    ("key", "HEAD", frozenset()): Operation("HeadObject", objects.get_object),
    ("key", "DELETE", frozenset()): Operation("DeleteObject", objects.delete_object),
    ("key", "GET", frozenset({"tagging"})): Operation("GetObjectTagging", objects.get_tags),
    ("key", "PUT", frozenset({"tagging"})): Operation("PutObjectTagging", objects.put_tags),
    ("key", "POST", frozenset({"uploads"})): Operation("CreateMultipartUpload", multipart.create),
    ("key", "PUT", frozenset({"partNumber", "uploadId"})): Operation("UploadPart", multipart.upload_part),
    ("key", "GET", frozenset({"uploadId"})): Operation("ListParts", multipart.list_parts),
    ("key", "POST", frozenset({"uploadId"})): Operation("CompleteMultipartUpload", multipart.complete),
    ("key", "DELETE", frozenset({"uploadId"})): Operation("AbortMultipartUpload", multipart.abort),
}
# Names in a query that make it another operation. One that is here and not above must not pass for a plain GET or PUT.
MARKERS: Final = frozenset().union(*(names for *_, names in OPERATIONS)) | {
    "accelerate", "acl", "analytics", "attributes", "intelligent-tiering", "inventory", "legal-hold", "location",
    "logging", "metrics", "notification", "object-lock", "policyStatus", "renameObject", "replication",
    "requestPayment", "restore", "retention", "select", "torrent", "website",
}  # fmt: skip
PREFLIGHT: Final = Operation("Preflight", cors.preflight)


def find(request: Request) -> Operation:
    if request.method == "OPTIONS":
        return PREFLIGHT
    found = OPERATIONS.get((_scope(request), request.method, frozenset(request.names & MARKERS)))
    return UNKNOWN if found is None or "x-amz-copy-source" in request.headers else found


def _scope(request: Request) -> str:
    return "key" if request.key else "bucket" if request.bucket else "service"


def _refuse(_: Store, request: Request) -> Reply:
    what = f"{request.method} of a {_scope(request)} with {sorted(request.names)}"
    raise Refused("NotImplemented", f"This double does not know {what}")


UNKNOWN: Final = Operation("Unknown", _refuse)
