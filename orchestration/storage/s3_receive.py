"""What this server itself writes to object storage: empty files, and small things of its own."""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Final

from orchestration import crc64
from orchestration.errors import StorageRejected
from orchestration.points import point
from orchestration.storage.base import PutChecksum
from orchestration.storage.s3_calls import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from orchestration.storage.s3_calls import Bucket

IN_MEMORY: Final = 8 << 20
DIGESTS: Final[dict[str, Callable[[], hashlib._Hash]]] = {
    PutChecksum.SHA256: hashlib.sha256,
    PutChecksum.MD5: partial(hashlib.md5, usedforsecurity=False),
}
EXISTS: Final = "PreconditionFailed"


class S3Incoming:
    """Nothing is sent before `commit`; then one PUT with its checksum, never over an object that is there."""

    def __init__(self, bucket: Bucket, key: str, checksum: PutChecksum) -> None:
        self._bucket, self._key, self._checksum = bucket, key, checksum
        self._digest = DIGESTS[checksum]() if checksum in DIGESTS else None
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed by commit and discard
        self._size, self._crc = 0, crc64.EMPTY

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._size += len(data)
        self._crc = crc64.update(data, self._crc)
        if self._digest is not None:
            self._digest.update(data)

    def commit(self) -> None:
        self._file.seek(0)
        point("storage.before_put")
        try:
            with translated():
                self._bucket.client.put_object(
                    **self._bucket.at(self._key),
                    **self._bucket.encryption,
                    Body=self._file,
                    ContentLength=self._size,
                    IfNoneMatch="*",
                    **self._sum(),
                )
        except StorageRejected as exc:
            if exc.details.get("reason") != EXISTS:
                raise
            self._settle(exc)
        self._file.close()
        point("storage.committed")

    def _settle(self, refusal: StorageRejected) -> None:
        """An answer that was lost makes botocore send again, and our own object is then in the way."""
        with translated():
            there = self._bucket.client.head_object(**self._bucket.at(self._key), ChecksumMode="ENABLED")
        crc = crc64.to_text(self._crc)
        if there["ContentLength"] != self._size or there.get("ChecksumCRC64NVME", self._known_or(crc)) != crc:
            raise FileExistsError(self._key) from refusal

    def _sum(self) -> dict[str, Any]:
        if self._digest is None:
            return {"ChecksumCRC64NVME": crc64.to_text(self._crc)}
        name = "ChecksumSHA256" if self._checksum == PutChecksum.SHA256 else "ContentMD5"
        return {name: base64.b64encode(self._digest.digest()).decode()}

    def _known_or(self, crc: str) -> str:
        """Where the storage has none of its own, the length alone is compared: nobody else knows the key."""
        return "" if self._digest is None else crc

    def discard(self) -> None:
        self._file.close()
