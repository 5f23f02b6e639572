"""Equal content is stored once in a workspace, and never shared between two."""

from __future__ import annotations

from functools import partial

from django.db import connection, transaction

from orchestration.models import File
from orchestration.states import FileEventKind, ScanState
from orchestration.storage.local import LocalStorage
from orchestration.storage.registry import get_storage


def share_content(file: File) -> bool:
    """Point `file` at the object of a clean file of the same bytes in its workspace; whether there was one.

    Call it in the transaction that makes the file clean, with `file` as its row is then (sha256, size, storage, key):
    nobody could read it before, so nobody reads the object that becomes spare and goes after the commit.
    """
    if not file.sha256 or file.size == 0:
        return False
    one_by_one(file)
    twin = whole_twin(file)
    if twin is None:
        return False
    mine = File.objects.filter(pk=file.pk, key=file.key, version=file.version, purged_at__isnull=True)
    if not mine.update(key=twin.key, version=twin.version):
        return False
    file.event(FileEventKind.DEDUPLICATED, data={"same_as": str(twin.pk), "bytes_saved": file.size}).save()
    # If this is lost, the sweep of objects without a row does it.
    transaction.on_commit(partial(get_storage(file.storage).delete, file.key), robust=True)
    file.key, file.version = twin.key, twin.version
    return True


def one_by_one(file: File) -> None:
    """Of two files of the same bytes that become clean at once, the second sees the first."""
    with connection.cursor() as cursor:
        name = f"{file.workspace_id}/{file.sha256}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


def whole_twin(file: File) -> File | None:
    """A clean file of the same bytes in another object.

    Locked, so that it is not purged before this file has its key. Not waited for: who holds it may wait for us.
    """
    alike = File.objects.filter(
        workspace=file.workspace_id,
        sha256=file.sha256,
        size=file.size,
        storage=file.storage,
        scan_state=ScanState.CLEAN,
        purged_at__isnull=True,
    )
    alike = alike.exclude(pk=file.pk).exclude(key=file.key)
    twin: File | None = alike.order_by("pk").select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
    return twin if twin and _is_whole(twin) else None


def _is_whole(twin: File) -> bool:
    """On a local disk it costs nothing to see that the bytes are there: good ones must not give way to none."""
    storage = get_storage(twin.storage)
    return not isinstance(storage, LocalStorage) or storage.size(twin.key) == twin.size
