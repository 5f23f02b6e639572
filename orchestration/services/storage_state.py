"""What administrators ask of the storages: where they are, what they check, how much lies there, how sound it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import Count, Min, Q, Sum

from orchestration.models import File
from orchestration.services.uploads.redirect import checksums
from orchestration.storage.registry import get_direct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

ALIASES: Final = ("uploads", "results")


@dataclass(frozen=True, slots=True)
class StorageState:
    """`bucket` is "" for a folder of this machine. `size` in bytes counts files, also those that share an object.

    `checksum` is what the storage compares of every part that arrives; `unread_since` the last check of the file whose
    last check is longest ago, None where there is none.
    """

    alias: str
    bucket: str
    checksum: str
    files: int
    size: int
    damaged: int
    unread_since: datetime | None


def storage_states() -> list[StorageState]:
    """Raises StorageUnavailable where the credentials of a bucket are missing."""
    kept = File.objects.filter(purged_at__isnull=True)
    counts = kept.order_by().values("storage").annotate(
        n=Count("pk"),
        bytes=Sum("size"),
        bad=Count("pk", filter=Q(damaged_at__isnull=False)),
        oldest=Min("verified_at", filter=~Q(sha256="")),
    )  # fmt: skip
    of = {row["storage"]: row for row in counts}
    return [_state(alias, of.get(alias, {})) for alias in ALIASES]


def _state(alias: str, counted: Mapping[str, Any]) -> StorageState:
    direct = get_direct(alias)
    return StorageState(
        alias=alias,
        bucket=direct.bucket if direct else "",
        checksum=checksums(alias)[-1],
        files=counted.get("n", 0),
        size=counted.get("bytes", 0),
        damaged=counted.get("bad", 0),
        unread_since=counted.get("oldest"),
    )
