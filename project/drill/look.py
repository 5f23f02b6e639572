"""What a restored database says, held against storage and engine of the platform that goes on. Changes neither."""

from __future__ import annotations

from datetime import timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from orchestration.engines.registry import get_engine
from orchestration.errors import EngineUnavailable
from orchestration.execution import invariants
from orchestration.execution.audit_anchors import FOLDER as ANCHORS
from orchestration.models import Attempt, Execution, File, Job, Upload
from orchestration.models.execution import LOCAL
from orchestration.states import JOB_UNFINISHED
from orchestration.storage.registry import get_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMED: Final = 20
"""Files that are named one by one; of more only the number is said."""
BATCH: Final = 500
KEPT: Final = ("uploads", "results")


def look() -> dict[str, Any]:
    """Facts, ready for JSON."""
    executor = MigrationExecutor(connection)
    return {
        "migrations_missing": len(executor.migration_plan(executor.loader.graph.leaf_nodes())),
        "rows": rows(),
        "files": _files(),
        "unknown_objects": sum(_unknown_objects(alias) for alias in KEPT),
        "jobs_unfinished": Job.objects.filter(state__in=JOB_UNFINISHED).count(),
        "attempts_open": Attempt.objects.unfinished().count(),
        "engine": _engine(),
        "violations": invariants.look(timedelta()),
    }


def rows() -> dict[str, int]:
    """Of each table that has any."""
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608  the server's own names
            if number := cursor.fetchone()[0]:
                found[table] = number
    return found


def _files() -> dict[str, Any]:
    """Whether each file's object is there, as long as its row says."""
    wrong = list(_wrong_files())
    return {
        "looked_at": File.objects.filter(purged_at__isnull=True).count(),
        "wrong": len(wrong),
        "named": wrong[:NAMED],
    }


def _wrong_files() -> Iterator[str]:
    kept = File.objects.filter(purged_at__isnull=True).exclude(key="").order_by("pk")
    for file in kept.only("pk", "name", "size", "storage", "key").iterator(chunk_size=BATCH):
        there = get_storage(file.storage).size(file.key)
        if there != file.size:
            yield f"{file.pk} {file.name}: " + ("missing" if there is None else f"{there} bytes instead of {file.size}")


def _unknown_objects(alias: str) -> int:
    """What came after the backup; its rows are lost, and the sweep would delete it a day later."""
    unknown = 0
    for keys in batched(get_storage(alias).keys_older_than(timedelta()), BATCH, strict=False):
        known = set(File.objects.filter(storage=alias, key__in=keys).values_list("key", flat=True))
        known |= set(Upload.objects.filter(storage=alias, key__in=keys).values_list("key", flat=True))
        unknown += sum(key not in known and not key.startswith(("incoming/", ANCHORS)) for key in keys)
    return unknown


def _engine() -> dict[str, Any]:
    """Executions that the rows take for open and the engine does not have, and the other way round."""
    if settings.ENGINE == LOCAL:
        return {"name": LOCAL}
    taken_for_open = set(
        Execution.objects.filter(settled_at__isnull=True).exclude(engine=LOCAL).values_list("name", flat=True)
    )
    try:
        there = {one.name for one in get_engine(settings.ENGINE).open_executions()}
    except EngineUnavailable as exc:
        return {"name": settings.ENGINE, "error": str(exc)}
    return {"name": settings.ENGINE, "ended": len(taken_for_open - there), "unknown": len(there - taken_for_open)}
