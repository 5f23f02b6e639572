"""Files in a bucket, behind a django-storages alias. Clients send to it themselves, by signed URLs."""

from __future__ import annotations

import base64
import io
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from django.utils.http import content_disposition_header

from orchestration import crc64
from orchestration.errors import Invalid, StorageGone, StorageRejected, StorageUnavailable
from orchestration.points import point
from orchestration.spec.units import format_size
from orchestration.storage.base import Part, PutChecksum, SignedPut, Slot, Stored
from orchestration.storage.s3_calls import open_bucket, translated
from orchestration.storage.s3_read import open_object
from orchestration.storage.s3_receive import EXISTS, S3Incoming
from orchestration.storage.s3_signing import LONGEST, Signer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from storages.backends.s3 import S3Storage

    from orchestration.storage.s3_calls import Bucket

HEADERS: Final = {
    PutChecksum.CRC64NVME: "x-amz-checksum-crc64nvme",
    PutChecksum.SHA256: "x-amz-checksum-sha256",
    PutChecksum.MD5: "content-md5",
}
_REPEATED: Final = ("content-type", "if-none-match", *HEADERS.values())
_OF_PARTS: Final[dict[PutChecksum, dict[str, Any]]] = {
    PutChecksum.CRC64NVME: {"ChecksumAlgorithm": "CRC64NVME", "ChecksumType": "FULL_OBJECT"},
    PutChecksum.SHA256: {"ChecksumAlgorithm": "SHA256"},
    PutChecksum.MD5: {},
}
MOST_IN_ONE_PUT: Final = 5 << 30
_PLAIN: Final = re.compile(r"[!-~]+( [!-~]+)*")
SCAN_TAG: Final = "GuardDutyMalwareScanStatus"
READ_LIVES: Final = timedelta(minutes=5)
_ENCRYPTION_HEADERS: Final = {
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
}


