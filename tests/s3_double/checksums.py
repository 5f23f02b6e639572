"""The checksums that S3 knows, by their names on the wire."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from typing import TYPE_CHECKING, Final, Protocol

from awscrt import checksums as crt

from tests.s3_double.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

HEADER: Final = "x-amz-checksum-"


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def digest(self) -> bytes: ...


class Crc:
    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function, self._size, self._value = function, size, 0

    def update(self, data: bytes) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size)


ALGORITHMS: Final[Mapping[str, Callable[[], Digest]]] = {
    "crc64nvme": lambda: Crc(crt.crc64nvme, 8),
    "crc32c": lambda: Crc(crt.crc32c, 4),
    "crc32": lambda: Crc(zlib.crc32, 4),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
}
SIZES: Final = {name: len(make().digest()) for name, make in ALGORITHMS.items()}


def text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def check_form(name: str, value: str) -> None:
    try:
        right = len(base64.b64decode(value, validate=True)) == SIZES[name]
    except (binascii.Error, ValueError):
        right = False
    if not right:
        raise Refused("InvalidRequest", f"Value for {HEADER}{name} header is invalid.")


def declared(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Name and value of the one checksum of these headers."""
    found = [(name, headers[HEADER + name]) for name in ALGORITHMS if HEADER + name in headers]
    if len(found) > 1:
        raise Refused(
            "InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    for name, value in found:
        check_form(name, value)
    return found[0] if found else None


def combine(parts: Iterable[tuple[str, int]]) -> str:
    """FULL_OBJECT CRC64NVME from (base64, size) of consecutive parts."""
    whole = 0
    for value, size in parts:
        whole = crt.combine_crc64nvme(whole, int.from_bytes(base64.b64decode(value)), size)
    return text(whole.to_bytes(8))


def composite(name: str, values: list[str]) -> str:
    digest = ALGORITHMS[name]()
    for value in values:
        digest.update(base64.b64decode(value))
    return f"{text(digest.digest())}-{len(values)}"


def member(name: str) -> str:
    """As the element of a document is called: ChecksumCRC64NVME."""
    return f"Checksum{name.upper()}"
