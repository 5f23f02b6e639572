"""How the bytes look: the first of them, and how dense they are along the file."""

import math
from collections import Counter
from pathlib import Path
from typing import NamedTuple

_HEAD = 256
_WINDOWS = 64
_WINDOW_BYTES = 16 * 1024


class Shape(NamedTuple):
    head: bytes
    entropy: float
    along: list[float]
    is_sampled: bool


def look(path: Path) -> Shape:
    """Entropy in bits a byte, from at most 1 MiB spread evenly: enough to tell text, code and packed data apart."""
    size = path.stat().st_size
    windows = min(_WINDOWS, max(1, size // 256))
    step = size / windows
    length = min(_WINDOW_BYTES, math.ceil(step))
    everything: Counter[int] = Counter()
    along: list[float] = []
    with path.open("rb") as source:
        head = source.read(_HEAD)
        for place in range(windows):
            source.seek(int(place * step))
            counts = Counter(source.read(length))
            along.append(round(_entropy(counts), 3))
            everything.update(counts)
    return Shape(head, round(_entropy(everything), 3), along, length < math.ceil(step))


def _entropy(counts: Counter[int]) -> float:
    total = counts.total()
    return abs(-sum(count / total * math.log2(count / total) for count in counts.values())) if total else 0.0


def hex_lines(head: bytes) -> str:
    lines = []
    for offset in range(0, len(head), 16):
        row = head[offset : offset + 16]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "·" for byte in row)  # noqa: PLR2004
        lines.append(f"{offset:04x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  {letters}")
    return "\n".join(lines)
