"""What has arrived of an upload: rows and names on a local disk, ListParts on object storage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration import crc64
from orchestration.errors import Invalid, PartsMissing, StorageGone
from orchestration.execution.finishing import DAMAGED, fail
from orchestration.storage.base import DirectStorage, Part
from orchestration.storage.local_parts import LocalParts
from orchestration.storage.registry import get_place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orchestration.models import Upload


@dataclass(frozen=True, slots=True)
class Received:
    """Parts in order of number. `crc64nvme` covers them all, None where the storage has none of its own."""

    parts: tuple[Part, ...]
    crc64nvme: int | None

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def text(self) -> str:
        """Numbers as ranges: `1-57,60`."""
        return ranges(part.number for part in self.parts)


def received(upload: Upload) -> Received:
    """Raises StorageUnavailable where object storage does not answer. The upload fails where its parts are gone."""
    place = get_place(upload.storage)
    if upload.is_single:
        return _whole(upload, place)
    if not isinstance(place, LocalParts):
        return _listed(upload, place)
    rows = upload.parts.order_by("number").values_list("number", "size", "crc64nvme")
    return _joined(Part(number, size, crc64.from_text(crc)) for number, size, crc in rows.iterator())


def _whole(upload: Upload, place: LocalParts | DirectStorage) -> Received:
    if isinstance(place, LocalParts):
        size = place.size(upload.pk)
        if size != upload.size:  # a write that was killed
            size = None
        # Nobody announced it at the beginning, only to the signature. The file is small.
        asked = size is not None and not upload.crc64nvme
        crc = crc64.update(place.head(upload.pk, size or 0)) if asked else None
    else:
        stored = place.stat(upload.key)
        size, crc = (stored.size, stored.crc64nvme) if stored else (None, None)
    return Received((), None) if size is None else Received((Part(1, size, crc or 0),), crc)


def _listed(upload: Upload, place: DirectStorage) -> Received:
    try:
        return _joined(place.parts(upload.key, upload.multipart_id) if upload.multipart_id else ())
    except StorageGone:
        if not fail(upload, DAMAGED, "Its parts are gone from the object storage. Begin the upload again."):
            upload.refresh_from_db()
        return Received((), None)


def _joined(parts: Iterable[Part]) -> Received:
    found = tuple(parts)
    known = [(part.crc64nvme, part.size) for part in found if part.crc64nvme is not None]
    return Received(found, crc64.combine(known) if len(known) == len(found) else None)


def require_whole(upload: Upload, there: Received, size: int | None) -> int:
    """The bytes in all. Raises PartsMissing with `missing`, or Invalid where another size was announced."""
    numbers = {part.number for part in there.parts}
    last = upload.part_count or max(numbers, default=1)
    if missing := [number for number in range(1, last + 1) if number not in numbers]:
        raise PartsMissing(
            f"{len(missing)} of {last} parts have not arrived: {ranges(missing)}.", missing=ranges(missing)
        )
    if upload.size is None:
        _require_full(upload, there)
    announced = size if size is not None else upload.size
    if announced is not None and announced != there.size:
        raise Invalid(f"{there.size} bytes arrived; {announced} were announced.")
    return there.size


def _require_full(upload: Upload, there: Received) -> None:
    """Of unknown size: parts lie at multiples of the part size, so only the last may be shorter."""
    short = [part.number for part in there.parts[:-1] if part.size != upload.part_size]
    if short:
        raise PartsMissing(f"Only the last part may be shorter than {upload.part_size} bytes.", missing=ranges(short))


def ranges(numbers: Iterable[int]) -> str:
    said: list[str] = []
    first = last = 0
    for number in sorted(numbers):
        if first and number == last + 1:
            last = number
            continue
        if first:
            said.append(f"{first}-{last}" if last > first else str(first))
        first = last = number
    if first:
        said.append(f"{first}-{last}" if last > first else str(first))
    return ",".join(said)
