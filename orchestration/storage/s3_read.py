"""Reading one version of an object as a file: ranged GETs, each read whole, the next larger than the last."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from botocore.exceptions import BotoCoreError, HTTPClientError

from orchestration.errors import StorageGone, StorageUnavailable
from orchestration.storage.s3_calls import translated

if TYPE_CHECKING:
    from collections.abc import Buffer

    from orchestration.storage.s3_calls import Bucket

FIRST_AHEAD: Final = 256 << 10
MOST_AHEAD: Final = 8 << 20
TRIES: Final = 3


class ObjectReader(io.RawIOBase):
    """Holds at most MOST_AHEAD bytes. A reader that goes on gets more at once; one that jumps begins small again."""

    def __init__(self, bucket: Bucket, key: str, version: str, size: int) -> None:
        self._bucket, self._key, self._version, self._size = bucket, key, version, size
        self._position = 0
        self._start = 0
        self._block = b""
        self._ahead = FIRST_AHEAD

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)
        if self._position >= self._size or not view:
            return 0
        at = self._position - self._start
        if not 0 <= at < len(self._block):
            self._next()
            at = 0
        piece = self._block[at : at + len(view)]
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _next(self) -> None:
        goes_on = self._block and self._position == self._start + len(self._block)
        self._ahead = min(self._ahead * 2, MOST_AHEAD) if goes_on else FIRST_AHEAD
        self._block = b""  # let go of it before the next arrives
        last = min(self._position + self._ahead, self._size) - 1
        self._block, self._start = self._fetch(self._position, last), self._position

    def _fetch(self, first: int, last: int) -> bytes:
        """A connection that breaks off in the middle of a body is not tried again by botocore."""
        for _ in range(TRIES - 1):
            try:
                return self._get(first, last)
            except StorageUnavailable as exc:
                if not isinstance(exc.__cause__, BotoCoreError | HTTPClientError):
                    raise
        return self._get(first, last)

    def _get(self, first: int, last: int) -> bytes:
        where = self._bucket.at(self._key) | ({"VersionId": self._version} if self._version else {})
        try:
            with translated():
                data = self._bucket.client.get_object(**where, Range=f"bytes={first}-{last}")["Body"].read()
        except StorageGone as exc:
            raise FileNotFoundError(self._key) from exc
        if len(data) != last - first + 1:
            raise StorageUnavailable(f"The object storage gave {len(data)} bytes of {last - first + 1}.")
        return data


def open_object(bucket: Bucket, key: str, version: str) -> BinaryIO:
    """Raises FileNotFoundError now, not at the first read. Whatever is written meanwhile, this version is read."""
    where = bucket.at(key) | ({"VersionId": version} if version else {})
    try:
        with translated():
            head = bucket.client.head_object(**where)
    except StorageGone as exc:
        raise FileNotFoundError(key) from exc
    reader = ObjectReader(bucket, key, head.get("VersionId", version), head["ContentLength"])
    return cast("BinaryIO", io.BufferedReader(reader, FIRST_AHEAD))
