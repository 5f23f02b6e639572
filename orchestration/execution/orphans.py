"""Objects that no row knows: what a client, a runner or a worker left behind when it was cut off."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Final

from orchestration import going
from orchestration.execution.audit_anchors import FOLDER as ANCHORS
from orchestration.ids import uuid_or_none
from orchestration.models import Attempt, File, Upload
from orchestration.models.upload import STORAGE
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

log = logging.getLogger(__name__)

RESULTS: Final = "results"
INCOMING: Final = "incoming/"
ORPHAN_AGE: Final = timedelta(days=1)
BATCH: Final = 500
KEY_DEPTH: Final = 2


def sweep_storage() -> int:
    """Delete objects older than a day that no file, no living upload and no unfinished attempt has."""
    removed = _sweep(STORAGE, _on_the_way) + _sweep(RESULTS, _results_to_spare)
    if removed:
        log.info("orphans removed", extra={"count": removed})
    return removed


def _sweep(alias: str, spared: Callable[[Collection[str]], set[str]]) -> int:
    storage = get_storage(alias)
    removed = 0
    for keys in going.while_not_told(batched(storage.keys_older_than(ORPHAN_AGE), BATCH, strict=False)):
        # In this order: what an attempt leaves becomes files when it ends, and is then found as theirs.
        unknown = set(keys) - spared(keys)
        unknown -= _known(alias, unknown)
        for key in going.while_not_told(unknown):
            storage.delete(key)
            removed += 1
    return removed


def _known(alias: str, keys: Collection[str]) -> set[str]:
    """One statement, so that an upload which becomes a file meanwhile is seen as the one or as the other."""
    kept = File.objects.filter(storage=alias, key__in=keys, purged_at__isnull=True)
    coming = Upload.objects.alive().filter(storage=alias, key__in=keys)
    return {row[0] for row in kept.values_list("key").union(coming.values_list("key"))}


def _on_the_way(keys: Collection[str]) -> set[str]:
    """Parts of uploads: `abandoned` knows which of them are alive."""
    return {key for key in keys if key.startswith(INCOMING)}


def _results_to_spare(keys: Collection[str]) -> set[str]:
    """No row may say of the audit log's anchors whether they stay."""
    return _of_open_attempts(keys) | {key for key in keys if key.startswith(ANCHORS)}


def _of_open_attempts(keys: Collection[str]) -> set[str]:
    """An attempt may be days at handing its outputs over: `<workspace>/<attempt>/<output>`."""
    owners = {key: uuid_or_none(key.split("/")[1]) for key in keys if key.count("/") == KEY_DEPTH}
    found = Attempt.objects.unfinished().filter(pk__in={owner for owner in owners.values() if owner})
    unfinished = set(found.values_list("pk", flat=True))
    return {key for key, owner in owners.items() if owner in unfinished}
