"""What becomes of files by the clock: deleted when their date has come, destroyed when nobody may bring them back.

All times are the database's. Deciding and doing are apart: a file is marked in one transaction, under its row's lock,
and its bytes go afterwards; whoever is killed between leaves a mark that the next round finds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from orchestration import going
from orchestration.execution.isolation import one_at_a_time
from orchestration.models import Examination, File, FileEvent, JobInput
from orchestration.points import point
from orchestration.states import JOB_UNFINISHED, FileEventKind
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from orchestration.models.file import FileQuerySet

log = logging.getLogger(__name__)

BATCH: Final = 500
ROUNDS: Final = 20
"""Batches of one call; the rest is the next call's."""

PURGING: Final = "purging"
DESTROYED: Final = "destroyed"
SHARED: Final = "shared"
"""What a PURGED event says of the bytes: about to go, gone, or left to another file of the same content."""


def expire_files() -> int:
    """Delete files whose date has come: not those on hold, nor those that an unfinished job reads or made."""
    return _all_batches(_expire_some, "files expired")


def purge_files() -> int:
    """Destroy what was deleted so long ago that nobody may bring it back. Returns how many files lost their bytes."""
    _all_batches(_mark_some, "files to purge")
    return _all_batches(_destroy_some, "files purged")


def _all_batches(batch: Callable[[], int], event: str) -> int:
    total = 0
    for _ in going.while_not_told(range(ROUNDS)):
        done = batch()
        total += done
        if done < BATCH:
            break
    if total:
        log.info(event, extra={"count": total})
    return total


def unused(files: FileQuerySet) -> FileQuerySet:
    """Those that no unfinished job reads or made."""
    read = JobInput.objects.filter(file=OuterRef("pk"), job__state__in=JOB_UNFINISHED)
    return files.filter(~Exists(read)).exclude(job__state__in=JOB_UNFINISHED)


@transaction.atomic(durable=True)
def _expire_some() -> int:
    due = File.objects.filter(expires_at__lte=Now(), deleted_at__isnull=True, hold=False)
    ids = _lock(unused(due).order_by("expires_at"))
    # Asked again under the locks: a job submitted since then was not seen, and none can be submitted from here on.
    free = list(unused(File.objects.filter(pk__in=ids)))
    File.objects.filter(pk__in=[file.pk for file in free]).update(deleted_at=Now())
    FileEvent.objects.bulk_create(
        file.event(
            FileEventKind.EXPIRED,
            reason=f"kept until {file.expires_at:%Y-%m-%d}",
            data={"expires_at": file.expires_at.isoformat()},
        )
        for file in free
    )
    return len(free)


@transaction.atomic(durable=True)
def _mark_some() -> int:
    """From here on nobody can bring them back. Who undeletes or puts on hold first is left alone."""
    ids = _lock(File.objects.to_purge().order_by("deleted_at"))
    files = list(File.objects.filter(pk__in=ids).select_related("created_by"))
    File.objects.filter(pk__in=ids).update(purged_at=Now())
    Examination.objects.filter(file__in=ids).delete()
    FileEvent.objects.bulk_create(file.event(FileEventKind.PURGED, new=PURGING, data=_facts(file)) for file in files)
    point("purge.before_commit")
    return len(files)


def _lock(files: FileQuerySet) -> list[UUID]:
    """The first of them that nobody else has in hand."""
    locked = files.select_for_update(skip_locked=True, no_key=True, of=("self",))
    return [file.pk for file in locked.only("pk")[:BATCH]]


def _facts(file: File) -> dict[str, Any]:
    """What a receipt must say when the row's own columns may have been anonymised."""
    return {
        "name": file.name,
        "path": file.path,
        "kind": file.kind,
        "size": file.size,
        "sha256": file.sha256,
        "crc64nvme": file.crc64nvme,
        "media_type": file.media_type,
        "created_at": file.created_at.isoformat(),
        "created_by": file.created_by.username if file.created_by else None,
        "expires_at": file.expires_at.isoformat(),
        "deleted_at": file.deleted_at.isoformat() if file.deleted_at else None,
        "storage": file.storage,
        "key": file.key,
        "version": file.version,
    }


def _destroy_some() -> int:
    files = list(File.objects.filter(purged_at__isnull=False).exclude(key="").order_by("purged_at")[:BATCH])
    done = 0
    for file in going.while_not_told(files):
        with one_at_a_time(file.pk):
            done += _destroy(file)
    return done


def _destroy(file: File) -> bool:
    """Nobody can begin to share these bytes now: that takes an unpurged file with this key, the heir found here."""
    heir = File.objects.filter(storage=file.storage, key=file.key, purged_at__isnull=True).order_by("pk").first()
    if heir is None:
        point("purge.before_bytes")
        get_storage(file.storage).delete(file.key)
        point("purge.bytes_gone")
    with transaction.atomic(durable=True):
        if not File.objects.filter(pk=file.pk, key=file.key).update(key="", version=""):
            return False
        said = {"bytes_left_to": str(heir.pk)} if heir else {}
        file.event(FileEventKind.PURGED, old=PURGING, new=SHARED if heir else DESTROYED, data=said).save()
    point("purge.done")
    return True
