"""CRC64NVME, the checksum of parts and of files from their parts (docs/design/0003)."""

import base64
from collections.abc import Buffer, Iterable
from typing import Final

from awscrt import checksums

EMPTY: Final = 0
_BYTES: Final = 8


def update(data: Buffer, crc: int = EMPTY) -> int:
    """The CRC of what `crc` covers followed by `data`."""
    updated: int = checksums.crc64nvme(data, crc)
    return updated


def combine(parts: Iterable[tuple[int, int]]) -> int:
    """The CRC of the whole from (crc, length in bytes) of consecutive parts, without reading a byte."""
    crc = EMPTY
    for part_crc, length in parts:
        crc = checksums.combine_crc64nvme(crc, part_crc, length)
    return crc


def to_text(crc: int) -> str:
    """As on the wire: base64 of 8 bytes, big-endian."""
    return base64.b64encode(crc.to_bytes(_BYTES)).decode()
