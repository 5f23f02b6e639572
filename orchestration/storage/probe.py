"""Whether a bucket refuses what it must: that bytes arrive whole rests on it, so it is tried and not believed."""

from __future__ import annotations

import base64
import hashlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from orchestration import crc64
from orchestration.errors import StorageRejected, StorageUnavailable
from orchestration.findings import Fault, tried
from orchestration.ids import new_id
from orchestration.storage import bucket_settings
from orchestration.storage.base import PutChecksum, Stored
from orchestration.storage.bucket_settings import send
from orchestration.storage.s3_calls import translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from orchestration.findings import Finding
    from orchestration.storage.base import SignedPut
    from orchestration.storage.s3 import S3DirectStorage

LIVES: Final = timedelta(minutes=5)
DATA: Final = b"Esteira looks whether this bucket can be trusted.\n"
OTHER: Final = DATA[::-1]
CRC: Final = crc64.update(DATA)
NAMES: Final = {PutChecksum.CRC64NVME: "CRC64NVME", PutChecksum.SHA256: "SHA-256", PutChecksum.MD5: "MD5"}
PRECONDITION_FAILED: Final = 412


def probe_uploads(storage: S3DirectStorage, origin: str) -> Iterator[Finding]:
    """Everything that clients may do to the bucket of uploads. Leaves nothing there."""
    probe = Probe(storage, origin)
    try:
        yield from tried(
            (
                ("reachable", lambda: bucket_settings.reachable(storage)),
                ("versions", lambda: bucket_settings.versioned(storage)),
                ("checksums of parts", probe.parts),
                ("joining parts", probe.join),
                ("whole objects", probe.whole),
                ("private", lambda: bucket_settings.private(storage, probe.key)),
                ("pages", probe.pages),
                ("forgotten parts", lambda: bucket_settings.forgets_parts(storage)),
                ("deleting", probe.delete),
            )
        )
    finally:
        probe.end()


def probe_results(storage: S3DirectStorage) -> Iterator[Finding]:
    """What runners do to the bucket of results."""
    probe = Probe(storage, "")
    try:
        yield from tried(
            (
                ("reachable", lambda: bucket_settings.reachable(storage)),
                ("versions", lambda: bucket_settings.versioned(storage)),
                ("outputs", probe.output),
                ("private", lambda: bucket_settings.private(storage, probe.key)),
                ("deleting", probe.delete),
            )
        )
    finally:
        probe.end()


def probe_code(storage: S3DirectStorage) -> Iterator[Finding]:
    """What this server and runners do where the code of pipelines lies: written once, read for good."""
    probe = Probe(storage, "")
    try:
        yield from tried(
            (
                ("reachable", lambda: bucket_settings.reachable(storage)),
                ("writing", probe.written),
                ("private", lambda: bucket_settings.private(storage, probe.key)),
                ("kept for good", lambda: bucket_settings.never_expires(storage)),
                ("deleting", probe.delete),
            )
        )
    finally:
        probe.end()


