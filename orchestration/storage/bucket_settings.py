"""How a bucket is set up: versions, who may read it, what browsers may send, what becomes of forgotten parts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import httpx

from orchestration.errors import StorageGone, StorageRejected, StorageUnavailable
from orchestration.findings import WARNING, Fault
from orchestration.ids import new_id
from orchestration.storage.s3_calls import translated

if TYPE_CHECKING:
    from orchestration.storage.base import SignedPut
    from orchestration.storage.s3 import S3DirectStorage

NEEDED_DAYS: Final = 31
"""An upload lives for 30 days at most, and its parts with it."""
_TIMEOUT: Final = httpx.Timeout(20, connect=5)


def send(method: str, url: str, **options: Any) -> httpx.Response:
    """As a client outside does it, without our credentials."""
    try:
        return httpx.request(method, url, timeout=_TIMEOUT, **options)
    except httpx.TransportError as exc:
        raise StorageUnavailable(f"The object storage cannot be reached: {exc}") from exc


def reachable(storage: S3DirectStorage) -> str:
    """With these credentials, and so that a missing object can be told from a forbidden one."""
    place = storage.place
    try:
        with translated():
            place.client.head_bucket(Bucket=place.name)
    except StorageGone as exc:
        raise Fault(f"There is no bucket {place.name}. Create it, or name another.") from exc
    if storage.stat(f"probe/{new_id()}") is not None:
        raise Fault(f"Bucket {place.name} says that objects are there which never were.")
    return f"bucket {place.name} answers"


def versioned(storage: S3DirectStorage) -> str:
    with translated():
        status = storage.place.client.get_bucket_versioning(Bucket=storage.bucket).get("Status")
    if status != "Enabled":
        raise Fault(
            f"Bucket {storage.bucket} keeps no versions, so an object could change after it was checked. Switch them "
            f"on: aws s3api put-bucket-versioning --bucket {storage.bucket} --versioning-configuration Status=Enabled"
        )
    return "versions are kept"


def private(storage: S3DirectStorage, key: str) -> str:
    """Nobody reads an object by its bare address."""
    url = storage.read_url(key).partition("?")[0]
    if send("GET", url).is_success:
        raise Fault(f"Anybody can read what lies in bucket {storage.bucket}. Block public access to it.")
    return "nobody reads without a signature"


def open_to_pages(signed: SignedPut, origin: str, bucket: str) -> str:
    """Asked as a browser asks before it sends."""
    wanted = sorted(name for name in signed.headers if name != "content-length")
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": ",".join(wanted),
    }
    answer = send("OPTIONS", signed.url, headers=asked)
    if not answer.is_success or answer.headers.get("access-control-allow-origin") not in {"*", origin}:
        rule = (
            f'{{"CORSRules": [{{"AllowedOrigins": ["{origin}"], "AllowedMethods": ["PUT", "GET"], '
            '"AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}]}'
        )
        raise Fault(
            f"Browsers may not send files to bucket {bucket} from {origin}; the command line still works. Allow it: "
            f"aws s3api put-bucket-cors --bucket {bucket} --cors-configuration '{rule}'",
            WARNING,
        )
    return f"pages of {origin} may send files"


def shows_etag(answer: httpx.Response, bucket: str) -> str:
    """Of an answer to a PUT that named its origin."""
    exposed = answer.headers.get("access-control-expose-headers", "").lower()
    if "etag" not in exposed and "*" not in exposed:
        raise Fault(
            f'The CORS rule of bucket {bucket} does not show ETag to pages: add "ExposeHeaders": ["ETag"].', WARNING
        )
    return "pages see the ETag"


def forgets_parts(storage: S3DirectStorage) -> str:
    """A net under our own sweep: parts that nobody joins cost money for ever."""
    days = [_days(rule) for rule in _rules_in_force(storage) if _covers(rule, storage.place.prefix)]
    found = min((day for day in days if day), default=0)
    if not found:
        raise Fault(
            f"Bucket {storage.bucket} has no lifecycle rule for unfinished uploads. Add one with "
            f"AbortIncompleteMultipartUpload after {NEEDED_DAYS} days.",
            WARNING,
        )
    if found < NEEDED_DAYS:
        raise Fault(
            f"Bucket {storage.bucket} drops the parts of uploads after {found} days, but an upload may take "
            f"{timedelta(days=NEEDED_DAYS - 1).days}. Set AbortIncompleteMultipartUpload to {NEEDED_DAYS} days.",
            WARNING,
        )
    return f"parts that nobody joins go after {found} days"


def never_expires(storage: S3DirectStorage) -> str:
    """A version of a pipeline may be run again after years, and its code is nowhere else."""
    ends = [rule for rule in _rules_in_force(storage) if _ends(rule) and _touches(rule, storage.place.prefix)]
    if ends:
        names = ", ".join(rule.get("ID") or "one without a name" for rule in ends)
        raise Fault(
            f"Bucket {storage.bucket} deletes objects after a time ({names}), the code of pipelines in "
            f"{storage.place.prefix} too, and then they cannot be run. Give each such rule the prefix of the results."
        )
    return "no rule deletes it"


def _ends(rule: Any) -> bool:
    """Whether it takes what is current away. Old versions of code there are none."""
    expiration = rule.get("Expiration", {})
    return bool(expiration.get("Days") or expiration.get("Date"))


def _touches(rule: Any, prefix: str) -> bool:
    """Whether any of our keys can be among its own, whatever tags and sizes it asks for besides."""
    chosen = rule.get("Filter", {})
    named = str(chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or rule.get("Prefix") or "")
    return prefix.startswith(named) or named.startswith(prefix)


def _rules_in_force(storage: S3DirectStorage) -> list[Any]:
    try:
        with translated():
            rules = storage.place.client.get_bucket_lifecycle_configuration(Bucket=storage.bucket)["Rules"]
    except StorageRejected:
        return []
    except StorageUnavailable as exc:
        raise Fault(f"The lifecycle rules of bucket {storage.bucket} cannot be read: {exc}", WARNING) from exc
    return [rule for rule in rules if rule["Status"] == "Enabled"]


def _days(rule: Any) -> int:
    return int(rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation", 0))


def _covers(rule: Any, prefix: str) -> bool:
    """Whether it is for all of our keys. A rule for objects with a tag or of a size says nothing of parts."""
    chosen = rule.get("Filter", {})
    if set(chosen) - {"Prefix"}:
        return False
    return prefix.startswith(chosen.get("Prefix") or rule.get("Prefix") or "")
