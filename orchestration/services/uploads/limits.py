"""How large, how many (uploads.md, 2.3). Sizes in bytes."""

from typing import Final

MIB: Final = 1 << 20
PART_SIZE: Final = 16 * MIB
LEAST_PART: Final = 5 * MIB
"""S3 takes no smaller one, but for the last."""
MOST_PART: Final = 5 << 30
PLANNED_PARTS: Final = 9_500
MAX_PARTS: Final = 10_000
MAX_PARALLEL: Final = 8
BATCH_MAX: Final = 1_000
BATCH_FOLDER: Final = "/b/"
"""In the key of what was begun as one of a batch, before the batch's own folder."""
SIGN_MAX: Final = 100
INLINE_MAX: Final = 8 * MIB
"""Up to here one request with the bytes as its body is the better way."""
BUNDLE_MAX: Final = 8 * MIB
"""Of one body with many small files."""
BUNDLED_MAX: Final = 256 << 10
"""Of a file in it: a larger one gains nothing."""
MAX_FINGERPRINT: Final = 255


def part_size_for(size: int | None, hint: int | None = None) -> int:
    """Bytes of each part but the last: 16 MiB, or what keeps a huge file below 9,500 parts."""
    wanted = min(max(hint, LEAST_PART), MOST_PART) if hint else PART_SIZE
    if size is None or size <= PLANNED_PARTS * wanted:
        return wanted
    least = -(-size // PLANNED_PARTS)
    return min(-(-least // MIB) * MIB, MOST_PART)