class Probe:
    def __init__(self, storage: S3DirectStorage, origin: str) -> None:
        self._storage, self._origin = storage, origin
        self.key = f"probe/{new_id()}"
        self._multipart_id = ""

    def parts(self) -> str:
        """A part that is not what its signature says is refused, and one that is has its checksum listed."""
        self._multipart_id = self._storage.begin(self.key, content_type="")
        _refused(self._part(OTHER), self._fall_back)
        _refused(self._part(OTHER[1:]), lambda: "It takes a part that is shorter than was signed.")
        _taken(self._part(DATA))
        try:
            listed = list(self._storage.parts(self.key, self._multipart_id))
        except StorageRejected as exc:
            raise Fault(f"It lists parts without their checksum. {self._fall_back()}") from exc
        if [(part.number, part.size, part.crc64nvme) for part in listed] != [(1, len(DATA), self._known())]:
            raise Fault(f"It lists other parts than were sent. {self._fall_back()}")
        if self._storage.checksum == PutChecksum.CRC64NVME:
            return "CRC64NVME of every part is checked"
        name = NAMES[self._storage.checksum]
        return f"{name} of every part is checked; the whole is compared with its CRC64NVME when it is examined"

    def _part(self, data: bytes) -> httpx.Response:
        digest = digest_of(DATA, self._storage.checksum)
        signed = self._storage.sign_part(
            self.key, self._multipart_id, number=1, size=len(DATA), digest=digest, lives=LIVES
        )
        return _put(signed, data)

    def _known(self) -> int | None:
        return CRC if self._storage.checksum == PutChecksum.CRC64NVME else None

    def join(self) -> str:
        """The checksum of the whole is compared, and what is there is not written over."""
        if self._known() is not None:
            with suppress(StorageRejected):
                self._join(CRC ^ 1)
                raise Fault("It joins parts to a file whose checksum is not the one that was announced.")
        version = self._join(CRC)
        stored = self._storage.stat(self.key)
        if stored not in [Stored(len(DATA), crc, version) for crc in self._storage.known(CRC)] or not version:
            raise Fault("It does not tell checksum and version of what it has joined.")
        again = self._storage.begin(self.key, content_type="")
        self._multipart_id = again
        _taken(self._part(DATA))
        if self._join(CRC) != version:
            raise Fault("It writes over an object that it was told to leave alone (If-None-Match on completing).")
        self._storage.abort(self.key, again)
        checked = "checksum of the whole is checked" if self._known() is not None else "version is told"
        return f"{checked}, nothing is overwritten"

    def _join(self, crc: int) -> str:
        parts = self._storage.parts(self.key, self._multipart_id)
        return self._storage.finish(self.key, self._multipart_id, parts, size=len(DATA), crc64nvme=crc)

    def whole(self) -> str:
        signed = self._signed_whole()
        answer = _put(signed, DATA)
        if answer.status_code != PRECONDITION_FAILED:
            raise Fault(f"It writes over an object that it was told to leave alone: PUT answered {answer.status_code}.")
        self._storage.delete(self.key)
        _refused(_put(signed, OTHER), lambda: "It takes an object whose checksum is not the one that was signed.")
        _taken(_put(signed, DATA))
        return "checksum of small files is checked, nothing is overwritten"

    def _signed_whole(self) -> SignedPut:
        digest = digest_of(DATA, self._storage.checksum)
        return self._storage.sign_put(self.key, size=len(DATA), digest=digest, content_type="text/plain", lives=LIVES)

    def output(self) -> str:
        slot = self._storage.slot(self.key, size=len(DATA), sha256=hashlib.sha256(DATA).hexdigest())
        _refused(
            send("PUT", slot.url, headers=slot.headers, content=OTHER),
            lambda: (
                "It takes an output whose SHA-256 is not the one that was signed: results need a bucket that checks it."
            ),
        )
        _taken(send("PUT", slot.url, headers=slot.headers, content=DATA))
        if send("PUT", slot.url, headers=slot.headers, content=DATA).status_code != PRECONDITION_FAILED:
            raise Fault("It writes over an output that it was told to leave alone.")
        return "SHA-256 of outputs is checked, nothing is overwritten"

    def written(self) -> str:
        """By this server, and read by a runner with nothing but the address."""
        incoming = self._storage.receive(self.key)
        try:
            incoming.write(DATA)
            incoming.commit()
        finally:
            incoming.discard()
        if _taken(send("GET", self._storage.read_url(self.key))).content != DATA:
            raise Fault("It gives other bytes than it was given.")
        return "written here, read by a signed address"

    def pages(self) -> str:
        signed = self._signed_whole()
        said = bucket_settings.open_to_pages(signed, self._origin, self._storage.bucket)
        self._storage.delete(self.key)
        answer = send("PUT", signed.url, headers=signed.headers | {"Origin": self._origin}, content=DATA)
        return f"{said}, {bucket_settings.shows_etag(_taken(answer), self._storage.bucket)}"

    def delete(self) -> str:
        self._storage.delete(self.key)
        if dict(self._storage.listed(self.key)):
            raise Fault("An object is still there after all of its versions were deleted.")
        return "objects go with all their versions"

    def end(self) -> None:
        """Whatever was tried and came to nothing."""
        with suppress(StorageUnavailable, StorageRejected):
            if self._multipart_id:
                self._storage.abort(self.key, self._multipart_id)
            self._storage.delete(self.key)

    def _fall_back(self) -> str:
        """Which checksum it knows instead, and where to say so."""
        asked = self._storage.checksum
        for other, said in self._others():
            if other != asked and self._checks(**said):
                return (
                    f"It does not check {NAMES[asked]} of parts, but {NAMES[other]}. Set ESTEIRA_S3_CHECKSUM={other}: "
                    "then clients send that too."
                )
        return (
            f"It checks neither {', nor '.join(NAMES.values())} of parts, so bytes would arrive unchecked. Use another "
            "storage, such as Amazon S3."
        )

    def _others(self) -> Iterator[tuple[PutChecksum, dict[str, Any]]]:
        """With the checksum of other bytes than will be sent."""
        crc, sha256, md5 = (digest_of(OTHER, one) for one in PutChecksum)
        yield PutChecksum.CRC64NVME, {"ChecksumAlgorithm": "CRC64NVME", "ChecksumCRC64NVME": crc}
        yield PutChecksum.SHA256, {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": sha256}
        yield PutChecksum.MD5, {"ContentMD5": md5}

    def _checks(self, **wrong: Any) -> bool:
        """Whether a part is refused that comes with the checksum of other bytes."""
        place = self._storage.place
        algorithm = {"ChecksumAlgorithm": wrong["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in wrong else {}
        multipart_id = ""
        try:
            with translated():
                begun = place.client.create_multipart_upload(**place.at(self.key), **algorithm)
                multipart_id = begun["UploadId"]
                place.client.upload_part(**place.at(self.key), UploadId=multipart_id, PartNumber=1, Body=DATA, **wrong)
        except StorageRejected:
            return bool(multipart_id)
        finally:
            self._storage.abort(self.key, multipart_id)
        return False


def _put(signed: SignedPut, data: bytes) -> httpx.Response:
    return send("PUT", signed.url, headers=signed.headers | {"content-length": str(len(data))}, content=data)


def _taken(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise Fault(f"It refuses what was signed for it: {answer.status_code} {answer.text[:300]}")
    return answer


def _refused(answer: httpx.Response, otherwise: Any) -> None:
    if answer.is_success:
        raise Fault(otherwise())


def digest_of(data: bytes, checksum: PutChecksum) -> str:
    """In base64, as it is signed."""
    match checksum:
        case PutChecksum.CRC64NVME:
            return crc64.to_text(crc64.update(data))
        case PutChecksum.SHA256:
            raw = hashlib.sha256(data).digest()
        case PutChecksum.MD5:
            raw = hashlib.md5(data, usedforsecurity=False).digest()
    return base64.b64encode(raw).decode()
