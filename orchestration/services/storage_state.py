"""What administrators ask of the storages: where they are, what they check, how much lies there, how sound it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from orchestration.models import Reading
from orchestration.models.tally import STORAGE
from orchestration.services.uploads.redirect import checksums
from orchestration.storage.registry import get_direct

if TYPE_CHECKING:
    from collections.abc import Mapping

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


@dataclass(frozen=True, slots=True)
class StorageStates:
    """`counted_at`: when a worker counted, None where none has yet."""

    states: list[StorageState]
    counted_at: datetime | None


def storage_states() -> StorageStates:
    """Raises StorageUnavailable where the credentials of a bucket are missing."""
    reading = Reading.objects.filter(name=STORAGE).first()
    of = {row["storage"]: row for row in reading.value} if reading else {}
    return StorageStates(
        states=[_state(alias, of.get(alias, {})) for alias in ALIASES], counted_at=reading.at if reading else None
    )


def _state(alias: str, counted: Mapping[str, Any]) -> StorageState:
    direct = get_direct(alias)
    return StorageState(
        alias=alias,
        bucket=direct.bucket if direct else "",
        checksum=checksums(alias)[-1],
        files=counted.get("files", 0),
        size=counted.get("bytes", 0),
        damaged=counted.get("bad", 0),
        unread_since=datetime.fromisoformat(since) if (since := counted.get("unread_since")) else None,
    )
