"""What this server itself writes to object storage: empty files, and small things of its own."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Final

from orchestration import crc64
from orchestration.errors import StorageRejected
from orchestration.points import point
from orchestration.storage.s3_calls import translated

if TYPE_CHECKING:
    from orchestration.storage.s3_calls import Bucket

IN_MEMORY: Final = 8 << 20
EXISTS: Final = "PreconditionFailed"


class S3Incoming:
    """Nothing is sent before `commit`; then one PUT with its checksum, never over an object that is there."""

    def __init__(self, bucket: Bucket, key: str) -> None:
        self._bucket, self._key = bucket, key
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  closed by commit and discard
        self._size, self._crc = 0, crc64.EMPTY

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._size += len(data)
        self._crc = crc64.update(data, self._crc)

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
                    ChecksumCRC64NVME=crc64.to_text(self._crc),
                    IfNoneMatch="*",
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
        if there["ContentLength"] != self._size or there.get("ChecksumCRC64NVME") != crc64.to_text(self._crc):
            raise FileExistsError(self._key) from refusal

    def discard(self) -> None:
        self._file.close()
