"""Every digest, and whether the file is text, in one pass over the bytes."""

import hashlib
import zlib
from pathlib import Path
from typing import NamedTuple

from esteira_kit.encoding import Text, TextSniffer
from esteira_kit.step import Progress
from esteira_kit.wording import size as size_in_words

_CHUNK = 1 << 20


class Reading(NamedTuple):
    size: int
    digests: dict[str, str]
    text: Text | None
    ends_with_break: bool


def read(path: Path, progress: Progress, share: float) -> Reading:
    """`share` is how much of the item's bar this pass fills."""
    total = path.stat().st_size
    # MD5 and SHA-1 are named for the lists people still compare with; nothing here is protected by them.
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
    crc, done, last = 0, 0, b""
    sniffer = TextSniffer()
    with path.open("rb", buffering=0) as source:
        while chunk := source.read(_CHUNK):
            for each in hashes.values():
                each.update(chunk)
            crc = zlib.crc32(chunk, crc)
            sniffer.feed(chunk)
            done += len(chunk)
            last = chunk
            progress(share * done / max(total, 1), f"Reading {size_in_words(done)}")
    digests = {name: each.hexdigest() for name, each in hashes.items()} | {"crc32": f"{crc:08x}"}
    return Reading(done, digests, sniffer.result(), last.endswith((b"\n", b"\r", b"\n\0")))