class S3DirectStorage:
    def __init__(self, place: Bucket, checksum: str = PutChecksum.CRC64NVME) -> None:
        self.place = place
        self.checksum = PutChecksum(checksum)
        self.bucket = place.name
        self._signer = Signer(place)

    @classmethod
    def of(cls, backend: S3Storage, checksum: str = PutChecksum.CRC64NVME) -> Self:
        return cls(open_bucket(backend), checksum)

    # -- what a storage does ---------------------------------------------------------------------------------------

    def receive(self, key: str) -> S3Incoming:
        return S3Incoming(self.place, key, self.checksum)

    def open(self, key: str, version: str = "") -> BinaryIO:
        return open_object(self.place, key, version)

    def size(self, key: str) -> int | None:
        found = self.stat(key)
        return None if found is None else found.size

    def append(self, key: str, offset: int, data: bytes) -> int:  # noqa: ARG002  no object grows
        raise io.UnsupportedOperation("Objects cannot be appended to: logs are kept on this machine (alias `logs`).")

    def read_url(self, key: str, version: str = "") -> str:
        query = {"versionId": version} if version else {}
        return self._signer.sign("GET", key, query=query, headers={}, lives=LONGEST).url

    def slot(self, key: str, *, size: int, sha256: str) -> Slot:
        _require_one_put(size)
        headers = self._encryption_headers() | {
            "if-none-match": "*",
            "x-amz-checksum-sha256": base64.b64encode(bytes.fromhex(sha256)).decode(),
        }
        signed = {"content-length": str(size), **headers}
        url = self._signer.sign("PUT", key, query={}, headers=signed, lives=LONGEST).url
        return Slot(url=url, method="PUT", headers=headers)

    def delete(self, key: str) -> None:
        """Each version and each marker by its id: a plain delete would only hide them."""
        for version in list(self._versions(key)):
            if version["Key"] == self.place.full(key):
                with translated():
                    self.place.client.delete_object(**self.place.at(key), VersionId=version["VersionId"])
        point("storage.deleted")

    def keys_older_than(self, age: timedelta) -> Iterator[str]:
        limit = datetime.now(UTC) - age
        pages = self.place.client.get_paginator("list_objects_v2").paginate(**self._below(""))
        for page in _turned(pages):
            for found in page.get("Contents", []):
                if found["LastModified"] < limit:
                    yield self.place.key_of(found["Key"])

    # -- what clients send to --------------------------------------------------------------------------------------

    def begin(self, key: str, *, content_type: str) -> str:
        kind: dict[str, Any] = {"ContentType": _as_header(content_type)} if content_type else {}
        with translated():
            begun = self.place.client.create_multipart_upload(
                **self.place.at(key),
                **self.place.encryption,
                **kind,
                **_OF_PARTS[self.checksum],
            )
        return begun["UploadId"]

    def sign_part(
        self, key: str, multipart_id: str, *, number: int, size: int, digest: str, lives: timedelta
    ) -> SignedPut:
        # Encryption was settled when the upload was begun; S3 refuses to hear of it again here.
        headers = {"content-length": str(size), HEADERS[self.checksum]: digest}
        query = {"uploadId": multipart_id, "partNumber": str(number)}
        return self._put(key, query, headers, lives)

    def sign_put(self, key: str, *, size: int, digest: str, content_type: str, lives: timedelta) -> SignedPut:
        _require_one_put(size)
        headers = {"content-length": str(size)}
        if content_type:
            headers["content-type"] = _as_header(content_type)
        headers |= {"if-none-match": "*", HEADERS[self.checksum]: digest}
        return self._put(key, {}, headers | self._encryption_headers(), lives)

    def sign_redirect(self, key: str, *, size: int, sent: Mapping[str, str], lives: timedelta) -> str:
        _require_one_put(size)
        needed = self._encryption_headers()
        if missing := {name: value for name, value in needed.items() if sent.get(name) != value}:
            headers = ", ".join(f"{name}: {value}" for name, value in missing.items())
            raise Invalid(f"This server's bucket takes only what is encrypted with its own key. Send also {headers}.")
        repeated = {name: sent[name] for name in _REPEATED if _PLAIN.fullmatch(sent.get(name, ""))}
        return self._put(key, {}, {"content-length": str(size), **repeated, **needed}, lives).url

    def _put(self, key: str, query: dict[str, str], headers: dict[str, str], lives: timedelta) -> SignedPut:
        signed = self._signer.sign("PUT", key, query=query, headers=headers, lives=lives)
        return SignedPut(signed.url, headers, signed.expires_at)

    def _encryption_headers(self) -> dict[str, str]:
        return {_ENCRYPTION_HEADERS[name]: value for name, value in self.place.encryption.items()}

    def sign_get(self, key: str, version: str = "", *, name: str, media_type: str, lives: timedelta) -> str:
        query = {"versionId": version} if version else {}
        query |= {
            "response-content-type": media_type,
            "response-content-disposition": content_disposition_header(True, name) or "attachment",
        }
        return self._signer.sign("GET", key, query=query, headers={}, lives=min(lives, READ_LIVES)).url

    def sign_view(self, key: str, version: str = "", *, media_type: str, lives: timedelta) -> str:
        query = {"versionId": version} if version else {}
        query["response-content-type"] = media_type
        return self._signer.sign("GET", key, query=query, headers={}, lives=min(lives, READ_LIVES)).url

    @property
    def origin(self) -> str:
        return self._signer.origin

    # -- what became of it -----------------------------------------------------------------------------------------

    def parts(self, key: str, multipart_id: str) -> Iterator[Part]:
        where = self.place.at(key) | {"UploadId": multipart_id}
        for page in _turned(self.place.client.get_paginator("list_parts").paginate(**where)):
            for part in page.get("Parts", []):
                yield self._part(part)

    def _part(self, said: Mapping[str, Any]) -> Part:
        number, size, etag = said["PartNumber"], said["Size"], said["ETag"]
        match self.checksum:
            case PutChecksum.CRC64NVME if "ChecksumCRC64NVME" in said:
                return Part(number, size, crc64.from_text(said["ChecksumCRC64NVME"]), etag)
            case PutChecksum.SHA256 if "ChecksumSHA256" in said:
                return Part(number, size, None, etag, said["ChecksumSHA256"])
            case PutChecksum.MD5:
                return Part(number, size, None, etag)
        raise StorageRejected("The object storage keeps no checksums of parts. Run manage.py check_storage.")

    def finish(self, key: str, multipart_id: str, parts: Iterable[Part], *, size: int, crc64nvme: int) -> str:
        try:
            version = self._join(key, multipart_id, parts, size=size, crc=crc64.to_text(crc64nvme))
        except StorageRejected as exc:
            # Joined before, by a call whose answer was lost: the parts are gone, or the object is in the way.
            if not isinstance(exc, StorageGone) and exc.details.get("reason") != EXISTS:
                raise
            found = self.stat(key)
            if found is None or found.size != size or found.crc64nvme not in self.known(crc64nvme):
                raise
            version = found.version
        point("storage.joined")
        return version

    def known(self, crc: int) -> set[int | None]:
        """What the storage may say of an object with this CRC64NVME. Where it has none, only its length is compared."""
        return {crc} if self.checksum == PutChecksum.CRC64NVME else {crc, None}

    def _join(self, key: str, multipart_id: str, parts: Iterable[Part], *, size: int, crc: str) -> str:
        listed: list[Any] = [{"PartNumber": part.number, "ETag": part.etag} | _sum_of(part) for part in parts]
        whole: dict[str, Any] = {}
        if self.checksum == PutChecksum.CRC64NVME:
            whole = {"ChecksumType": "FULL_OBJECT", "ChecksumCRC64NVME": crc}
        point("storage.before_join")
        with translated():
            joined = self.place.client.complete_multipart_upload(
                **self.place.at(key),
                UploadId=multipart_id,
                MultipartUpload={"Parts": listed},
                **whole,
                MpuObjectSize=size,
                IfNoneMatch="*",
            )
        if joined.get("ChecksumCRC64NVME", crc) != crc:
            raise StorageUnavailable("The object storage joined the parts to another checksum than it was asked for.")
        return joined.get("VersionId", "")

    def abort(self, key: str, multipart_id: str) -> None:
        with suppress(StorageGone), translated():
            self.place.client.abort_multipart_upload(**self.place.at(key), UploadId=multipart_id)

    def stat(self, key: str) -> Stored | None:
        try:
            with translated():
                head = self.place.client.head_object(**self.place.at(key), ChecksumMode="ENABLED")
        except StorageGone:
            return None
        checksum = head.get("ChecksumCRC64NVME")
        crc = crc64.from_text(checksum) if checksum else None
        return Stored(head["ContentLength"], crc, head.get("VersionId", ""))

    def key_of(self, object_key: str) -> str:
        return self.place.key_of(object_key)

    def scan_tag(self, key: str, version: str = "") -> str:
        where = self.place.at(key) | ({"VersionId": version} if version else {})
        with translated():
            tags = self.place.client.get_object_tagging(**where)["TagSet"]
        return next((tag["Value"] for tag in tags if tag["Key"] == SCAN_TAG), "")

    def listed(self, prefix: str) -> Iterator[tuple[str, Stored]]:
        for found in self._versions(prefix):
            if found["IsLatest"] and "Size" in found:
                yield self.place.key_of(found["Key"]), Stored(found["Size"], None, found["VersionId"])

    def unfinished(self, age: timedelta) -> Iterator[tuple[str, str]]:
        limit = datetime.now(UTC) - age
        pages = self.place.client.get_paginator("list_multipart_uploads").paginate(**self._below(""))
        for page in _turned(pages):
            for found in page.get("Uploads", []):
                if found["Initiated"] < limit:
                    yield self.place.key_of(found["Key"]), found["UploadId"]

    def _below(self, prefix: str) -> dict[str, Any]:
        return {"Bucket": self.place.name, "Prefix": self.place.full(prefix)}

    def _versions(self, prefix: str) -> Iterator[Any]:
        """Versions and delete markers; only the first have a Size."""
        pages = self.place.client.get_paginator("list_object_versions").paginate(**self._below(prefix))
        for page in _turned(pages):
            yield from page.get("Versions", [])
            yield from page.get("DeleteMarkers", [])


def _sum_of(part: Part) -> dict[str, str]:
    if part.crc64nvme is not None:
        return {"ChecksumCRC64NVME": crc64.to_text(part.crc64nvme)}
    return {"ChecksumSHA256": part.sha256} if part.sha256 else {}


def _as_header(content_type: str) -> str:
    """What people say of a file, where a client must be able to send it exactly as it was signed."""
    return content_type if _PLAIN.fullmatch(content_type) else "application/octet-stream"


def _require_one_put(size: int) -> None:
    if size > MOST_IN_ONE_PUT:
        most = format_size(MOST_IN_ONE_PUT)
        raise StorageRejected(f"{format_size(size)} are too much for one PUT: object storage takes {most} at once.")


def _turned(pages: Iterable[Any]) -> Iterator[Any]:
    """Page after page, each call's errors translated; what is done with a page is not part of the call."""
    with translated():
        turning = iter(pages)
    while True:
        with translated():
            page = next(turning, None)
        if page is None:
            return
        yield page
