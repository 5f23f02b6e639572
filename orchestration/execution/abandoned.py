"""The nets under uploads that nobody ends: each repeatable, each leaves what is alive alone."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import batched
from typing import Final

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from orchestration import going
from orchestration.execution.finishing import drop_bytes, finish, finish_later, finish_stream, takes_time
from orchestration.execution.isolation import one_at_a_time
from orchestration.ids import uuid_or_none
from orchestration.models import Upload
from orchestration.models.upload import STORAGE
from orchestration.states import UploadDoor, UploadState
from orchestration.storage.local import LocalStorage
from orchestration.storage.registry import get_direct, get_storage

log = logging.getLogger(__name__)

BATCH: Final = 500
SILENT: Final = timedelta(minutes=2)
"""A completion that has said nothing for so long has lost its process."""
ORPHAN_AGE: Final = timedelta(days=1)
FORGET_AFTER: Final = timedelta(days=7)


def heal_uploads() -> int:
    """Net 1: expire what nobody touched in time, finish what a killed process left whole or `completing`."""
    return expire_uploads() + finish_streams() + finish_silent()


def expire_uploads() -> int:
    with transaction.atomic(durable=True):
        due = Upload.objects.open().filter(expires_at__lt=Now()).order_by("expires_at")
        uploads = list(due.select_for_update(skip_locked=True, of=("self",))[:BATCH])
        ids = [upload.pk for upload in uploads]
        Upload.objects.open().filter(pk__in=ids).update(state=UploadState.EXPIRED, touched_at=Now())
    for upload in going.while_not_told(uploads):
        with one_at_a_time(upload.pk):
            drop_bytes(upload)
    if uploads:
        log.info("uploads expired", extra={"count": len(uploads)})
    return len(uploads)


def finish_streams() -> int:
    """Tus has no word for the end: when the last byte counts, the file is due, whoever died before making it."""
    whole = Upload.objects.open().filter(door=UploadDoor.TUS, concat="", size=F("offset"), size__gt=0)
    silent = whole.filter(touched_at__lt=Now() - SILENT, expires_at__gt=Now())
    uploads = list(silent.select_related("workspace").order_by("expires_at")[:BATCH])
    for upload in going.while_not_told(uploads):
        with one_at_a_time(upload.pk):
            finish_stream(upload)
    return len(uploads)


def finish_silent() -> int:
    silent = Upload.objects.filter(state=UploadState.COMPLETING, touched_at__lt=Now() - SILENT)
    uploads = list(silent.select_related("workspace").order_by("touched_at")[:BATCH])
    for upload in going.while_not_told(uploads):
        with one_at_a_time(upload.pk):
            if takes_time(upload):
                finish_later(upload.pk)
            else:
                finish(upload)
    return len(uploads)


def sweep_incoming() -> int:
    """Net 2: bytes older than a day that no living upload knows, and rows that have ended a week ago."""
    storage, direct = get_storage(STORAGE), get_direct(STORAGE)
    removed = 0
    if direct is not None:
        for keys in going.while_not_told(batched(direct.unfinished(ORPHAN_AGE), BATCH, strict=False)):
            alive = set(
                Upload.objects.alive().filter(key__in=[key for key, _ in keys]).values_list("multipart_id", flat=True)
            )
            for key, multipart_id in going.while_not_told(keys):
                if multipart_id not in alive:
                    direct.abort(key, multipart_id)
                    removed += 1
    elif isinstance(storage, LocalStorage):
        for names in going.while_not_told(batched(storage.incoming_older_than(ORPHAN_AGE), BATCH, strict=False)):
            removed += _drop_unknown(storage, names)
    forget_ended()
    return removed


def _drop_unknown(storage: LocalStorage, keys: tuple[str, ...]) -> int:
    ids = {key: uuid_or_none(key.removeprefix("incoming/").partition(".")[0]) for key in keys}
    alive = set(Upload.objects.alive().filter(pk__in=[i for i in ids.values() if i]).values_list("pk", flat=True))
    unknown = [key for key, upload_id in ids.items() if upload_id not in alive]
    for key in unknown:
        storage.delete(key)
    return len(unknown)


def forget_ended() -> int:
    """Rows in an end state are kept for a week, so that whoever asks again hears the same answer.

    Their bytes are asked to go once more: a part that was on its way when the upload ended may have come after.
    """
    old = Upload.objects.ended().filter(touched_at__lt=Now() - FORGET_AFTER)
    uploads = list(old.order_by("touched_at")[:BATCH])
    for upload in going.while_not_told(uploads):
        with one_at_a_time(upload.pk):
            drop_bytes(upload)
            Upload.objects.ended().filter(pk=upload.pk).delete()
    return len(uploads)
