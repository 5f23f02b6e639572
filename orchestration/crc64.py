"""CRC64NVME (Rocksoft; ae8b14860a799888 for b"123456789"): the checksum of parts, and of files from their parts.

Polynomial 0xad93d23594c93659, reflected, init and xorout all ones: as in NVM Express, and as S3 writes it.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

from awscrt import checksums

from orchestration.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Buffer, Iterable

BYTES: Final = 8
EMPTY: Final = 0


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
    return base64.b64encode(crc.to_bytes(BYTES)).decode()


def from_text(text: str) -> int:
    """Raises Invalid with how it must look."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != BYTES:
        raise Invalid(f"crc64nvme is base64 of 8 bytes, like rosUhgp5mIg=; this is {text[:40]!r}.")
    return int.from_bytes(raw)
