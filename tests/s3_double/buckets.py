"""Buckets and what is set on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.s3_double import documents
from tests.s3_double.errors import Refused
from tests.s3_double.requests import Reply
from tests.s3_double.store import Bucket, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.s3_double.requests import Request
    from tests.s3_double.store import Store

# The subresources that are kept as they were sent, and what is said where none was.
MISSING: Final = {
    "cors": "NoSuchCORSConfiguration",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
}
DEFAULT_ENCRYPTION: Final = documents.write(
    "ServerSideEncryptionConfiguration",
    {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}},
)


def create_bucket(store: Store, request: Request) -> Reply:
    with store.lock:
        if request.bucket in store.buckets:
            raise Refused("BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded")
        store.buckets[request.bucket] = Bucket(request.bucket)
    return Reply(headers={"Location": f"/{request.bucket}"})


def delete_bucket(store: Store, request: Request) -> Reply:
    with store.lock:
        if store.bucket(request.bucket).versions:
            raise Refused("BucketNotEmpty", "The bucket you tried to delete is not empty")
        del store.buckets[request.bucket]
    return Reply(204)


def head_bucket(store: Store, request: Request) -> Reply:
    store.bucket(request.bucket)
    return Reply()


def list_buckets(store: Store, request: Request) -> Reply:
    rows = [{"Name": name, "CreationDate": stamp(store.moment())} for name in sorted(store.buckets)]
    return Reply(body=documents.write("ListAllMyBucketsResult", {"Buckets": {"Bucket": rows}}))


def get_versioning(store: Store, request: Request) -> Reply:
    status = store.bucket(request.bucket).versioning
    return Reply(body=documents.write("VersioningConfiguration", {"Status": status or None}))


def put_versioning(store: Store, request: Request) -> Reply:
    bucket = store.bucket(request.bucket)
    status = documents.read(request.body.read()).findtext("Status", "")
    if status not in {"Enabled", "Suspended"}:
        raise Refused("MalformedXML", "Status is Enabled or Suspended")
    bucket.versioning = status
    return Reply()


def get_encryption(store: Store, request: Request) -> Reply:
    return Reply(body=store.bucket(request.bucket).documents.get("encryption", DEFAULT_ENCRYPTION))


def getter(name: str) -> Callable[[Store, Request], Reply]:
    def get(store: Store, request: Request) -> Reply:
        kept = store.bucket(request.bucket).documents.get(name)
        if kept is None:
            raise Refused(MISSING[name], "The configuration does not exist", BucketName=request.bucket)
        return Reply(body=kept)

    return get


def putter(name: str) -> Callable[[Store, Request], Reply]:
    def put(store: Store, request: Request) -> Reply:
        bucket = store.bucket(request.bucket)
        body = request.body.read()
        if name != "policy":
            documents.read(body)
        bucket.documents[name] = body
        return Reply()

    return put


def deleter(name: str) -> Callable[[Store, Request], Reply]:
    def delete(store: Store, request: Request) -> Reply:
        store.bucket(request.bucket).documents.pop(name, None)
        return Reply(204)

    return delete
